from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.commands import a_host_of_its_own

# Ignored where the tests run in the background of a shell, and inherited by the sweeper they interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with a CSV to send."""
    (tmp_path / "rows.csv").write_text("a,b\n" + "1.0,2.0\n" * 100)
    return tmp_path


@pytest.fixture(autouse=True)
def own_host(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("asleep") is None:
        yield
    else:
        with a_host_of_its_own():
            yield
