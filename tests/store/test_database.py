"""The database: studies, settings and runs, kept and read back."""

from __future__ import annotations

import dataclasses
import json
import math
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.errors import StoreError
from sweeper.records.finding import Finding, Severity
from sweeper.records.run import RunRecord
from sweeper.store.database import Database, StoredStudy
from sweeper.store.run_rows import findings_from_json, findings_to_json
from tests.support.builders import record
from tests.support.stored import ROOT, STUDY
from tests.support.strategies import records


def at(folder: Path, name: str = "studies.db") -> str:
    return f"sqlite:///{folder / name}"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(at(tmp_path))
    yield opened
    opened.close()


@given(st.lists(records, max_size=4, unique_by=lambda record: record.plan.run_id))
def test_every_record_comes_back_as_it_was(kept: list[RunRecord]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(at(Path(folder)))
        database.create_study(STUDY)
        for item in kept:
            database.add_run("s", item)
        database.close()
        again = Database(at(Path(folder)), create=False)
        expected = sorted(
            kept, key=lambda r: (r.plan.arrivals_per_s is not None, r.plan.block, r.plan.position)
        )
        found = again.runs("s")
        assert sorted(found, key=repr) == sorted(expected, key=repr)
        assert [r.plan.block for r in found] == [r.plan.block for r in expected]
        again.close()


def test_studies_come_back_oldest_first(database: Database) -> None:
    for name, created_at in (("b", "2026-01-02"), ("a", "2026-01-03"), ("c", "2026-01-01")):
        database.create_study(StoredStudy(name, created_at, {"n": name}, {}, False))
    assert [study.name for study in database.studies()] == ["c", "b", "a"]
    assert database.study("a") == StoredStudy("a", "2026-01-03", {"n": "a"}, {}, False)
    assert database.study("nobody") is None
    database.mark_complete("a")
    found = database.study("a")
    assert found is not None and found.complete


def test_nothing_is_saved_twice_or_for_a_study_that_is_not_there(database: Database) -> None:
    database.create_study(STUDY)
    database.add_run("s", record(4, 1))
    with pytest.raises(StoreError, match="cannot write to"):
        database.add_run("s", record(4, 1))
    with pytest.raises(StoreError, match="cannot write to"):
        database.create_study(STUDY)
    with pytest.raises(StoreError, match="cannot write to"):
        database.add_run("nobody", record(4, 1))
    assert len(database.runs("s")) == 1


def test_evidence_that_json_cannot_hold_is_unavailable() -> None:
    odd = Finding("x", Severity.INFO, "m", {"a": math.nan, "b": -math.inf, "c": 1.5, "d": True})
    text = findings_to_json((odd,))
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert findings_from_json(text)[0].evidence == {"a": None, "b": None, "c": 1.5, "d": True}


def test_another_schema_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    Database(at(tmp_path)).close()
    with sqlite3.connect(tmp_path / "studies.db") as raw:
        raw.execute("UPDATE sweeper_schema SET version = 99")
    raw.close()
    before = (tmp_path / "studies.db").read_bytes()
    with pytest.raises(StoreError, match="has schema version 99, this sweeper reads 1: use"):
        Database(at(tmp_path))
    assert (tmp_path / "studies.db").read_bytes() == before


OLDER = ("CREATE TABLE older AS SELECT {columns} FROM sweeper_runs", "DROP TABLE sweeper_runs",
         "ALTER TABLE older RENAME TO sweeper_runs")  # fmt: skip


def made_by_an_older_sweeper(folder: Path) -> None:
    """A database with a run, as it was before open-loop runs: no column `arrivals_per_s`."""
    database = Database(at(folder))
    database.create_study(STUDY)
    database.add_run("s", record(4, 1))
    database.close()
    with sqlite3.connect(folder / "studies.db") as raw:
        names = [row[1] for row in raw.execute("PRAGMA table_info(sweeper_runs)")]
        columns = ", ".join(name for name in names if name != "arrivals_per_s")
        for statement in OLDER:
            raw.execute(statement.format(columns=columns))
    raw.close()


def test_an_older_database_is_read_as_it_is_and_left_alone(tmp_path: Path) -> None:
    made_by_an_older_sweeper(tmp_path)
    before = (tmp_path / "studies.db").read_bytes()
    (tmp_path / "studies.db").chmod(0o444)
    reading = Database(at(tmp_path), create=False)
    assert reading.runs("s") == (record(4, 1),)
    reading.close()
    assert (tmp_path / "studies.db").read_bytes() == before


def test_an_older_database_takes_open_loop_runs(tmp_path: Path) -> None:
    made_by_an_older_sweeper(tmp_path)
    later = record(4, 1)
    later = dataclasses.replace(
        later, plan=dataclasses.replace(later.plan, run_id="c01-01-w4", arrivals_per_s=0.1 + 0.2)
    )
    writing = Database(at(tmp_path))
    writing.add_run("s", later)
    writing.close()
    again = Database(at(tmp_path))
    assert again.runs("s") == (record(4, 1), later)
    again.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    text = "these are my notes, not a database\n" * 50
    (tmp_path / "studies.db").write_text(text)
    for create in (True, False):
        with pytest.raises(StoreError, match=r"cannot open .*studies\.db: file is not a database"):
            Database(at(tmp_path), create=create)
    assert (tmp_path / "studies.db").read_text() == text


def test_optunas_tables_may_live_beside_ours(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "studies.db") as raw:
        raw.execute("CREATE TABLE studies (study_id INTEGER PRIMARY KEY)")
    raw.close()
    database = Database(at(tmp_path))
    database.create_study(STUDY)
    assert len(database.studies()) == 1
    database.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:///{folder}/file/studies.db", "cannot make the folder .*/file: File exists"),
        ("sqlite:///{folder}/file/below/studies.db", "cannot make the folder .*: Not a directory"),
        ("sqlite:///{folder}", "cannot open .*: unable to open database file"),
        ("nonsense", "cannot use nonsense as a database: .* like sqlite:///studies/studies.db"),
        ("foo://user:secret@host/x", r"cannot use foo://user:\*\*\*@host/x as a database"),
    ],
)
def test_a_database_that_cannot_be_is_one_sentence(tmp_path: Path, url: str, says: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=says) as caught:
        Database(url.format(folder=tmp_path))
    assert "\n" not in str(caught.value)


def test_reading_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no study has been made here yet"):
        Database(at(tmp_path / "absent"), create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_commit_is_synced_in_full(tmp_path: Path, database: Database) -> None:
    with database.transaction("read") as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


OPEN = """
import sys
from sweeper.store.database import Database
sys.stdin.read(1)
Database(sys.argv[1]).close()
"""


def test_several_sweepers_may_make_the_database_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPEN, at(tmp_path)]
    crowd = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)
    ]
    for process in crowd:
        assert process.stdin is not None
        process.stdin.write(b"!")
        process.stdin.flush()
    for process in crowd:
        _, error = process.communicate(timeout=60)
        assert process.returncode == 0, error.decode()
