"""The decision rule: the smallest acceptable worker count once every smaller one is excluded.

Stopping as soon as *some* count is acceptable would name any point of a plateau; protocol.md, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sweeper.records import Configuration, Objective, RunFigures, RunRecord, Verdict
from sweeper.statistics.blocks import BlockModel, Observation, fit
from sweeper.statistics.intervals import (
    contrast_quantile,
    look_error,
    one_sided_lower,
    one_sided_upper,
)

FORESEEABLE_BLOCKS = 200


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


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one configuration stands. The gap is how much better the best other one is, as a log ratio."""

    configuration: Configuration
    state: State
    gap: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None
    feasible: State = State.ACCEPTABLE
    why: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """All standings, in order of configuration. `answer` is the smallest acceptable one, if any;
    `settled` says that every smaller one is excluded, so that more blocks would not change it."""

    standings: tuple[Standing, ...]
    answer: Configuration | None
    settled: bool
    smaller_unsettled: tuple[Configuration, ...]
    residual_deviation: float | None
    blocks_needed: int | None

    def standing(self, configuration: Configuration) -> Standing:
        return next(item for item in self.standings if item.configuration == configuration)

    def in_state(self, state: State) -> tuple[Configuration, ...]:
        return tuple(item.configuration for item in self.standings if item.state is state)


def metric(figures: RunFigures, objective: Objective) -> float | None:
    """The log of the objective, more is better; None when the run has no such figure."""
    if objective is Objective.THROUGHPUT:
        return math.log(figures.rps) if figures.rps > 0 else None
    return -math.log(figures.latency.p99_ms) if figures.latency.p99_ms > 0 else None


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
    error = look_error(rule.confidence, len(rule.looks), elimination)
    ordered = sorted(configurations)
    runs = {
        configuration: [
            record.figures
            for record in records
            if record.configuration == configuration
            and record.verdict is Verdict.VALID
            and record.figures is not None
        ]
        for configuration in ordered
    }
    feasibility = {
        configuration: _feasibility(configuration, records, runs[configuration], rule, error)
        for configuration in ordered
    }
    competing = [c for c in ordered if feasibility[c][0] is not State.EXCLUDED]
    observations = [
        Observation(record.configuration, record.plan.block, value)
        for record in records
        if record.verdict is Verdict.VALID
        and record.figures is not None
        and record.configuration in competing
        and (value := metric(record.figures, rule.objective)) is not None
    ]
    model = fit(observations) if observations else None
    standings = tuple(_stand(c, feasibility, competing, model, rule, error) for c in ordered)
    standings = tuple(
        replace(s, state=State.EXCLUDED, why=s.why or "dropped at an earlier look")
        if s.configuration in eliminated
        else s
        for s in standings
    )
    answer = next((s.configuration for s in standings if s.state is State.ACCEPTABLE), None)
    unsettled = tuple(
        s.configuration
        for s in standings
        if s.state is State.UNSETTLED and (answer is None or s.configuration < answer)
    )
    return Decision(
        standings=standings,
        answer=answer,
        settled=answer is not None and not unsettled,
        smaller_unsettled=unsettled if answer is not None else (),
        residual_deviation=model.residual_deviation if model else None,
        blocks_needed=_blocks_needed(standings, model, rule) if model else None,
    )


def _feasibility(
    configuration: Configuration,
    records: Sequence[RunRecord],
    runs: Sequence[RunFigures],
    rule: Rule,
    error: float,
) -> tuple[State, str]:
    """Errors and the SLO, which no throughput makes up for."""
    died = sum(
        1
        for record in records
        if record.configuration == configuration
        and any(finding.code == "server-died" for finding in record.findings)
    )
    if died:
        return State.EXCLUDED, f"its server died under load in {died} of its runs"
    if not runs:
        failed = any(record.configuration == configuration for record in records)
        return State.UNSETTLED, "no valid run" if failed else "not run"
    completed = sum(figures.completed for figures in runs)
    failures = sum(figures.failed for figures in runs)
    rate = failures / completed if completed else 1.0
    if rate > rule.max_error_rate:
        return State.EXCLUDED, f"{rate:.1%} of its requests failed (limit {rule.max_error_rate:.1%})"
    if rule.slo_p99_ms is None:
        return State.ACCEPTABLE, ""
    p99 = [figures.latency.p99_ms for figures in runs]
    if one_sided_lower(p99, error) > rule.slo_p99_ms:
        return State.EXCLUDED, f"its p99 is above {rule.slo_p99_ms:g} ms"
    # A censored tail makes p99 a lower bound: it can break an SLO, never prove that it is kept.
    bounded = all(figures.latency.censored == 0 for figures in runs)
    if bounded and one_sided_upper(p99, error) <= rule.slo_p99_ms:
        return State.ACCEPTABLE, ""
    return State.UNSETTLED, f"its p99 may be above {rule.slo_p99_ms:g} ms"


def _stand(
    configuration: Configuration,
    feasibility: dict[Configuration, tuple[State, str]],
    competing: Sequence[Configuration],
    model: BlockModel | None,
    rule: Rule,
    error: float,
) -> Standing:
    feasible, why = feasibility[configuration]
    if feasible is State.EXCLUDED:
        return Standing(configuration, State.EXCLUDED, feasible=feasible, why=why)
    if model is None or configuration not in model.configurations:
        return Standing(configuration, State.UNSETTLED, feasible=feasible, why=why or "no valid run")
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
        proven = [i for i in others if feasibility[model.configurations[i]][0] is State.ACCEPTABLE]
        low = max([0.0, *(contrasts[i].estimate - reach[i] for i in proven)])
    if low > rule.margin:
        state = State.EXCLUDED
    elif high <= rule.margin and feasible is State.ACCEPTABLE:
        state = State.ACCEPTABLE
    else:
        state = State.UNSETTLED
    return Standing(configuration, state, gap, low, high, feasible, why)


def _reach(standard_error: float, quantile: float) -> float:
    return math.inf if math.isinf(standard_error) or math.isinf(quantile) else standard_error * quantile


def _blocks_needed(standings: Sequence[Standing], model: BlockModel, rule: Rule) -> int | None:
    """Blocks after which the rule would settle if today's estimates were the truth; None if never soon."""
    deviation = model.residual_deviation
    compared = [s for s in standings if s.gap is not None]
    if deviation is None or len(compared) < 2:
        return None
    if any(s.feasible is State.UNSETTLED for s in standings):
        return None
    error = look_error(rule.confidence, len(rule.looks), elimination=False)
    for blocks in range(2, FORESEEABLE_BLOCKS + 1):
        freedom = (blocks - 1) * (len(compared) - 1)
        reach = contrast_quantile(error, len(compared) - 1, freedom) * deviation * math.sqrt(2 / blocks)
        for standing in compared:
            gap = standing.gap or 0.0
            if gap + reach <= rule.margin:
                return blocks
            if gap - reach <= rule.margin:
                break
    return None
