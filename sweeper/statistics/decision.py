"""The decision rule: the smallest acceptable worker count once every smaller one is excluded.

Stopping as soon as *some* count is acceptable would name any point of a plateau; protocol.md, section 3.
The error of a firm answer: an unacceptable count is let in only when its limit against the true best
fails, and the smallest acceptable one is shut out only when a limit of its own against one no worse
fails. These are contrasts of at most k - 1 different pairs, so that one-sided limits at error / (k - 1)
hold at each look, and the looks share the budget.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sweeper.answers import HostSpeedUse
from sweeper.records import Configuration, Objective, RunRecord, Verdict
from sweeper.statistics.blocks import BlockModel, Observation
from sweeper.statistics.covariates import Adjusted, adjusted, covariates
from sweeper.statistics.feasibility import Feasibility, feasibility
from sweeper.statistics.intervals import contrast_quantile
from sweeper.statistics.rule import Rule, State, metric

__all__ = ["Decision", "Rule", "Standing", "State", "decide", "metric"]

FORESEEABLE_BLOCKS = 100  # the most a study can be told to make


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one configuration stands. The gap is how much better the best other one is, as a log ratio;
    `why` says what besides the gap speaks against it; not `exact` is a p99 that is a lower bound."""

    configuration: Configuration
    state: State
    gap: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None
    feasible: State = State.ACCEPTABLE
    why: str = ""
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """All standings, in order of configuration. `answer` is the smallest acceptable one, if any;
    `settled` says that every smaller one is excluded, so that more blocks would not change it;
    `blocks_needed` after how many it would be, if today's estimates were the truth."""

    standings: tuple[Standing, ...]
    answer: Configuration | None
    settled: bool
    smaller_unsettled: tuple[Configuration, ...]
    residual_deviation: float | None
    blocks_needed: int | None
    host_speed: HostSpeedUse | None = None

    def standing(self, configuration: Configuration) -> Standing:
        return next(item for item in self.standings if item.configuration == configuration)

    def in_state(self, state: State) -> tuple[Configuration, ...]:
        return tuple(item.configuration for item in self.standings if item.state is state)


def decide(
    records: Sequence[RunRecord],
    configurations: Sequence[Configuration],
    rule: Rule,
    *,
    eliminated: Collection[Configuration] = (),
    elimination: bool = False,
) -> Decision:
    """Apply the rule to the valid runs in `records`.

    What was `eliminated` at an earlier look stays excluded: it has no later runs to come back with.
    `elimination` marks the early look after block 2 that only drops hopeless configurations; it spends
    its own small share of the error budget.
    """
    ordered = sorted(configurations)
    slo_error = rule.slo_error(len(ordered), elimination=elimination)
    feasible = {
        configuration: feasibility(
            [record for record in records if record.configuration == configuration], rule, slo_error
        )
        for configuration in ordered
    }
    competing = [c for c in ordered if feasible[c].state is not State.EXCLUDED]
    observations = [
        Observation(record.configuration, record.plan.block_key, value, covariates(record.figures))
        for record in records
        if record.verdict is Verdict.VALID
        and record.figures is not None
        and record.configuration in competing
        and (value := metric(record.figures, rule.objective)) is not None
    ]
    live = set(competing) - set(eliminated)
    fitted = _fitted(observations, live, rule, elimination, _busy_cores(records))
    model = fitted.model if fitted else None
    error = rule.gap_error(elimination=elimination)
    standings = tuple(_stand(c, feasible, competing, model, rule, error) for c in ordered)
    standings = tuple(
        replace(s, state=State.EXCLUDED) if s.configuration in eliminated else s for s in standings
    )
    answer = next((s.configuration for s in standings if s.state is State.ACCEPTABLE), None)
    unsettled = tuple(
        s.configuration
        for s in standings
        if s.state is State.UNSETTLED and (answer is None or s.configuration < answer)
    )
    settled = answer is not None and not unsettled
    return Decision(
        standings=standings,
        answer=answer,
        settled=settled,
        smaller_unsettled=unsettled if answer is not None else (),
        residual_deviation=model.residual_deviation if model else None,
        host_speed=fitted.host_speed if fitted else None,
        blocks_needed=None
        if settled or model is None
        else _blocks_needed(standings, model, rule, len({o.block for o in observations})),
    )


