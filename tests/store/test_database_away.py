"""A PostgreSQL server that is away for a while is waited for; what is finished meanwhile is kept on disk."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from sweeper.errors import ClaimLostError, StoreError
from sweeper.records.claims import Claim, Shared
from sweeper.records.run import RunKind, RunRecord
from sweeper.store import database_waits, study_store
from sweeper.store.database import Database
from sweeper.store.database_url import normalised
from sweeper.store.study_store import SharedStudyStore
from tests.support.builders import SAMPLE, record
from tests.support.postgres import Postgres, server
from tests.support.stored import REQUESTS, STUDY


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """One that may be stopped: the others' goes on."""
    with server() as running:
        yield running


@pytest.fixture
def url(postgres: Postgres) -> str:
    return normalised(postgres.url(postgres.database()))


def made(block: int = 1) -> RunRecord:
    return dataclasses.replace(record(4, block), host="a")


def claimed(store: SharedStudyStore, block: int = 1) -> Claim:
    claim = Claim(RunKind.BLOCK, block, 0, "a", (made(block).plan,))
    taken = store.take(lambda seen: claim)
    assert taken == claim
    return claim


class Opened:
    def __init__(self, url: str, folder: Path) -> None:
        self.database = Database(url)
        self.store = SharedStudyStore(self.database, folder, "s", "a")
        self.said: list[str] = []
        self.store.tell = self.said.append
        self.store.lock()
        self.store.create_unless_there(STUDY)
        self.store.join(STUDY.settings, STUDY.environment)

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()
        self.database.close()


def save(store: SharedStudyStore, run: RunRecord) -> None:
    store.run_directory(run.plan.run_id)
    store.save(run, REQUESTS, (SAMPLE,))


def test_a_run_that_ends_while_it_is_away_is_kept_and_brought_in(
    url: str, postgres: Postgres, tmp_path: Path
) -> None:
    with Opened(url, tmp_path) as opened:
        store = opened.store
        claimed(store)
        postgres.stop()
        save(store, made())  # does not wait
        kept = tmp_path / "s" / "runs" / made().plan.run_id / "record.json"
        assert kept.is_file()
        assert "is kept in" in opened.said[-1]
        back = threading.Timer(2.0, postgres.start_again)
        back.start()
        seen: Shared = store.seen()
        back.join()
        assert seen.records == (made(),)
        assert not kept.exists()
        assert any("waiting for it, for 60 s at most" in said for said in opened.said)
        assert opened.said[-1] == "the database is back"
        # The name is held by the new connection, too.
        with pytest.raises(Exception, match="another sweeper works on study"):
            other = SharedStudyStore(opened.database, tmp_path / "other", "s", "a")
            other.lock()
        claimed(store, 2)
        save(store, made(2))
        assert len(store.records()) == 2


def test_what_was_kept_is_brought_in_by_the_next_sweeper(
    url: str, postgres: Postgres, tmp_path: Path
) -> None:
    with Opened(url, tmp_path) as opened:
        claimed(opened.store)
        postgres.stop()
        save(opened.store, made())
    postgres.start_again()
    with Opened(url, tmp_path) as again:
        assert again.store.seen().records == (made(),)
        assert not list(tmp_path.rglob("record.json"))


def test_a_run_of_a_claim_that_was_taken_over_meanwhile_does_not_count(
    url: str, postgres: Postgres, tmp_path: Path
) -> None:
    with Opened(url, tmp_path) as opened:
        claimed(opened.store)
        postgres.stop()
        save(opened.store, made())
        postgres.start_again()
        name = url.rpartition("/")[2]
        postgres.run("UPDATE sweeper_claims SET host = 'b'", database=name)
        assert opened.store.seen().records == ()
        assert "does not count" in opened.said[-1]
        assert not list(tmp_path.rglob("record.json"))
        with pytest.raises(ClaimLostError):
            save(opened.store, made())


def test_one_that_stays_away_ends_the_study_and_keeps_the_run(
    url: str, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_store, "patiently", partial(database_waits.patiently, wait_s=1.5))
    with Opened(url, tmp_path) as opened:
        claimed(opened.store)
        postgres.stop()
        try:
            save(opened.store, made())
            begun_s = time.monotonic()
            with pytest.raises(StoreError, match=r"did not come back within 1\.5 s"):
                opened.store.seen()
            assert time.monotonic() - begun_s > 1.5
            assert list(tmp_path.rglob("record.json"))
        finally:
            postgres.start_again()


def test_a_restart_between_two_statements_is_not_noticed(
    url: str, postgres: Postgres, tmp_path: Path
) -> None:
    with Opened(url, tmp_path) as opened:
        claimed(opened.store)
        postgres.stop()
        postgres.start_again()
        save(opened.store, made())
        assert opened.store.records() == (made(),)
