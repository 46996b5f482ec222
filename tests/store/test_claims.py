"""Claims in a real PostgreSQL: several hosts at once, lost ones, and what becomes of their runs."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from sweeper.errors import ClaimLostError, StoreError, UsageError
from sweeper.records.claims import Claim, Shared
from sweeper.records.run import RunKind, RunRecord
from sweeper.statistics.criteria import Rule
from sweeper.store import claims as claim_table
from sweeper.store import database_waits, study_store
from sweeper.store.claims import LOST_AFTER_S, ClaimTable, environments, shared
from sweeper.store.database import Database, StoredStudy
from sweeper.store.study_store import SharedStudyStore
from sweeper.study.sharing import choose
from sweeper.study.study import run_shared_study
from sweeper.study.study_state import StudyPlan, answer_so_far, next_claim
from tests.support.fakes import Watching, World, noisy
from tests.support.postgres import Postgres
from tests.support.shared_studies import host, recorded
from tests.support.studies import PEAK, planned

ROOT = Path(__file__).parents[2]
STUDY = StoredStudy("s", "2026-01-01T00:00:00Z", {"users": 5}, {"cores": 2}, False)
Open = Callable[[str], ClaimTable]


@pytest.fixture
def open_table(postgres_url: str) -> Iterator[Open]:
    """A host's view of one study; each call is another host."""
    databases: list[Database] = []

    def opened(name: str) -> ClaimTable:
        databases.append(Database(postgres_url))
        return ClaimTable(databases[-1], "s", name)

    Database(postgres_url).create_study(STUDY)
    yield opened
    for database in databases:
        database.close()


def next_of(table: ClaimTable, plan: StudyPlan | None = None) -> Claim:
    claim = table.take(lambda seen: next_claim(plan or planned((1, 4, 8)), table.host, seen))
    assert claim is not None
    return claim


def fall_silent(postgres: Postgres, url: str, host: str, seconds: float = LOST_AFTER_S + 1) -> None:
    """As if it had last been heard of so long ago: the test does not wait for it."""
    name = url.rpartition("/")[2]
    statement = f"UPDATE sweeper_claims SET seen_at = seen_at - interval '{seconds} s' WHERE host = '{host}'"
    postgres.run(statement, database=name)


def ids(records: tuple[RunRecord, ...]) -> list[str]:
    return [record.plan.run_id for record in records]


def test_hosts_that_claim_at_once_never_get_the_same(open_table: Open) -> None:
    tables = [open_table(name) for name in ("a", "b", "c", "d")]
    together = threading.Barrier(len(tables))
    got: list[Claim] = []

    def one_after_another(seen: Shared, table: ClaimTable) -> Claim | None:
        number = len(seen.claims) + 1
        return (
            None if number > 40 else Claim(RunKind.BLOCK, number, 0, table.host, planned().block(number, {}))
        )

    def claim_all(table: ClaimTable) -> None:
        together.wait()
        while (claim := table.take(lambda seen: one_after_another(seen, table))) is not None:
            got.append(claim)

    threads = [threading.Thread(target=claim_all, args=(table,)) for table in tables]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claim.block for claim in got) == list(range(1, 41))
    assert set(tables[0].seen().claims) == set(got)  # plans and all come back as they were


def test_a_lost_hosts_claim_is_taken_over_and_its_late_runs_are_refused(
    open_table: Open, postgres: Postgres, postgres_url: str
) -> None:
    a, b = open_table("a"), open_table("b")
    first = next_of(a)
    a.add_run(recorded(first.runs[0], "a", 0.0))
    assert next_of(b).block == 2  # a was heard of just now
    fall_silent(postgres, postgres_url, "a", LOST_AFTER_S - 5)
    assert [claim.silent for claim in b.seen().claims] == [False, False]
    fall_silent(postgres, postgres_url, "a", 6)
    assert [claim.silent for claim in b.seen().claims] == [True, False]
    c = open_table("c")
    again = next_of(c)
    assert (again.block, again.attempt, again.host) == (1, 1, "c")
    with pytest.raises(ClaimLostError, match="block 1 was taken over by host c: this host did not report"):
        a.add_run(recorded(first.runs[1], "a", 0.0))
    a.still_here(first)  # too late
    assert next_of(a).block == 3
    assert ids(a.seen().records) == [first.runs[0].run_id]  # what it had made stays


def test_a_host_that_comes_back_goes_on_with_its_own(
    open_table: Open, postgres: Postgres, postgres_url: str
) -> None:
    first = next_of(open_table("a"))
    open_table("a").add_run(recorded(first.runs[0], "a", 0.0))
    fall_silent(postgres, postgres_url, "a")
    back = open_table("a")
    assert back.take(
        lambda seen: choose(seen, RunKind.BLOCK, "a", [1, 2], lambda *_: ())
    ) == dataclasses.replace(first, silent=True)
    assert [claim.silent for claim in back.seen().claims] == [False]  # it was heard of by that
    assert len(back.seen().missing(first)) == len(first.runs) - 1


def test_what_a_host_gives_up_is_anybodys_at_once(open_table: Open) -> None:
    a, b = open_table("a"), open_table("b")
    a.give_up(next_of(a))
    assert (next_of(b).block, next_of(b).attempt) == (1, 1)


