from __future__ import annotations

import csv
import dataclasses
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweeper.errors import StoreError, UsageError
from sweeper.records.finding import Verdict
from sweeper.records.observations import RequestLog
from sweeper.store import parquet as tables
from sweeper.store.database import Database, StoredStudy
from sweeper.store.study_store import RECOMMENDATION_FILE, StudyStore
from tests.support.builders import SAMPLE, failed, finding, log, record
from tests.support.stored import REQUESTS

ROOT = Path(__file__).parents[2]
STUDY = StoredStudy("s", "2026-01-01T00:00:00Z", {"users": 5, "workers": [1, 4]}, {"cpu": "Ü"}, False)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StudyStore]:
    database = Database(f"sqlite:///{tmp_path / 'studies.db'}")
    opened = StudyStore(database, tmp_path, "s")
    opened.lock()
    opened.create(STUDY)
    yield opened
    opened.close()
    database.close()


def stored(store: StudyStore) -> StoredStudy:
    """Its row, by another connection."""
    database = Database(f"sqlite:///{store.folder.parent / 'studies.db'}")
    study = database.study(store.name)
    database.close()
    assert study is not None
    return study


def read_requests(requests: Path) -> RequestLog:
    """What was written, the types as they are in the files but for `status`, which is a short one there."""
    frame = pd.read_parquet(requests)
    names = ("started_s", "latency_ms", "response_bytes", "failed", "client_late_ms")
    return RequestLog(
        **{name: frame[name].to_numpy() for name in names},
        status=frame["status"].to_numpy("int64"),
    )


def save(store: StudyStore, *records: object, requests: RequestLog | None = REQUESTS) -> None:
    for item in records:
        directory = store.run_directory(item.plan.run_id)  # type: ignore[attr-defined]
        (directory / "server.log").write_text("ready\n")
        store.save(item, requests, (SAMPLE,))  # type: ignore[arg-type]


def test_a_new_study_has_its_files(store: StudyStore) -> None:
    assert tomllib.loads((store.folder / "study.toml").read_text()) == STUDY.settings
    assert json.loads((store.folder / "environment.json").read_text(encoding="utf-8")) == STUDY.environment
    assert stored(store) == STUDY
    assert store.records() == ()


def test_a_saved_run_has_its_files_and_its_row(store: StudyStore) -> None:
    kept = record(4, 1, findings=[finding("steal")], verdict=Verdict.SUSPECT)
    save(store, kept, failed(8, 1))
    assert store.records() == (kept, failed(8, 1))
    folder = store.folder / "runs" / kept.plan.run_id
    assert {item.name for item in folder.iterdir()} == {
        "requests.parquet", "telemetry.parquet", "server.log",
    }  # fmt: skip
    with (store.folder / "runs.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [(row["workers"], row["verdict"], row["findings"]) for row in rows] == [
        ("4", "suspect", "steal"),
        ("8", "failed", "server-did-not-start"),
    ]
    assert float(rows[0]["rps"]) == 140.0
    assert rows[1]["rps"] == rows[1]["latency_p99_ms"] == ""


def test_a_run_without_requests_or_samples_is_saved(store: StudyStore) -> None:
    store.run_directory("b01-00-w4")
    store.save(failed(4, 1), None, ())
    assert len(store.records()) == 1


def test_what_an_unfinished_run_left_is_removed_before_it_is_made_again(store: StudyStore) -> None:
    stale = store.run_directory("b01-01-w4")
    (stale / "requests.raw").write_text("half")
    assert list(store.run_directory("b01-01-w4").iterdir()) == []


def test_the_recommendation_is_a_file_and_marks_the_study_complete(store: StudyStore) -> None:
    store.save_answer(RECOMMENDATION_FILE, {"workers": 4}, complete=False)
    assert not stored(store).complete
    store.save_answer(RECOMMENDATION_FILE, {"workers": 8}, complete=True)
    assert json.loads((store.folder / "recommendation.json").read_text()) == {"workers": 8}
    assert stored(store).complete


def test_the_recommendation_brings_runs_csv_up_to_date(store: StudyStore) -> None:
    """A kill between a run's row and its line in the CSV leaves the line out."""
    save(store, record(4, 1), record(8, 1))
    text = (store.folder / "runs.csv").read_text()
    (store.folder / "runs.csv").write_text(text.splitlines()[0])
    store.save_answer(RECOMMENDATION_FILE, {}, complete=False)
    assert (store.folder / "runs.csv").read_text() == text


def test_a_row_that_cannot_be_written_is_no_run(store: StudyStore) -> None:
    save(store, record(4, 1))
    with pytest.raises(StoreError):
        save(store, record(4, 1))
    assert len(store.records()) == 1


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    database = Database(f"sqlite:///{tmp_path / 'studies.db'}")
    store = StudyStore(database, tmp_path / "file", "s")
    for attempt in (store.lock, lambda: store.create(STUDY), lambda: store.run_directory("x")):
        with pytest.raises(StoreError, match=r"cannot (write|write to|make) .*: Not a directory"):
            attempt()
    assert database.studies() == ()  # files first: no row without its files
    database.close()


# --- tables ---------------------------------------------------------------------------------------------


