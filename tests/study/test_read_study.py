"""`sweeper.load_study`: a recorded study as tables of the right types, or one sentence why not."""

from __future__ import annotations

import dataclasses
import sqlite3
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import sweeper
from sweeper.errors import StoreError, UsageError
from sweeper.records.answer import Status
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Verdict
from sweeper.settings.command_settings import OptimizeSettings
from sweeper.store.data_frames import runs_frame, together, trials_frame
from tests.support.builders import figures, finding, record
from tests.support.fakes import MemoryStore
from tests.support.optimizations import optimized, peak
from tests.support.recorded import MACHINE, drawn, keep

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grid with one failed run more than the study would have made: its place was block 99."""
    odd = record(4, 99, verdict=Verdict.FAILED, findings=[finding("steal"), finding("drift")])
    return keep(tmp_path_factory.mktemp("studies"), "grid", [*drawn(), odd])


def test_a_study_comes_back_as_it_was_recorded(folder: Path) -> None:
    data = sweeper.load_study(folder)
    assert (data.name, data.folder, data.environment) == ("grid", folder, MACHINE)
    assert data.settings["window"] == "10s"
    assert data.recommendation.status is Status.RECOMMENDED
    assert data.recommendation.workers == 8
    assert len(data.runs) == len(drawn()) + 1
    first = drawn()[0]
    row = data.runs.iloc[0]
    assert row["run_id"] == first.plan.run_id
    assert first.figures is not None
    assert row["rps"] == first.figures.rps
    assert row["latency_p99_ms"] == first.figures.latency.p99_ms
    assert data.trials.empty and "on_front" in data.trials
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "other"  # type: ignore[misc]


def test_types_allow_for_what_is_unavailable(folder: Path) -> None:
    runs = sweeper.load_study(str(folder)).runs
    kinds = {name: str(kind) for name, kind in runs.dtypes.items()}
    assert kinds["started_at"].startswith("datetime64") and kinds["started_at"].endswith("UTC]")
    assert {kinds[name] for name in ("workers", "block", "completed", "server_processes", "processes")} == {
        "Int64"
    }
    assert {kinds[name] for name in ("rps", "host_pressure_share", "arrivals_per_s")} == {"Float64"}
    assert {kinds[name] for name in ("sentinel", "search")} == {"boolean"}
    assert {kinds[name] for name in ("run_id", "verdict", "findings", "parameters")} == {"string"}
    failed = runs.iloc[-1]
    assert (failed["verdict"], failed["findings"], failed["processes"]) == ("failed", "steal drift", 1)
    assert failed["rps"] is pd.NA and failed["server_processes"] is pd.NA
    assert runs["host_pressure_share"].isna().all()


def test_the_runs_are_those_of_runs_csv(folder: Path) -> None:
    runs = sweeper.load_study(folder).runs
    written = pd.read_csv(folder / "runs.csv")
    assert list(runs.columns) == list(written.columns)
    assert runs["rps"].to_numpy(float, na_value=-1).tolist() == written["rps"].fillna(-1).tolist()


def test_no_runs_yet_has_the_same_columns() -> None:
    assert runs_frame([]).dtypes.equals(runs_frame([record(4, 1)]).dtypes)


def test_processes_are_those_of_the_configuration() -> None:
    """The server's own count stands beside it: a gunicorn has one process more than it was told."""
    run = record(4, 1, figures(processes=3))
    plan = dataclasses.replace(run.plan, configuration=Configuration(4, 1, 2))
    row = runs_frame([dataclasses.replace(run, plan=plan)]).iloc[0]
    assert (row["processes"], row["server_processes"]) == (2, 3)


def test_the_candidates_are_those_of_the_answer(folder: Path) -> None:
    data = sweeper.load_study(folder)
    table = data.candidates.set_index("workers")
    assert table.index.tolist() == [1, 4, 8, 16, 32]
    assert table["answer"].tolist() == [False, False, True, False, False]
    for candidate in data.recommendation.candidates:
        row = table.loc[candidate.configuration.workers]
        assert candidate.rps is not None
        assert (row["rps"], row["rps_low"], row["rps_high"]) == dataclasses.astuple(candidate.rps)
        assert row["latency_p99_ms"] == candidate.latency_ms["p99"].mean
        assert row["peak_rss_bytes"] == candidate.rss_bytes
        assert row["runs"] == candidate.runs
    assert table["eliminated_after"].dtype == "Int64"


def test_requests_and_telemetry_come_from_the_runs_own_files(folder: Path) -> None:
    data = sweeper.load_study(folder)
    run_id = drawn()[0].plan.run_id
    requests = data.requests(run_id)
    assert requests["latency_ms"].isna().tolist() == [False, True, False]
    assert {name: str(kind) for name, kind in requests.dtypes.items()} == {
        "started_s": "Float64", "latency_ms": "Float64", "status": "Int64", "response_bytes": "Int64",
        "failed": "boolean", "client_late_ms": "Float64",
    }  # fmt: skip
    telemetry = data.telemetry(run_id)
    assert telemetry["server_threads"].tolist() == [10]
    assert str(telemetry["cgroup_throttled_periods"].dtype) == "Int64"
    both = together({"a": requests, "b": requests})
    assert both.columns[0] == "run_id"
    assert both["run_id"].tolist() == ["a"] * 3 + ["b"] * 3