def test_nobody_else_works_under_the_same_name(
    open_table: Open, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    monkeypatch.setattr(claim_table, "NAME_FREE_WITHIN_S", 0.2)
    a, again, b = open_table("a"), open_table("a"), open_table("b")
    a.hold_name()
    b.hold_name()
    with pytest.raises(UsageError, match=r"another sweeper works on study 's' as host 'a': .*--host-name"):
        again.hold_name()
    again.close()
    a.close()
    again.hold_name()
    again.close()


HOLD = """
import sys
from sweeper.store.claims import ClaimTable
from sweeper.store.database import Database
table = ClaimTable(Database(sys.argv[1]), "s", "a")
table.hold_name()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_killed_host_may_come_back_under_its_name_at_once(open_table: Open, postgres_url: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, postgres_url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    table = open_table("a")
    table.hold_name()
    table.close()


def test_hosts_are_known_by_their_first_environment(open_table: Open, postgres_url: str) -> None:
    open_table("a").join({"cores": 2})
    open_table("b").join({"cores": 64})
    open_table("a").join({"cores": 4})
    database = Database(postgres_url, create=False)
    assert environments(database, "s") == {"a": {"cores": 2}, "b": {"cores": 64}}
    assert environments(database, "other") == {}
    assert shared(database, "s") == Shared()
    database.close()


def test_one_of_two_makes_the_study(postgres_url: str, tmp_path: Path) -> None:
    databases = [Database(postgres_url), Database(postgres_url)]
    stores = [SharedStudyStore(d, tmp_path / n, "s", n) for d, n in zip(databases, "ab", strict=True)]
    assert [store.create_unless_there(STUDY) for store in stores] == [True, False]
    stores[1].join(STUDY.settings, {"cores": 64})
    assert (stores[1].folder / "study.toml").read_text() == (stores[0].folder / "study.toml").read_text()
    assert '"cores": 64' in (stores[1].folder / "environment.json").read_text()
    for database in databases:
        database.close()


def test_a_host_is_heard_of_while_it_works(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    monkeypatch.setattr("sweeper.store.study_store.HEARD_OF_EVERY_S", 0.05)
    database = Database(postgres_url)
    database.create_study(STUDY)
    store = SharedStudyStore(database, tmp_path, "s", "a")
    claim = store.take(lambda seen: next_claim(planned(), "a", seen))
    assert claim is not None
    with store.holding(claim):
        fall_silent(postgres, postgres_url, "a")
        deadline_s = time.monotonic() + 10
        while store.seen().claims[0].silent and time.monotonic() < deadline_s:
            time.sleep(0.02)
        assert not store.seen().claims[0].silent
    with pytest.raises(KeyboardInterrupt), store.holding(claim):
        raise KeyboardInterrupt
    assert store.seen().claims[0].silent  # interrupted: the others need not wait
    assert [t.name for t in threading.enumerate() if t.name == "still here"] == []
    database.close()


def test_three_hosts_at_once_make_one_study(postgres_url: str, tmp_path: Path) -> None:
    """The whole loop in three threads, on simulated servers and one real database."""
    plan = planned((4, 8, 16), Rule(looks=(3, 5)))
    Database(postgres_url).create_study(dataclasses.replace(STUDY, name="study"))
    answers: dict[str, object] = {}

    def work(name: str) -> None:
        database = Database(postgres_url)
        store = SharedStudyStore(database, tmp_path / name, "study", name)
        world = World(noisy(PEAK, noise=0.02, block_drift=0.1))
        answers[name] = run_shared_study(plan, host(name), world.parts(), store, Watching())
        assert world.left_running == []
        database.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers["a"] == answers["b"] == answers["c"]
    database = Database(postgres_url, create=False)
    seen = shared(database, "study")
    database.close()
    assert answers["a"] == answer_so_far(plan, seen.records, seen.claims)
    assert answers["a"].workers == 8  # type: ignore[attr-defined]
    assert len({r.plan.run_id for r in seen.records}) == len(seen.records)
    assert all(not seen.missing(claim) for claim in seen.claims)
    for claim in seen.claims:
        assert {r.host for r in seen.made(claim)} == {claim.host}


def test_a_server_that_goes_away_loses_nothing_that_was_recorded(
    postgres: Postgres, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_store, "patiently", partial(database_waits.patiently, wait_s=1.5))
    name = postgres_url.rpartition("/")[2]
    database = Database(postgres_url)
    database.create_study(dataclasses.replace(STUDY, name="study"))
    store = SharedStudyStore(database, tmp_path, "study", "a")
    world = World(noisy(PEAK))
    kept: list[str] = []

    class CutOff(Watching):
        def run_finished(self, record: RunRecord) -> None:
            kept.append(record.plan.run_id)
            if len(kept) == 3:
                postgres.run(
                    f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
                )

    with pytest.raises(StoreError, match="not currently accepting"):
        run_shared_study(planned(), host("a"), world.parts(), store, CutOff())
    assert world.left_running == []
    postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert sorted(ids(store.records())) == sorted(kept)
    assert len(kept) == 6  # the rest of the block was made, kept on the disk, and brought in
    database.close()
