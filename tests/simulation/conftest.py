"""Each module's figures as one table, shown by `pytest -s`."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest

from tests.support.simulation.fixtures import Table


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Rows of column to text, printed once the module is through."""
    rows: Table = []
    yield rows
    if rows:
        title = (request.module.__doc__ or "").splitlines()[0]
        print(f"\n\n{title}\n{pd.DataFrame(rows).fillna('').to_string(index=False)}")