def _fitted(
    observations: Sequence[Observation],
    live: Collection[Configuration],
    rule: Rule,
    elimination: bool,
    busy_cores: Mapping[Configuration, float],
) -> Adjusted | None:
    if not observations:
        return None
    if elimination:  # two blocks are too few to learn a slope and test it
        observations = [replace(observation, covariates=()) for observation in observations]
    return adjusted(observations, live, rule.margin, busy_cores)


def _busy_cores(records: Sequence[RunRecord]) -> dict[Configuration, float]:
    """Cores that server and client kept busy, means over the valid runs of each configuration."""
    seen: dict[Configuration, list[float]] = {}
    for record in records:
        if record.verdict is Verdict.VALID and record.figures is not None:
            busy = record.figures.cpu_cores + (record.figures.client_cpu_cores or 0.0)
            seen.setdefault(record.configuration, []).append(busy)
    return {configuration: statistics.fmean(busy) for configuration, busy in seen.items()}


def _stand(
    configuration: Configuration,
    feasible: Mapping[Configuration, Feasibility],
    competing: Sequence[Configuration],
    model: BlockModel | None,
    rule: Rule,
    error: float,
) -> Standing:
    own = feasible[configuration]
    if own.state is State.EXCLUDED:
        return Standing(configuration, State.EXCLUDED, feasible=own.state, why=own.why)
    if model is None or configuration not in model.configurations:
        return Standing(
            configuration, State.UNSETTLED, feasible=own.state, why=own.why or "no figure to compare"
        )
    this = model.configurations.index(configuration)
    others = [i for i in range(len(model.configurations)) if i != this]
    unseen = [c for c in competing if c not in model.configurations]
    quantile = contrast_quantile(error, len(competing) - 1, model.degrees_of_freedom)
    gap, low, high = 0.0, 0.0, math.inf if unseen else 0.0
    if others:
        contrasts = {i: model.contrast(this, i) for i in others}
        gap = max(0.0, *(c.estimate for c in contrasts.values()))
        reach = {i: _reach(c.standard_error, quantile) for i, c in contrasts.items()}
        high = max(high, *(c.estimate + reach[i] for i, c in contrasts.items()))
        # Only a configuration that is itself within the limits can show that this one is not needed.
        proven = [i for i in others if _sets_the_bar(feasible[model.configurations[i]], rule)]
        low = max([0.0, *(contrasts[i].estimate - reach[i] for i in proven)])
    why = own.why
    if low > rule.margin:
        state = State.EXCLUDED
    elif high <= rule.margin and _sets_the_bar(own, rule):
        state = State.ACCEPTABLE
    else:
        state = State.UNSETTLED
        if not why and not _sets_the_bar(own, rule):
            why = "its p99 is a lower bound, because requests never finished"
    return Standing(configuration, state, gap, low, high, own.state, why, own.exact)


def _sets_the_bar(own: Feasibility, rule: Rule) -> bool:
    """Within the limits for sure, and with a metric that is no more flattering than the truth."""
    return own.state is State.ACCEPTABLE and (own.exact or rule.objective is not Objective.P99)


def _reach(standard_error: float, quantile: float) -> float:
    return math.inf if math.isinf(standard_error) or math.isinf(quantile) else standard_error * quantile


def _blocks_needed(
    standings: Sequence[Standing], model: BlockModel, rule: Rule, blocks_made: int
) -> int | None:
    """Blocks after which the rule would settle if today's estimates were the truth; None if never soon,
    or where something else than noise is in the way (no valid run, an SLO nearly met)."""
    deviation = model.residual_deviation
    if deviation is None or any(s.why for s in standings if s.state is State.UNSETTLED):
        return None
    compared = [s for s in standings if s.gap is not None]
    return foreseen_blocks(compared, deviation, rule, max(2, blocks_made + 1))


def foreseen_blocks(compared: Sequence[Standing], deviation: float, rule: Rule, first: int = 2) -> int | None:
    """The blocks, from `first` on, after which all gaps would be settled if they and the residual `deviation`
    of one run's log objective were the truth; None where that is not within `FORESEEABLE_BLOCKS`."""
    error = rule.gap_error(elimination=False)
    for blocks in range(first, FORESEEABLE_BLOCKS + 1):
        freedom = (blocks - 1) * (len(compared) - 1)
        reach = contrast_quantile(error, len(compared) - 1, freedom) * deviation * math.sqrt(2 / blocks)
        for standing in compared:
            gap = standing.gap or 0.0
            if standing.state is State.EXCLUDED or gap - reach > rule.margin:
                continue
            if gap + reach <= rule.margin:
                return blocks
            break
    return None
