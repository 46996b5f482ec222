"""How much of a run's figures is the load generator's own doing, as a bound that widens the limits.

It reads an answer later than the kernel has it, because it waits for a core or is busy with other answers. In
an open loop it also sends later than a request was to arrive. Both are known of each request. A latency is
too long by what they add to it. In a closed loop each user asks again later by as much, so that the
throughput is too low by no more than their share of a user's cycle, which is the time from one request of a
user to the next. (It is too low by less where the server has a queue: then the user only waits elsewhere.)
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable

from sweeper.records.answer import Interval
from sweeper.records.run import Objective, RunFigures

OBJECTIVE_FIGURES = {
    Objective.THROUGHPUT: "rps",
    Objective.P99: "p99_ms",
    Objective.CAPACITY: "capacity_rps",
}
MOST = 0.99
"""A share above it is no bound: nothing would be left of the figure."""


def client_share(figures: RunFigures, name: str) -> float:
    """By what share of itself the figure `name` (as in `named_figures.FIGURES`) may be worse than the server
    deserves: `rps` and capacity too low, a latency too long. 0 for others, and where it is not known."""
    without = figures.latency_without_client
    if name == "rps":
        return min(figures.client_share_of_cycle or 0.0, MOST)
    if name == "capacity_rps":
        found = figures.capacity
        if found is None or not found.rps_without_client:
            return 0.0
        return min(max(1 - found.rps / found.rps_without_client, 0.0), MOST)
    if without is None or not hasattr(without, name):
        return 0.0
    whole, left = getattr(figures.latency, name), getattr(without, name)
    return min(max(1 - left / whole, 0.0), MOST) if whole > 0 else 0.0


def widened(ratio: Interval | None, name: str, first: float, second: float) -> Interval | None:
    """The limits of a ratio of two figures called `name`, wide enough for what the load generator took of the
    first and of the second one (`client_bound` of each)."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return ratio
    up, down = (first, second) if name in ("rps", "capacity_rps") else (second, first)
    return Interval(ratio.mean, ratio.low * math.exp(-down), ratio.high * math.exp(up))


def client_bound(runs: Iterable[RunFigures], name: str) -> float:
    """The same as a distance on the log scale, mean over `runs`; 0 where there are none."""
    bounds = [-math.log1p(-client_share(figures, name)) for figures in runs]
    return statistics.fmean(bounds) if bounds else 0.0
