"""A recorded study of several loads, drawn by hand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from sweeper.records.run import RunRecord
from sweeper.settings.command_settings import GridSettings
from sweeper.study.planning import plan_of
from sweeper.study.sharing import OneHost
from sweeper.study.study_state import next_claim
from tests.support.builders import figures, record
from tests.support.fakes import MemoryStore
from tests.support.recorded import MACHINE

TWO: dict[float, dict[int, float]] = {
    10.0: {1: 25.0, 4: 28.0, 8: 28.0},
    80.0: {1: 24.0, 4: 98.0, 8: 98.0},
}
"""Requests/s by load and workers: 4 is the answer."""
APART: dict[float, dict[int, float]] = {
    10.0: {1: 30.0, 4: 24.0, 8: 20.0},
    80.0: {1: 24.0, 4: 98.0, 8: 98.0},
}
"""Under 10 users 1 is the answer, under 80 it is 4."""


def chosen(**more: object) -> GridSettings:
    return GridSettings.model_validate({"model": "xgboost", "workers": "1,4,8", "users": "10,80", **more})


def drawn_under(
    truths: Mapping[float, Mapping[int, float]], settings: GridSettings | None = None, *, seed: int = 0
) -> tuple[RunRecord, ...]:
    """The runs of such a grid until the planned looks stop it."""
    plan, store, rng = plan_of("s", settings or chosen(), MACHINE), MemoryStore(), np.random.default_rng(seed)
    host = OneHost(store)
    while (claim := host.take(lambda seen: next_claim(plan, "", seen))) is not None:  # type: ignore[arg-type]
        for run in host.seen().missing(claim):
            assert run.load is not None
            workers = run.configuration.workers
            speed = truths[run.load][workers] * math.exp(rng.normal(0, 0.01))
            found = figures(
                rps=speed, p99_ms=run.load * 8000 / speed, p50_ms=run.load * 5000 / speed,
                mean_ms=run.load * 5000 / speed, max_concurrency=workers, pool_workers=workers,
            )  # fmt: skip
            store.save(dataclasses.replace(record(workers, run.block, found), plan=run), None, ())
    return tuple(store.saved)
