"""From the raw requests of a run to what is drawn of them, in a bounded number of points."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sweeper.records.observations import RunTrace
from sweeper.records.run import FloatArray, Window

MOST_BINS = 150
FEWEST_BIN_S = 1.0
NEARLY = 0.02  # of a bin: a window of 10 s may be 9.998 s long
SHARES: FloatArray = np.concatenate(
    [np.linspace(0.01, 0.98, 98), 1 - np.logspace(-2, -6, 81)]  # every hundredth, then a tail in decades
)
"""Where the distribution of latencies is looked at; 0.5, 0.9, 0.99, 0.999 and so on are among them."""


def trace(
    run_id: str,
    started_s: FloatArray,
    latency_ms: FloatArray,
    failed: NDArray[np.bool_],
    window: Window,
    users_on_s: float,
) -> RunTrace:
    """Arrays of shape (n,), one element per request; `latency_ms` is NaN where one never finished."""
    inside = latency_ms[(started_s >= window.start_s) & (started_s < window.end_s)]
    warmup_s = window.start_s - users_on_s
    bin_s = max(FEWEST_BIN_S, (warmup_s + window.duration_s) / MOST_BINS)
    edges = bin_edges(warmup_s, window.duration_s, bin_s)
    rps, mean_ms = _series(started_s, latency_ms, failed, window.start_s + edges[0], bin_s, len(edges) - 1)
    return RunTrace(
        run_id=run_id,
        warmup_s=warmup_s,
        window_s=window.duration_s,
        bin_s=bin_s,
        at_s=(edges[:-1] + edges[1:]) / 2,
        rps=rps,
        mean_latency_ms=mean_ms,
        shares=SHARES,
        latency_ms=quantiles(inside, SHARES),
        requests=len(inside),
        never_finished=int(np.isnan(inside).sum()),
    )


def bin_edges(before_s: float, after_s: float, bin_s: float) -> FloatArray:
    """Whole bins (or nearly so) from `before_s` before 0 to `after_s` after it, one beginning at 0."""
    first, last = -math.floor(before_s / bin_s + NEARLY), math.floor(after_s / bin_s + NEARLY)
    edges: FloatArray = np.arange(first, max(last, first + 1) + 1, dtype=float) * bin_s
    return edges


def quantiles(values: FloatArray, shares: FloatArray) -> FloatArray:
    """Nearest-rank percentiles as in figures.py, but of many shares at once: NaN where fewer than one
    value is beyond the share, and where it falls among values that are NaN, which count as the largest."""
    found = np.full(len(shares), np.nan)
    if len(values) == 0:
        return found
    ordered = np.sort(values)
    ranks = np.ceil(shares * len(ordered) - 1e-9).astype(int)
    known = (1 - shares) * len(ordered) >= 1 - 1e-9
    found[known] = ordered[np.maximum(ranks[known], 1) - 1]
    return found


def _series(
    started_s: FloatArray,
    latency_ms: FloatArray,
    failed: NDArray[np.bool_],
    first_s: float,
    bin_s: float,
    bins: int,
) -> tuple[FloatArray, FloatArray]:
    place = np.floor((started_s + latency_ms / 1000.0 - first_s) / bin_s)
    inside = (place >= 0) & (place < bins)  # not so where it is NaN
    index, well = place[inside].astype(np.intp), ~failed[inside]
    finished = np.bincount(index, minlength=bins).astype(float)
    answered = np.bincount(index[well], minlength=bins)
    sums = np.bincount(index, weights=latency_ms[inside], minlength=bins)
    mean_ms = np.divide(sums, finished, out=np.full(bins, np.nan), where=finished > 0)
    return answered / bin_s, mean_ms
