"""One profile for all properties: no deadline (the machine may be busy), the same examples every time.

`--hypothesis-profile=deep` looks further, at random.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from sweeper.store.address import normalised
from tests.postgres import Postgres, server

settings.register_profile("sweeper", deadline=None, derandomize=True)
settings.register_profile("deep", deadline=None, max_examples=3000)
settings.load_profile("sweeper")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with server() as running:
        yield running


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """Of a database of the test's own."""
    return normalised(postgres.url(postgres.database()))
