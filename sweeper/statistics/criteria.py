"""What a study was planned to decide by, and the states its configurations can be in."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sweeper.records.run import Objective, RunFigures
from sweeper.statistics.alpha_spending import levels

ELIMINATION_SHARE = 0.1
"""Of the error budget, spent on dropping hopeless configurations after block 2."""


class CandidateState(StrEnum):
    ACCEPTABLE = "acceptable"
    EXCLUDED = "excluded"
    UNSETTLED = "unsettled"
    UNMEASURED = "unmeasured"  # given up: no run of it counts, while those of others do


@dataclass(frozen=True, slots=True)
class Rule:
    """What was planned before the first run."""

    objective: Objective = Objective.THROUGHPUT
    tolerance: float = 0.05  # share of the best that counts as as good
    confidence: float = 0.95
    looks: tuple[int, ...] = tuple(range(3, 15))  # the blocks after which the rule may stop
    slo_p99_ms: float | None = None  # None: none is set; with the capacity what it is the capacity within
    max_error_rate: float = 0.01  # as a share
    loads: int = 1  # under any of which a value may be excluded; each has its share of that error

    @property
    def limit_p99_ms(self) -> float | None:
        """What p99 may be at most; None: no limit, or the runs look for the rate that keeps it."""
        return None if self.objective is Objective.CAPACITY else self.slo_p99_ms

    @property
    def margin(self) -> float:
        """The tolerance on the log scale: how far below the best still counts as as good."""
        return -math.log(1 - self.tolerance)

    def level(self, share: float, after: int, *, elimination: bool = False) -> float:
        """The level of a one-sided limit that is read after block `after`, and that may spend `share` of what
        gaps may err over all looks. Where an SLO is set, half of the budget is for that."""
        return self._level(share if self.limit_p99_ms is None else share / 2, after, elimination)

    def slo_level(self, configurations: int, after: int, *, elimination: bool = False) -> float:
        """The same for one configuration's p99 against the SLO: each of them may be wrongly let in."""
        return self._level(0.5 / max(configurations, 1), after, elimination)

    def _level(self, share: float, after: int, elimination: bool) -> float:
        budget = 1 - self.confidence
        if elimination:
            return share * budget * ELIMINATION_SHARE
        # The last factor pays for shares that are handed on (docs/method/error-budget.md).
        of_all_looks = levels(share * budget * (1 - ELIMINATION_SHARE) / (1 + budget), self.looks)
        return of_all_looks[max(bisect_right(self.looks, after) - 1, 0)]


SIGN: Mapping[Objective, int] = {Objective.THROUGHPUT: 1, Objective.P99: -1, Objective.CAPACITY: 1}
"""1 where more is better, -1 where less is."""


def far_behind(gap: float, aims: Sequence[Objective]) -> str:
    """In words: `gap` (a log ratio, in each of what is aimed at) is how much the best is better, at least."""
    if tuple(aims) == (Objective.P99,):
        return f"its p99 is at least {math.expm1(gap):.0%} above the best"
    return f"at least {1 - math.exp(-gap):.0%} behind the best"


def in_unit(figures: RunFigures, objective: Objective) -> float:
    """The objective in its own unit: requests/s or ms; 0 where the run has none, or only a bound."""
    if objective is Objective.CAPACITY:
        return figures.exact_capacity_rps or 0.0
    return figures.rps if objective is Objective.THROUGHPUT else figures.latency.p99_ms


def metric(figures: RunFigures, objective: Objective) -> float | None:
    """The log of the objective, more is better; None when the run has no such figure."""
    value = in_unit(figures, objective)
    return SIGN[objective] * math.log(value) if value > 0 else None