def test_requests_come_back_as_they_were(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 5000
    latency = rng.exponential(300.0, n)
    latency[rng.random(n) < 0.01] = np.nan
    original = dataclasses.replace(
        log(np.sort(rng.uniform(1e5, 1e5 + 30, n)), latency, failed=rng.random(n) < 0.1),
        client_late_ms=np.where(rng.random(n) < 0.1, np.nan, rng.exponential(1.0, n)),
    )
    tables.write_requests(tmp_path / "r.parquet", original)
    again = read_requests(tmp_path / "r.parquet")
    for field in dataclasses.fields(RequestLog):
        before, after = getattr(original, field.name), getattr(again, field.name)
        np.testing.assert_array_equal(before, after)
        if isinstance(before, np.ndarray):
            assert before.dtype == after.dtype


def test_an_empty_log_comes_back(tmp_path: Path) -> None:
    tables.write_requests(tmp_path / "r.parquet", log([], []))
    assert len(read_requests(tmp_path / "r.parquet").started_s) == 0


def test_telemetry_comes_back_and_what_is_unavailable_is_null(tmp_path: Path) -> None:
    samples = tuple(
        dataclasses.replace(
            SAMPLE, at_s=float(second), server_voluntary_switches=2**53 + second, client_cpu_s=1.5,
            cgroup_throttled_periods=3 if second else None,
            client_process_cpu_s=((10, 0.5), (12, float(second))) if second else None,
        )
        for second in range(3)
    )  # fmt: skip
    tables.write_telemetry(tmp_path / "t.parquet", samples)
    frame = tables.read_table(tmp_path / "t.parquet")
    assert list(frame.columns) == [field.name for field in dataclasses.fields(SAMPLE)]
    assert frame["at_s"].tolist() == [0.0, 1.0, 2.0]
    assert frame["server_voluntary_switches"].tolist() == [2**53, 2**53 + 1, 2**53 + 2]
    assert frame["cgroup_throttled_periods"].isna().tolist() == [True, False, False]
    assert frame["server_run_delay_s"].isna().all()
    assert frame["client_process_cpu_s"][0] is None
    assert [list(pair) for pair in frame["client_process_cpu_s"][2]] == [[10, 0.5], [12, 2.0]]


# --- other processes ------------------------------------------------------------------------------------

HOLD = """
import sys
from pathlib import Path
from sweeper.store.database import Database
from sweeper.store.study_store import StudyStore
folder = Path(sys.argv[1])
store = StudyStore(Database(f"sqlite:///{folder / 'studies.db'}"), folder, "s")
store.lock()
print("locked", flush=True)
sys.stdin.read()
"""

SAVE = """
import sys
from pathlib import Path
from sweeper.store.database import Database
from sweeper.store.study_store import StudyStore
from tests.support.builders import SAMPLE, record
from tests.support.stored import REQUESTS
folder = Path(sys.argv[1])
store = StudyStore(Database(f"sqlite:///{folder / 'studies.db'}"), folder, "s")
store.lock()
for block in range(int(sys.argv[2]), 10_000):
    run = record(4, block)
    store.run_directory(run.plan.run_id)
    store.save(run, REQUESTS, (SAMPLE,))
    print(block, flush=True)
"""


def spawn(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_study_is_run_by_one_sweeper_at_a_time(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'studies.db'}")
    store = StudyStore(database, tmp_path, "s")
    holder = spawn(HOLD, tmp_path)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "locked\n"
        with pytest.raises(UsageError, match="study 's' is being run by another sweeper"):
            store.lock()
        StudyStore(database, tmp_path, "other").lock()
    finally:
        holder.kill()
        holder.communicate()
    store.lock()  # a killed holder holds nothing
    store.close()
    store.close()
    database.close()


def test_a_database_that_another_program_locks_for_a_while_is_waited_for(store: StudyStore) -> None:
    """A backup or VACUUM takes longer than the usual five or ten seconds."""
    before = len(store.records())
    other = sqlite3.connect(store.folder.parent / "studies.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(11.0, other.rollback)
    release.start()
    run = record(4, 77)
    store.run_directory(run.plan.run_id)
    store.save(run, REQUESTS, (SAMPLE,))
    release.join()
    other.close()
    assert len(store.records()) == before + 1


def test_kill_9_leaves_exactly_the_runs_that_were_acknowledged_or_one_more(
    tmp_path: Path, store: StudyStore
) -> None:
    store.close()
    acknowledged = 0
    for patience in (1, 3, 7):
        saver = spawn(SAVE, tmp_path, len(store.records()) + 1)
        assert saver.stdout is not None
        for _ in range(patience):
            acknowledged = int(saver.stdout.readline())
        os.kill(saver.pid, signal.SIGKILL)
        acknowledged = max([acknowledged, *map(int, saver.stdout.read().split())])
        saver.wait()
        blocks = [item.plan.block for item in store.records()]
        assert blocks in (list(range(1, acknowledged + 1)), list(range(1, acknowledged + 2)))
        for item in store.records():
            folder = store.folder / "runs" / item.plan.run_id
            again = read_requests(folder / "requests.parquet")
            assert len(again.started_s) == 3
            assert len(tables.read_table(folder / "telemetry.parquet")) == 1
        csv_rows = (store.folder / "runs.csv").read_text().splitlines()
        assert len(csv_rows) - 1 in (len(blocks), len(blocks) - 1)
