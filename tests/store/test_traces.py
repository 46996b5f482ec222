"""A run's files as what is drawn of them; what cannot be read is named, and hides nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sweeper.records.run
from sweeper.errors import StoreError
from sweeper.store.database import Database
from sweeper.store.parquet import read_columns, read_traces
from tests.support.builders import failed
from tests.support.simulated import GRID, script, simulate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("studies"), "checkout", GRID, script(), "2026-01-01T10:00:00Z")


def records(folder: Path) -> tuple[sweeper.records.run.RunRecord, ...]:
    database = Database(f"sqlite:///{folder.parent / 'studies.db'}", create=False)
    try:
        return database.runs(folder.name)
    finally:
        database.close()


def test_the_traces_say_what_the_figures_say(folder: Path) -> None:
    recorded = records(folder)
    found, absent = read_traces(folder, [*recorded, failed(4, 99)])
    assert absent == {} and set(found) == {record.plan.run_id for record in recorded}
    for record in recorded:
        figures, trace = record.figures, found[record.plan.run_id]
        assert figures is not None
        at = dict(zip(np.round(trace.shares, 6), trace.latency_ms, strict=True))
        assert (at[0.5], at[0.95], at[0.99]) == (
            figures.latency.p50_ms, figures.latency.p95_ms, figures.latency.p99_ms,
        )  # fmt: skip
        assert (trace.requests, trace.never_finished) == (figures.latency.samples, figures.latency.censored)
        answered = figures.completed - figures.failed
        assert trace.rps[trace.at_s > 0].mean() == pytest.approx(answered / figures.window_s, rel=0.02)
        assert trace.warmup_s == pytest.approx(figures.warmup_s)


def test_what_is_missing_or_damaged_is_named(folder: Path, tmp_path: Path) -> None:
    first, second, third, fourth, *rest = records(folder)
    odd = tmp_path / "checkout"
    for record in (first, second, third, fourth):
        directory = odd / "runs" / record.plan.run_id
        directory.mkdir(parents=True)
        for name in ("requests.parquet", "telemetry.parquet"):
            source = folder / "runs" / record.plan.run_id / name
            (directory / name).write_bytes(source.read_bytes())
    (odd / "runs" / second.plan.run_id / "requests.parquet").write_bytes(b"PAR1 torn")
    telemetry = odd / "runs" / third.plan.run_id / "telemetry.parquet"
    pd.read_parquet(telemetry).iloc[:1].to_parquet(telemetry)
    requests = odd / "runs" / fourth.plan.run_id / "requests.parquet"
    pd.read_parquet(requests).drop(columns="failed").to_parquet(requests)
    found, absent = read_traces(odd, (first, second, third, fourth, rest[0]))
    assert list(found) == [first.plan.run_id]
    assert "cannot be read" in absent[second.plan.run_id]
    assert "fewer than two samples" in absent[third.plan.run_id]
    assert "no column failed" in absent[fourth.plan.run_id]
    assert "on the host that made the run" in absent[rest[0].plan.run_id]


def test_only_the_columns_that_were_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    pd.DataFrame({"a": [1, 2], "b": [0.5, None]}).to_parquet(file)
    b, a = read_columns(file, ("b", "a"))
    assert a.tolist() == [1, 2] and b[0] == 0.5 and np.isnan(b[1])
    with pytest.raises(StoreError, match="no column c"):
        read_columns(file, ("a", "c"))
    with pytest.raises(StoreError, match=r"there is no .*absent"):
        read_columns(tmp_path / "absent.parquet", ("a",))
