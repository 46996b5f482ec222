"""What is drawn of runs (RunTrace), to and from plain JSON values: a packed study has this of each run in
place of its requests, which take a hundred times as much room."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from sweeper.records.observations import RunTrace
from sweeper.records.run import FloatArray
from sweeper.store import row_values as values

MOST_POINTS = 1000  # of a line that is drawn


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    """None is what is NaN in the record."""

    run_id: str
    warmup_s: float
    window_s: float
    bin_s: float
    at_s: list[float]
    rps: list[float]
    mean_latency_ms: list[float | None]
    shares: list[float]
    latency_ms: list[float | None]
    requests: int
    never_finished: int


_ROW = TypeAdapter(_Row)


def row_of_trace(trace: RunTrace) -> dict[str, Any]:
    fields = {field.name: getattr(trace, field.name) for field in dataclasses.fields(RunTrace)}
    return {name: _plain(value) if isinstance(value, np.ndarray) else value for name, value in fields.items()}


def _plain(values_: FloatArray) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values_.tolist()]


def checked_trace(row: object) -> RunTrace:
    """Raises ValueError for what is no such row."""
    try:
        found = _ROW.validate_json(values.json_text(row), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"picture of a run, {where}: {first['msg']}") from None
    bins, points = len(found.at_s), len(found.shares)
    if (len(found.rps), len(found.mean_latency_ms), len(found.latency_ms)) != (bins, bins, points):
        raise ValueError("picture of a run: its lines have different numbers of points")
    if max(bins, points) > MOST_POINTS:
        raise ValueError(f"picture of a run: a line has more than {MOST_POINTS} points")
    for name in ("at_s", "rps", "mean_latency_ms", "shares", "latency_ms"):
        values.finite([value for value in getattr(found, name) if value is not None], name)
    for name in ("rps", "mean_latency_ms", "shares", "latency_ms"):
        if any(value is not None and value < 0 for value in getattr(found, name)):
            raise ValueError(f"picture of a run, {name}: a figure is below 0")
    if any(share > 1 for share in found.shares):
        raise ValueError("picture of a run, shares: one is above 1")
    return RunTrace(
        run_id=values.name(found.run_id, "run_id"),
        warmup_s=values.number(found.warmup_s, "warmup_s"),
        window_s=values.number(found.window_s, "window_s"),
        bin_s=values.number(found.bin_s, "bin_s"),
        at_s=_array(found.at_s),
        rps=_array(found.rps),
        mean_latency_ms=_array(found.mean_latency_ms),
        shares=_array(found.shares),
        latency_ms=_array(found.latency_ms),
        requests=values.whole(found.requests, "requests", 0, 10**12),
        never_finished=values.whole(found.never_finished, "never_finished", 0, 10**12),
    )


def _array(values_: list[float] | list[float | None]) -> FloatArray:
    return np.array([math.nan if value is None else value for value in values_], dtype=float)
