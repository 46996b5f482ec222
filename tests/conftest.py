"""One profile for all properties, and which tests want the cores to themselves.

Properties have no deadline (the machine may be busy) and the same examples every time;
`--hypothesis-profile=deep` looks further, at random. `make test` runs what only computes on all cores at
once; then whole studies of servers that sleep, two at a time, each on a host of its own; then what
measures or starts real servers, one test after another.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from sweeper.store.address import normalised
from tests.postgres import Postgres, server

settings.register_profile("sweeper", deadline=None, derandomize=True)
settings.register_profile("deep", deadline=None, max_examples=3000)
settings.load_profile("sweeper")

ALONE = {"e2e", "launch", "load", "processes", "server", "telemetry", "truth", "bench", "hosts"}
ALONE_FILES = {
    "test_real.py",
    "test_cpu_quota.py",
    "test_real_drum.py",
    "test_training.py",
    "test_in_browser.py",
}
ASLEEP = {
    f"test_{name}.py" for name in ("confirm", "interrupts", "optimize", "truth_drift", "truth_grids")
}  # of tests/e2e


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        where = item.path.relative_to(here)
        if where.parts[0] == "e2e" and where.name in ASLEEP:
            item.add_marker("asleep")
        elif where.parts[0] in ALONE or where.name in ALONE_FILES:
            item.add_marker("alone")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with server() as running:
        yield running


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """Of a database of the test's own."""
    return normalised(postgres.url(postgres.database()))
