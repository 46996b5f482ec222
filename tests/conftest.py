"""One profile for all properties, and which tests run beside which.

Properties have no deadline (the machine may be busy) and the same examples every time;
`--hypothesis-profile=deep` looks further, at random. `make test` runs four sets, one after another:

mark       at a time           what
together   one for each core   only computes, or starts a process and asks it
asleep     six                 loads servers that sleep; on a busy machine it takes longer and still passes
pairs      two                 the same, but runs that are suspect for want of idle cores make it fail
alone      one                 measures CPU time, memory, switches or lateness

Processes of pytest-xdist are on hosts of their own (support/own_host.py), so that each may measure; where
that is not allowed, one test of `asleep` or `pairs` waits for the other.
"""

from __future__ import annotations

import fcntl
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from sweeper.store.database_url import normalised
from tests.support.own_host import move
from tests.support.postgres import Postgres, server

SETS = {
    "alone": (
        "e2e/test_cannot_work.py::test_a_value_that_cannot_work_does_not_cost_the_answer[streams]",
        "e2e/test_cannot_work.py::test_streams_without_an_end",
        "e2e/test_limits.py",
        "e2e/test_turns.py::test_a_server_that_computes_keeps_its_turns",
        "faults/test_real.py::test_outside_waits",
        "load/test_load.py::test_what_locust_reads_late_is_known_of_each_request",
        "load/test_open_loop.py",
        "load/test_processes.py",
        "load/test_standstill.py",
        "report/test_in_browser.py",
        "support/truth/",
        "telemetry/",
    ),
    "pairs": (
        "e2e/test_capacity.py",
        "e2e/test_confirm.py",
        "e2e/test_container.py",
        "e2e/test_gate.py",
        "e2e/test_kinds_of_models.py",
        "e2e/test_optimize.py",
        "e2e/test_rate.py",
        "e2e/test_scenarios.py",
        "e2e/test_several_loads.py",
        "e2e/test_truth_grids.py::test_a_plateau_is_answered_with_its_first_point",
        "e2e/test_turns.py",
    ),
    "asleep": ("e2e/", "faults/test_real.py", "load/"),
}
"""By the first that a test's address begins with; every other test is in `together`."""
pytest_plugins = ["tests.support.left_out", "tests.support.containers"]
settings.register_profile("sweeper", deadline=None, derandomize=True)
settings.register_profile("deep", deadline=None, max_examples=3000)
settings.load_profile("sweeper")
# Fixtures end what they started, also when a shell started the tests in its background (where SIGINT is
# ignored, and by all that is started from here) and when `make` passes a SIGTERM on.
for ends in (signal.SIGINT, signal.SIGTERM):
    signal.signal(ends, signal.default_int_handler)

ON_OWN_HOST = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ON_OWN_HOST] = hasattr(config, "workerinput") and move()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        address = item.nodeid.removeprefix("tests/")
        item.add_marker(next((s for s, places in SETS.items() if address.startswith(places)), "together"))


@pytest.fixture(autouse=True)
def one_study_at_a_time_on_a_host(request: pytest.FixtureRequest) -> Iterator[None]:
    shared = not request.config.stash[ON_OWN_HOST]
    if not shared or not {"asleep", "pairs"} & {mark.name for mark in request.node.iter_markers()}:
        yield
    else:
        with (Path(tempfile.gettempdir()) / "sweeper-tests.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What one version of the code has worked out is not for the next one, and nothing is left at home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with server() as running:
        yield running


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """Of a database of the test's own."""
    return normalised(postgres.url(postgres.database()))
