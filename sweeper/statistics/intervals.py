"""Confidence limits: of one configuration's figure over its runs, and of contrasts at planned looks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from sweeper.records import Interval

ELIMINATION_SHARE = 0.1  # of the error budget, spent on dropping hopeless configurations after block 2


def over_runs(values: Sequence[float], confidence: float) -> Interval | None:
    """Geometric mean of positive figures over runs with a two-sided t interval on the log scale.

    The run is the unit: latencies within a run are too strongly correlated to count (protocol.md). One
    run gives a mean without limits; no run, or a figure of 0 or less, gives None.
    """
    if not values or min(values) <= 0:
        return None
    logs = np.log(np.asarray(values, dtype=float))
    mean = float(logs.mean())
    if len(logs) < 2:
        return Interval(float(np.exp(mean)), None, None)
    half = float(stats.t.ppf(0.5 + confidence / 2, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs)))
    return Interval(float(np.exp(mean)), float(np.exp(mean - half)), float(np.exp(mean + half)))


def one_sided_upper(values: Sequence[float], error: float) -> float:
    """Upper limit for the geometric mean of positive figures, wrong with probability `error`.

    Infinite with fewer than two values.
    """
    if len(values) < 2:
        return float("inf")
    logs = np.log(np.asarray(values, dtype=float))
    half = stats.t.ppf(1 - error, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs))
    return float(np.exp(logs.mean() + half))


def one_sided_lower(values: Sequence[float], error: float) -> float:
    """Lower limit, the mirror of `one_sided_upper`; 0 with fewer than two values."""
    upper = one_sided_upper([1 / value for value in values], error)
    return 0.0 if np.isinf(upper) else 1 / upper


def look_error(confidence: float, looks: int, elimination: bool) -> float:
    """The error one look may make: the budget is shared by the planned looks (Bonferroni)."""
    budget = 1 - confidence
    return budget * ELIMINATION_SHARE if elimination else budget * (1 - ELIMINATION_SHARE) / looks


def contrast_quantile(error: float, comparisons: int, degrees_of_freedom: int) -> float:
    """How many standard errors a one-sided limit lies from its estimate, over `comparisons` at once."""
    if degrees_of_freedom < 1:
        return float("inf")
    return float(stats.t.ppf(1 - error / max(comparisons, 1), degrees_of_freedom))
