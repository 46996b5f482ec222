"""The database in PostgreSQL: the same as in SQLite (test_database.py), and what is its own."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from sweeper.errors import StoreError
from sweeper.records.run import RunRecord
from sweeper.store.database import Database
from sweeper.store.database_url import normalised
from tests.support.builders import record
from tests.support.postgres import PASSWORD, Postgres
from tests.support.stored import ROOT, STUDY, name_of
from tests.support.strategies import records

_numbers = itertools.count()


@pytest.fixture(scope="module")
def kept_open(postgres: Postgres) -> Database:
    return Database(normalised(postgres.url(postgres.database())))


@given(st.lists(records, max_size=4, unique_by=lambda record: record.plan.run_id))
def test_every_record_comes_back_as_it_was(kept_open: Database, kept: list[RunRecord]) -> None:
    name = f"s{next(_numbers)}"
    kept_open.create_study(dataclasses.replace(STUDY, name=name))
    for item in kept:
        kept_open.add_run(name, item)
    found = kept_open.runs(name)
    assert sorted(found, key=repr) == sorted(kept, key=repr)
    order = [(r.plan.arrivals_per_s is not None, r.plan.block_key, r.plan.position) for r in found]
    assert order == sorted(order)


def test_studies_come_back_and_nothing_is_saved_twice(postgres_url: str) -> None:
    database = Database(postgres_url)
    database.create_study(STUDY)
    assert (database.studies(), database.study("s"), database.study("x")) == ((STUDY,), STUDY, None)
    database.add_run("s", record(4, 1))
    for twice in (lambda: database.add_run("s", record(4, 1)), lambda: database.create_study(STUDY)):
        with pytest.raises(StoreError, match="cannot write to") as caught:
            twice()
        assert "\n" not in str(caught.value)
    assert len(database.runs("s")) == 1
    database.mark_complete("s")
    assert database.studies()[0].complete
    database.close()


def test_reading_makes_nothing(postgres: Postgres, postgres_url: str) -> None:
    database = Database(postgres_url, create=False)
    assert (database.studies(), database.study("s"), database.shares) == ((), None, False)
    database.close()
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert postgres.run(tables, database=name_of(postgres_url)) == [(0,)]


def test_several_sweepers_may_make_the_tables_at_once(postgres_url: str) -> None:
    together = threading.Barrier(6)
    failed: list[Exception] = []

    def open_it() -> None:
        together.wait()
        try:
            Database(postgres_url).close()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_an_older_database_is_read_as_it_is_and_gains_what_came_later(
    postgres: Postgres, postgres_url: str
) -> None:
    database = Database(postgres_url)
    database.create_study(STUDY)
    database.add_run("s", record(4, 1))
    database.close()
    columns = ("arrivals_per_s", "search", "parameters", "attempt", "host")
    drops = [f"ALTER TABLE sweeper_runs DROP COLUMN {column}" for column in columns]
    name = name_of(postgres_url)
    postgres.run(*drops, "DROP TABLE sweeper_hosts, sweeper_claims", database=name)
    reading = Database(postgres_url, create=False)
    assert (reading.runs("s"), reading.shares) == ((record(4, 1),), False)
    reading.close()
    threads = [threading.Thread(target=lambda: Database(postgres_url).close()) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writing = Database(postgres_url)
    assert (writing.runs("s"), writing.shares) == ((record(4, 1),), True)
    writing.close()


def test_another_schema_version_is_refused(postgres: Postgres, postgres_url: str) -> None:
    Database(postgres_url).close()
    postgres.run("UPDATE sweeper_schema SET version = 99", database=name_of(postgres_url))
    for create in (True, False):
        with pytest.raises(StoreError, match=r"has schema version 99, this sweeper reads 1: .* --storage"):
            Database(postgres_url, create=create)


def test_one_that_can_only_be_read_is_found_at_once(postgres: Postgres, postgres_url: str) -> None:
    name = name_of(postgres_url)
    postgres.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(StoreError, match=r"cannot write to .*: cannot execute .* in a read-only transaction"):
        Database(postgres_url)
    postgres.run(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    Database(postgres_url).close()
    postgres.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(StoreError, match="cannot execute UPDATE in a read-only transaction"):
        Database(postgres_url)
    Database(postgres_url, create=False).close()


def test_whoever_may_only_read_is_told_at_once(postgres: Postgres, postgres_url: str) -> None:
    Database(postgres_url).close()
    name = name_of(postgres_url)
    postgres.run(
        f"CREATE ROLE reader_{name} LOGIN",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_{name}",
        database=name,
    )
    url = normalised(postgres.url(name, user=f"reader_{name}"))
    Database(url, create=False).close()
    with pytest.raises(StoreError, match="permission denied for table sweeper_schema"):
        Database(url)


# What PostgreSQL says when its disk is full (53100, disk_full), without filling one.
FULL = (
    "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
    "'could not extend file \"base/1/2\": No space left on device' USING ERRCODE = '53100'; END $$",
    "CREATE TRIGGER full_disk BEFORE INSERT ON sweeper_runs FOR EACH ROW EXECUTE FUNCTION no_space()",
)


def test_a_full_disk_is_one_sentence_and_what_was_recorded_stays(
    postgres: Postgres, postgres_url: str
) -> None:
    database = Database(postgres_url)
    database.create_study(STUDY)
    database.add_run("s", record(4, 1))
    postgres.run(*FULL, database=name_of(postgres_url))
    with pytest.raises(StoreError, match=r"cannot write to postgresql://.*No space left on device") as caught:
        database.add_run("s", record(8, 1))
    assert "\n" not in str(caught.value)
    assert database.runs("s") == (record(4, 1),)
    database.close()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"port": 1}, "Connection refused"),
        ({"database": "absent"}, 'database "absent" does not exist'),
        ({"username": "nobody"}, 'role "nobody" does not exist'),
    ],
)
def test_one_that_cannot_be_reached_is_one_sentence_without_a_password(
    postgres_url: str, change: dict[str, object], says: str
) -> None:
    url = sa.make_url(postgres_url).set(**change).render_as_string(hide_password=False)
    for create in (True, False):
        with pytest.raises(StoreError, match="cannot open postgresql://") as caught:
            Database(url, create=create)
        assert says in str(caught.value)
        assert PASSWORD not in str(caught.value)
        assert "\n" not in str(caught.value)


WAIT = """
import sys
from sweeper.store.database import Database
with Database(sys.argv[1]).exclusive("write to", "s"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_who_is_killed_while_it_has_the_lock_blocks_nobody(postgres_url: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", WAIT, postgres_url],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    database = Database(postgres_url)
    with database.exclusive("write to", "another study"):
        pass
    holder.kill()
    holder.communicate()
    with database.exclusive("write to", "s") as connection:
        assert connection.execute(sa.select(sa.literal(1))).scalar() == 1
    database.close()
