"""Where one configuration stands at one look: what is shown of its gap, and what the rule reads of it.

Two pairs of limits. Those that are shown hold for all configurations, and over all looks, at once. The rule
reads sharper ones, because only a wrong answer has to be rare (sweeper/docs/method/error-budget.md): to be
within the tolerance of *every* other one is a claim whose limits need no division by their number (Berger,
"Multiparameter hypothesis testing and acceptance sampling", Technometrics 1982), and small counts have most
of the error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeper.records.configuration import Configuration
from sweeper.records.run import Objective
from sweeper.statistics.blocks import BlockModel
from sweeper.statistics.criteria import CandidateState, Rule
from sweeper.statistics.feasibility import Feasibility
from sweeper.statistics.intervals import contrast_quantile

OUT = (CandidateState.EXCLUDED, CandidateState.UNMEASURED)
"""No answer, and nothing that others are compared with."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one configuration stands. A gap is a log ratio."""

    configuration: Configuration
    state: CandidateState
    gap: float | None = None  # how much better the best other one is; None: not compared, as its limits
    gap_low: float | None = None  # as shown
    gap_high: float | None = None  # inf: not bounded
    feasible: CandidateState = CandidateState.ACCEPTABLE  # by errors and the SLO alone
    why: str = ""  # what besides the gap speaks against it
    exact: bool = True  # no p99 of its is a lower bound
    client: float = 0.0  # how much better its figures may be (log) without the load generator's part
    at_least: float = 0.0  # lower limit of the gap; above the margin, it excludes the configuration
    at_most: float = math.inf  # upper limit of the gap; within the margin, it accepts the configuration
    # the others of which the accepting limit shows it to be within the margin
    within_margin_of: frozenset[Configuration] = frozenset()


@dataclass(frozen=True, slots=True)
class Gauge:
    """All that the standings at one look follow from."""

    rule: Rule
    after: int  # the block after which it is looked
    elimination: bool  # the early look that only drops
    model: BlockModel | None  # None: nothing to compare
    competing: Sequence[Configuration]  # that keep the limits, dropped ones too
    feasible: Mapping[Configuration, Feasibility]
    clients: Mapping[Configuration, float]

    def standing(self, configuration: Configuration, live: Sequence[Configuration]) -> Standing:
        """`live`: those that may still be the answer, in order."""
        own, model = self.feasible[configuration], self.model
        if own.state in OUT:
            return Standing(configuration, own.state, feasible=own.state, why=own.why)
        if model is None or configuration not in model.configurations:
            why = own.why or "no figure to compare"
            return Standing(configuration, CandidateState.UNSETTLED, feasible=own.state, why=why)
        this = model.configurations.index(configuration)
        contrasts = {
            other: model.contrast(this, model.configurations.index(other))
            for other in model.configurations
            if other != configuration
        }
        rivals = [other for other in live if other in contrasts and self._surely_feasible(other)]
        unseen = any(other not in model.configurations for other in self.competing)

        def reached(quantile: float) -> dict[Configuration, float]:
            # Every figure may be better without the load generator's part: `clients`, by configuration.
            return {
                other: c.estimate + _reach(c.standard_error, quantile) + self.clients[other]
                for other, c in contrasts.items()
            }

        def at_most(quantile: float) -> float:
            return math.inf if unseen else max([0.0, *reached(quantile).values()])

        def at_least(quantile: float) -> float:
            # Only a configuration that is itself within the limits can show that this one is not needed.
            shown_behind = [
                contrasts[other].estimate
                - _reach(contrasts[other].standard_error, quantile)
                - self.clients[configuration]
                for other in rivals
            ]
            return max([0.0, *shown_behind])

        shown = self._quantile(1 / max(len(self.competing) - 1, 1))
        share = share_of(live.index(configuration), len(live)) if configuration in live else 1.0
        accepts = shown if self.elimination else self._quantile(share)
        rivals_share = (
            1 / max(len(self.competing) - 1, 1) if self.elimination else share / max(len(live) - 1, 1)
        )
        excludes = self._quantile(rivals_share / self.rule.loads)
        low, high = at_least(excludes), at_most(accepts)
        why = own.why
        if low > self.rule.margin:
            state = CandidateState.EXCLUDED
        elif high <= self.rule.margin and self._surely_feasible(configuration):
            state = CandidateState.ACCEPTABLE
        else:
            state = CandidateState.UNSETTLED
            if not why and not self._surely_feasible(configuration):
                why = "its p99 is a lower bound, because requests never finished"
        return Standing(
            configuration,
            state,
            max([0.0, *(c.estimate for c in contrasts.values())]),
            at_least(shown),
            at_most(shown),
            own.state,
            why,
            own.exact,
            self.clients[configuration],
            low,
            high,
            frozenset(other for other, most in reached(accepts).items() if most <= self.rule.margin),
        )

    def _quantile(self, share: float) -> float:
        level = self.rule.level(share, self.after, elimination=self.elimination)
        return contrast_quantile(level, 1, self.model.degrees_of_freedom if self.model else 0)

    def _surely_feasible(self, configuration: Configuration) -> bool:
        """Within the limits for sure, and with a metric that is no more flattering than the truth."""
        own = self.feasible[configuration]
        exact = own.exact or self.rule.objective is not Objective.P99
        return own.state is CandidateState.ACCEPTABLE and exact


def share_of(position: int, live: int) -> float:
    """Of the error, for the configuration at `position` of those that are live: a half, a quarter, and so on;
    the last one has what is left."""
    return 0.5 ** min(position + 1, live - 1) if live > 1 else 1.0


def _reach(standard_error: float, quantile: float) -> float:
    return math.inf if math.isinf(standard_error) or math.isinf(quantile) else standard_error * quantile
