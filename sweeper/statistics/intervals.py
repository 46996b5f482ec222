"""Confidence limits: of one configuration's figure over its runs, and of contrasts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import stats

from sweeper.records.answer import Interval
from sweeper.records.run import BlockKey

LOG_LIMIT = 300.0  # beyond exp(300) a limit says nothing, and soon overflows


def by_block(values: Sequence[float], blocks: Sequence[BlockKey]) -> list[float]:
    """Geometric mean of the figures of each block, in order of block; 0 where one of them is 0 or less.

    Two runs of one configuration in one block share the state of the host: limits computed as if they were
    independent are too narrow (simulated with a drift of 8%: "95%" limits that hold in 80%).
    """
    own: dict[BlockKey, list[float]] = {}
    for value, block in zip(values, blocks, strict=True):
        own.setdefault(block, []).append(value)
    return [_geometric_mean(own[block]) for block in sorted(own)]


def _geometric_mean(values: Sequence[float]) -> float:
    if len(values) == 1 or min(values) <= 0:
        return max(min(values), 0.0)
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))


def over_runs(values: Sequence[float], confidence: float) -> Interval | None:
    """Geometric mean of positive figures over runs with a two-sided t interval on the log scale.

    The run is the unit: latencies within a run are too strongly correlated to count; of
    several runs in one block give the mean (`by_block`). One run gives a mean without limits, and so do
    runs so far apart that the limits leave all bounds; no run, or a figure of 0 or less, gives None.
    """
    if not values or min(values) <= 0:
        return None
    logs = np.log(np.asarray(values, dtype=float))
    mean = float(logs.mean())
    if len(logs) < 2:
        return Interval(math.exp(mean), None, None)
    half = _t((1 - confidence) / 2, len(logs) - 1) * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    if abs(mean) + half > LOG_LIMIT:
        return Interval(math.exp(mean), None, None)
    return Interval(float(np.exp(mean)), math.exp(mean - half), math.exp(mean + half))


def one_sided_upper(values: Sequence[float], error: float) -> float:
    """Upper limit for the geometric mean of positive figures, wrong with probability `error`.

    Infinite with fewer than two values, or where one of them is 0 or less.
    """
    return _exp(_one_sided(values, error)) if len(values) and min(values) > 0 else math.inf


def one_sided_lower(values: Sequence[float], error: float) -> float:
    """Lower limit, the mirror of `one_sided_upper`; 0 where that is infinite."""
    if not len(values) or min(values) <= 0:
        return 0.0
    return _exp(-_one_sided([1 / value for value in values], error))


def _one_sided(positive: Sequence[float], error: float) -> float:
    """Upper limit of the mean log."""
    if len(positive) < 2:
        return math.inf
    logs = np.log(np.asarray(positive, dtype=float))
    return float(logs.mean() + _t(error, len(logs) - 1) * logs.std(ddof=1) / math.sqrt(len(logs)))


def _exp(value: float) -> float:
    return math.exp(value) if value <= LOG_LIMIT else math.inf


def contrast_quantile(error: float, comparisons: int, degrees_of_freedom: float) -> float:
    """How many standard errors a one-sided limit lies from its estimate, over `comparisons` at once."""
    if degrees_of_freedom < 1:
        return math.inf
    return _t(error / max(comparisons, 1), degrees_of_freedom)


@lru_cache(maxsize=4096)
def _t(error: float, degrees_of_freedom: float) -> float:
    return float(stats.t.ppf(1 - error, degrees_of_freedom))
