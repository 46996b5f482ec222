"""The decision rule: the smallest acceptable worker count once every smaller one is excluded.

Stopping as soon as *some* count is acceptable would name any point of a plateau. How rarely a firm answer is
wrong, and why: sweeper/docs/method/error-budget.md.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sweeper.records.answer import HostSpeedUse
from sweeper.records.configuration import Configuration
from sweeper.records.run import RunRecord, valid_figures, valid_runs
from sweeper.statistics.blocks import BlockModel, Observation
from sweeper.statistics.blocks_needed import blocks_needed, futile
from sweeper.statistics.client_share import OBJECTIVE_FIGURES, client_bound
from sweeper.statistics.covariates import Adjusted, adjusted, covariates
from sweeper.statistics.criteria import CandidateState, Rule, metric
from sweeper.statistics.feasibility import could_not_be_measured, feasibility
from sweeper.statistics.standing import OUT, Gauge, Standing


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rule makes of the runs."""

    standings: tuple[Standing, ...]  # in order of configuration
    answer: Configuration | None  # the smallest acceptable one; None without one
    settled: bool  # every smaller one is excluded, so that more blocks would not change it
    smaller_unsettled: tuple[Configuration, ...]  # below the answer
    residual_deviation: float | None  # of the log of one run's objective; None: too few runs to tell
    # after how many it would be settled, if today's estimates were the truth; None: it is, or never soon
    blocks_needed: int | None
    futile: bool = False  # it will hardly be settled by the last look
    host_speed: HostSpeedUse | None = None  # None where nothing could be compared
    model: BlockModel | None = field(default=None, compare=False)  # likewise


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
    after = max((record.plan.block for record in records), default=0)
    slo_error = rule.slo_level(len(ordered), after, elimination=elimination)
    feasible = {
        configuration: feasibility(
            [record for record in records if record.configuration == configuration], rule, slo_error
        )
        for configuration in ordered
    }
    for configuration in ordered:
        given_up = could_not_be_measured(records, configuration)
        if given_up is not None and feasible[configuration].state is not CandidateState.EXCLUDED:
            feasible[configuration] = given_up
    competing = [c for c in ordered if feasible[c].state not in OUT]
    observations = [
        Observation(record.configuration, record.plan.block_key, value, covariates(figures))
        for record, figures in valid_runs(records)
        if record.configuration in competing and (value := metric(figures, rule.objective)) is not None
    ]
    live = [c for c in competing if c not in eliminated]
    fitted = _fitted(observations, live, rule, elimination, _busy_cores(records))
    model = fitted.model if fitted else None
    clients = {c: client_bound(valid_figures(records, c), OBJECTIVE_FIGURES[rule.objective]) for c in ordered}
    gauge = Gauge(rule, after, elimination, model, competing, feasible, clients)
    standings = _standings(gauge, ordered, live, eliminated)
    answer = next((s.configuration for s in standings if s.state is CandidateState.ACCEPTABLE), None)
    unsettled = tuple(
        s
        for s in standings
        if s.state is CandidateState.UNSETTLED and (answer is None or s.configuration < answer)
    )
    settled = answer is not None and not unsettled
    return Decision(
        standings=standings,
        answer=answer,
        settled=settled,
        smaller_unsettled=tuple(s.configuration for s in unsettled) if answer is not None else (),
        residual_deviation=model.residual_deviation if model else None,
        host_speed=fitted.host_speed if fitted else None,
        blocks_needed=None
        if settled or model is None
        else blocks_needed(standings, model, rule, len({o.block for o in observations})),
        futile=model is not None
        and futile(standings, unsettled, model, rule, after, answered=answer is not None),
        model=model,
    )


def _standings(
    gauge: Gauge,
    ordered: Sequence[Configuration],
    live: Sequence[Configuration],
    eliminated: Collection[Configuration],
) -> tuple[Standing, ...]:
    """Of all. What is excluded leaves its share of the error to those after it, which are judged again."""
    found: dict[Configuration, Standing] = {}
    left = list(live)
    while True:
        now = {c: gauge.standing(c, left) for c in left}
        out = {c: standing for c, standing in now.items() if standing.state is CandidateState.EXCLUDED}
        found |= out
        left = [c for c in left if c not in out]
        if not out or not left or gauge.elimination:
            found |= now
            break
    for configuration in ordered:
        if configuration not in found:
            standing = gauge.standing(configuration, left)
            dropped = configuration in eliminated and standing.state is not CandidateState.UNMEASURED
            found[configuration] = replace(standing, state=CandidateState.EXCLUDED) if dropped else standing
    return tuple(found[configuration] for configuration in ordered)


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
    for record, figures in valid_runs(records):
        busy = (figures.cpu_cores or 0.0) + (figures.client_cpu_cores or 0.0)
        seen.setdefault(record.configuration, []).append(busy)
    return {configuration: statistics.fmean(busy) for configuration, busy in seen.items()}