def test_what_is_missing_or_damaged_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    data = sweeper.load_study(folder)
    with pytest.raises(UsageError, match="study 'grid' has no run 'b77'; its runs are b01-01-w"):
        data.requests("b77")
    with pytest.raises(StoreError, match=r"there is no .*requests\.parquet"):
        data.requests("b99-00-w4")  # failed: it never had any
    keep(tmp_path, "other", drawn()[:2])
    run_id = drawn()[0].plan.run_id
    file = tmp_path / "other" / "runs" / run_id / "requests.parquet"
    damaged = sweeper.load_study(tmp_path / "other")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(StoreError, match=r"requests\.parquet of run .* cannot be read") as caught:
        damaged.requests(run_id)
    assert "\n" not in str(caught.value)
    pd.DataFrame({"started_s": [1.0]}).to_parquet(file)
    with pytest.raises(StoreError, match=r"is damaged \(no column latency_ms\): bring it back"):
        damaged.requests(run_id)


def test_a_study_that_is_not_there_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no study folder .*nowhere"):
        sweeper.load_study(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no study yet"):
        sweeper.load_study(tmp_path / "empty")
    (folder.parent / "stranger").mkdir(exist_ok=True)
    with pytest.raises(UsageError, match=r"there is no study 'stranger' in .*; the newest there: grid"):
        sweeper.load_study(folder.parent / "stranger")


def test_the_database_may_be_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    kept = keep(tmp_path / "here", "s", drawn()[:6], complete=False)
    (tmp_path / "here" / "studies.db").rename(tmp_path / "moved.db")
    with pytest.raises(UsageError, match=r"here/studies.db does not have its runs: name the database"):
        sweeper.load_study(kept)
    data = sweeper.load_study(kept, storage=f"sqlite:///{tmp_path / 'moved.db'}")
    assert len(data.runs) == 6
    assert not data.recommendation.complete


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE sweeper_schema SET version = 99", "has schema version 99"),
        ("UPDATE sweeper_runs SET figures = '{'", "run .* of study 's' is damaged"),
        ("UPDATE sweeper_runs SET figures = '{\"latency\": {}}'", "run .* of study 's' is damaged"),
        ("UPDATE sweeper_runs SET verdict = 'splendid'", "run .* of study 's' is damaged: .*splendid"),
        ("UPDATE sweeper_studies SET settings = 'users'", "study 's' is damaged in the database"),
        ("UPDATE sweeper_studies SET settings = '{\"users\": 0}'", "settings this sweeper does not know"),
    ],
)
def test_a_damaged_database_is_one_sentence(statement: str, says: str, tmp_path: Path) -> None:
    kept = keep(tmp_path, "s", drawn()[:6])
    with sqlite3.connect(tmp_path / "studies.db") as raw:
        raw.execute(statement)
    raw.close()
    with pytest.raises((StoreError, UsageError), match=says) as caught:
        sweeper.load_study(kept)
    assert "\n" not in str(caught.value)


def test_a_searchs_trials(tmp_path: Path) -> None:
    store = MemoryStore()
    answer, *_ = optimized(peak(), store=store)
    settings = OptimizeSettings.model_validate({"model": "xgboost", "trials": 12})
    data = sweeper.load_study(keep(tmp_path, "search", store.saved, settings))
    assert data.recommendation.configuration == answer.configuration
    assert answer.search is not None
    assert data.trials["number"].tolist() == [trial.number for trial in answer.search.trials]
    assert data.trials["rps"].tolist() == pytest.approx([trial.values[0] for trial in answer.search.trials])
    finalists = data.trials.loc[data.trials["finalist"], "workers"]
    assert sorted(finalists) == sorted(data.candidates["workers"])
    assert data.trials["on_front"].sum() == len(answer.search.front)
    assert set(data.runs.loc[data.runs["search"], "run_id"]) == {
        run.plan.run_id for run in store.saved if run.plan.search
    }


def test_further_parameters_are_columns() -> None:
    answer, *_ = optimized(peak())
    assert answer.search is not None
    first, second, *rest = answer.search.trials
    tuned = (
        dataclasses.replace(
            first, configuration=Configuration(4, parameters=(("DEPTH", 8), ("LOOP", "auto")))
        ),
        dataclasses.replace(second, configuration=Configuration(4, parameters=(("DEPTH", 32),))),
    )
    frame = trials_frame(dataclasses.replace(answer.search, trials=(*tuned, *rest)))
    assert list(frame.columns[:6]) == ["number", "workers", "model_threads", "processes", "DEPTH", "LOOP"]
    assert frame["DEPTH"].tolist()[:2] == [8, 32] and str(frame["DEPTH"].dtype) == "Int64"
    assert frame["LOOP"].tolist()[0] == "auto" and frame["LOOP"].isna().tolist()[1]


PROGRAM = """
import sys
import sweeper
early = {"pandas", "sqlalchemy", "numpy", "pydantic"} & set(sys.modules)
assert not early, early
sweeper.load_study
late = {"sweeper.server", "fastapi", "uvicorn", "locust", "xgboost", "sklearn", "typer"} & set(sys.modules)
assert not late, late
try:
    sweeper.load_studies
except AttributeError as error:
    assert "load_studies" in str(error)
else:
    raise AssertionError
"""


def test_importing_sweeper_imports_next_to_nothing() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, check=True)
