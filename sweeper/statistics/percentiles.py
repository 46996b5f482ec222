"""Exact percentiles of raw latencies, honest about requests that never finished."""

from __future__ import annotations

import numpy as np

from sweeper.records import FloatArray, LatencyFigures


def percentile(sorted_values: FloatArray, share: float) -> float:
    """Nearest-rank percentile: the smallest value with at least `share` of the sample at or below it.

    `sorted_values` has shape (n,), n >= 1, ascending; `share` is in (0, 1]. It is always a value that
    was observed, never an interpolation and never above the maximum.
    """
    # The epsilon keeps ranks exact where share * n is a whole number but for rounding (0.99 * 100).
    rank = int(np.ceil(share * len(sorted_values) - 1e-9))
    return float(sorted_values[min(max(rank, 1), len(sorted_values)) - 1])


def latency_figures(latency_ms: FloatArray, waited_ms: FloatArray) -> LatencyFigures | None:
    """Figures of requests *started* in a window; None when there was none.

    Both arrays have shape (n,). `latency_ms` is NaN where a request never finished; `waited_ms` says how
    long that one had been waiting when the load generator ended: its latency is at least that, so the
    percentiles that reach into the censored ones are lower bounds.
    """
    if len(latency_ms) == 0:
        return None
    unfinished = np.isnan(latency_ms)
    values = np.sort(np.where(unfinished, waited_ms, latency_ms))
    return LatencyFigures(
        mean_ms=float(values.mean()),
        p50_ms=percentile(values, 0.50),
        p95_ms=percentile(values, 0.95),
        p99_ms=percentile(values, 0.99),
        max_ms=float(values[-1]),
        samples=len(values),
        censored=int(unfinished.sum()),
    )
