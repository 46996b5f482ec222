"""What a study was planned to decide by, and the states its configurations can be in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sweeper.records import Objective, RunFigures
from sweeper.statistics.intervals import look_error


class State(StrEnum):
    ACCEPTABLE = "acceptable"
    EXCLUDED = "excluded"
    UNSETTLED = "unsettled"


@dataclass(frozen=True, slots=True)
class Rule:
    """What was planned before the first run. `looks` are the blocks after which the rule may stop."""

    objective: Objective = Objective.THROUGHPUT
    tolerance: float = 0.05
    confidence: float = 0.95
    looks: tuple[int, ...] = (3, 5, 7, 10)
    slo_p99_ms: float | None = None
    max_error_rate: float = 0.01

    @property
    def margin(self) -> float:
        """The tolerance on the log scale: how far below the best still counts as as good."""
        return -math.log(1 - self.tolerance)

    def gap_error(self, *, elimination: bool) -> float:
        """What one look may err about gaps; where an SLO is set, half of it is for that."""
        error = look_error(self.confidence, len(self.looks), elimination)
        return error if self.slo_p99_ms is None else error / 2

    def slo_error(self, configurations: int, *, elimination: bool) -> float:
        """What one look may err about one configuration's p99: each of them may be wrongly let in."""
        return look_error(self.confidence, len(self.looks), elimination) / 2 / max(configurations, 1)


SIGN: Mapping[Objective, int] = {Objective.THROUGHPUT: 1, Objective.P99: -1}
"""1 where more is better, -1 where less is."""


def far_behind(gap: float, aims: Sequence[Objective]) -> str:
    """In words: `gap` (a log ratio, in each of what is aimed at) is how much the best is better, at least."""
    if tuple(aims) == (Objective.P99,):
        return f"its p99 is at least {math.expm1(gap):.0%} above the best"
    return f"at least {1 - math.exp(-gap):.0%} behind the best"


def in_unit(figures: RunFigures, objective: Objective) -> float:
    """The objective in its own unit: requests/s or ms."""
    return figures.rps if objective is Objective.THROUGHPUT else figures.latency.p99_ms


def metric(figures: RunFigures, objective: Objective) -> float | None:
    """The log of the objective, more is better; None when the run has no such figure."""
    value = in_unit(figures, objective)
    return SIGN[objective] * math.log(value) if value > 0 else None
