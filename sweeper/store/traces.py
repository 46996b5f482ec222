"""Reads of a run's files what is drawn of it: the columns it takes, one run at a time."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from sweeper.errors import StoreError
from sweeper.records import RunFigures, RunRecord, Window
from sweeper.statistics.trace import trace
from sweeper.store.tables import damaged, read_columns
from sweeper.traces import RunTrace


def read_traces(folder: Path, records: Iterable[RunRecord]) -> tuple[dict[str, RunTrace], dict[str, str]]:
    """Of the runs that have figures, by their id; and of those whose files cannot be read, why.

    `folder` is the study's. Files that are missing are nothing unusual: they stay on the host that made them.
    """
    found: dict[str, RunTrace] = {}
    absent: dict[str, str] = {}
    measured = [(record.plan.run_id, record.figures) for record in records if record.figures is not None]

    def read(one: tuple[str, RunFigures]) -> RunTrace | StoreError:
        try:
            return _trace(folder / "runs" / one[0], *one)
        except StoreError as error:
            return error

    # Two at a time: decoding and sorting go on beside each other, and no more than two runs are in memory.
    with ThreadPoolExecutor(max_workers=2) as pool:
        for (run_id, _), seen in zip(measured, pool.map(read, measured), strict=True):
            if isinstance(seen, RunTrace):
                found[run_id] = seen
            else:
                absent[run_id] = str(seen)
    return found, absent


def _trace(directory: Path, run_id: str, figures: RunFigures) -> RunTrace:
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
        raise damaged(requests, error) from error


def _window(path: Path, figures: RunFigures) -> Window:
    """It is the tail of what was sampled, from sample to sample (under_load.py)."""
    (at_s,) = read_columns(path, ("at_s",))
    if len(at_s) < 2:
        raise damaged(path, "fewer than two samples")
    end_s = float(at_s[-1])
    start_s = float(at_s[np.argmin(np.abs(at_s - (end_s - figures.window_s)))])
    if not start_s < end_s:
        raise damaged(path, "it does not cover the window")
    return Window(start_s, end_s)
