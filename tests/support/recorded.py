"""Studies on disk as sweeper leaves them, with runs drawn by hand: for what only reads."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sweeper.records.run import RunFigures, RunRecord
from sweeper.settings.command_settings import GridSettings
from sweeper.settings.study_settings import StudySettings
from sweeper.store.database import Database, StoredStudy
from sweeper.store.database_url import sqlite_url
from sweeper.store.study_store import StudyStore
from tests.support.builders import SAMPLE, figures, log
from tests.support.simulation.studies import WORKERS, study

MACHINE: dict[str, Any] = {
    "cpu_model": "Abacus 9", "cores": 4, "kernel": "6.1.0", "python": "CPython 3.11.7",
    "packages": {"numpy": "2.4.6", "xgboost": "3.2.0"}, "hashes": {"model": "a" * 64, "data": "b" * 64},
    "placement": {"server_cpus": [0, 1, 2], "load_cpus": [3], "shared": False},
}  # fmt: skip
PEAK = {1: 60.0, 4: 118.0, 8: 140.0, 16: 120.0, 32: 100.0}
"""Requests/s by workers: 8 is the answer."""


def drawn(
    rps: dict[int, float] | None = None, *, deviation: float = 0.01, drift: float = 0.03, seed: int = 0
) -> tuple[RunRecord, ...]:
    """The runs of a default grid until the planned looks stop it; p99 and CPU follow throughput."""
    levels, rng = rps or PEAK, np.random.default_rng(seed)
    hosts: dict[int, float] = {}

    def measure(position: int, block: int) -> RunFigures:
        host = hosts.setdefault(block, float(rng.normal(0, drift)))
        workers = WORKERS[position]
        speed = levels[workers] * math.exp(host + rng.normal(0, deviation))
        return figures(
            rps=speed, p99_ms=84_000 / speed, p50_ms=54_600 / speed, mean_ms=56_000 / speed,
            cpu_ms_per_request=980 / speed, max_concurrency=workers, pool_workers=workers,
        )  # fmt: skip

    return study(measure).records


def keep(
    folder: Path,
    name: str,
    records: Iterable[RunRecord],
    settings: StudySettings | None = None,
    *,
    environment: dict[str, Any] | None = None,
    created_at: str = "2026-01-01T10:00:00Z",
    complete: bool = True,
) -> Path:
    """Write a study into `folder` and return its own."""
    database = Database(sqlite_url(folder / "studies.db"))
    store = StudyStore(database, folder, name)
    try:
        plain = (settings or GridSettings.model_validate({"model": "xgboost"})).plain()
        store.create(StoredStudy(name, created_at, plain, environment or MACHINE, False))
        for record in records:
            store.run_directory(record.plan.run_id)
            measured = record.figures is not None
            store.save(record, log([1.0, 2.0, 2.5], [10.0, np.nan, 30.0]) if measured else None, (SAMPLE,))
        if complete:
            database.mark_complete(name)
    finally:
        database.close()
    return store.folder
