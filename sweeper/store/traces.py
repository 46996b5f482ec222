"""Reads of a run's files what is drawn of it: the columns it takes, one run at a time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from sweeper.errors import StoreError
from sweeper.records import RunFigures, RunRecord, Window
from sweeper.statistics.trace import trace
from sweeper.store.tables import read_columns
from sweeper.traces import RunTrace


def read_traces(folder: Path, records: Iterable[RunRecord]) -> tuple[dict[str, RunTrace], dict[str, str]]:
    """Of the runs that have figures, by their id; and of those whose files cannot be read, why.

    `folder` is the study's. Files that are missing are nothing unusual: they stay on the host that made them.
    """
    found: dict[str, RunTrace] = {}
    absent: dict[str, str] = {}
    for record in records:
        if record.figures is None:
            continue
        run_id = record.plan.run_id
        try:
            found[run_id] = _read(folder / "runs" / run_id, run_id, record.figures)
        except StoreError as error:
            absent[run_id] = str(error)
    return found, absent


def _read(directory: Path, run_id: str, figures: RunFigures) -> RunTrace:
    requests = directory / "requests.parquet"
    started_s, latency_ms, failed = read_columns(requests, ("started_s", "latency_ms", "failed"))
    window = _window(directory / "telemetry.parquet", figures)
    try:
        return trace(
            run_id,
            started_s.astype(float, copy=False),
            latency_ms.astype(float, copy=False),
            failed.astype(bool, copy=False),
            window,
            window.start_s - figures.warmup_s,
        )
    except (TypeError, ValueError) as error:
        raise StoreError(f"{requests} is damaged: {error}") from error


def _window(path: Path, figures: RunFigures) -> Window:
    """It is the tail of what was sampled, from sample to sample (under_load.py)."""
    (at_s,) = read_columns(path, ("at_s",))
    if len(at_s) < 2:
        raise StoreError(f"{path} is damaged: it has fewer than two samples")
    end_s = float(at_s[-1])
    start_s = float(at_s[np.argmin(np.abs(at_s - (end_s - figures.window_s)))])
    if not start_s < end_s:
        raise StoreError(f"{path} is damaged: it does not cover the window")
    return Window(start_s, end_s)
