"""One configuration in both studies: how its figures changed, and what that shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeper.analysis.comparison.result import (
    DECIDES,
    Change,
    Comparison,
    ConfigurationChange,
    FigureChange,
    Side,
)
from sweeper.analysis.fingerprints import differences
from sweeper.records.answer import Interval
from sweeper.records.configuration import Configuration
from sweeper.records.run import Objective, valid_figures, valid_runs
from sweeper.statistics.blocks import Observation
from sweeper.statistics.client_share import client_bound, widened
from sweeper.statistics.covariates import covariates
from sweeper.statistics.criteria import CandidateState
from sweeper.statistics.feasibility import feasibility
from sweeper.statistics.named_figures import FIGURES
from sweeper.statistics.two_studies import (
    Level,
    StudySeries,
    blocks_to_tell,
    ratio,
    ratio_in_these_hours,
    relative_blocks_to_tell,
    relative_ratio,
    series,
)


@dataclass(frozen=True, slots=True)
class View:
    """What every configuration is compared by."""

    # by name of a figure: both studies'; None: one of them has none
    series: Mapping[str, tuple[StudySeries, StudySeries] | None]
    # by name of a figure: how much of it the load generator took in each study (`client_bound`)
    clients: Mapping[str, tuple[Mapping[Configuration, float], Mapping[Configuration, float]]]
    reference: Configuration | None  # None: there is none that both have
    level: Level
    same_machine: bool
    objective: Objective
    margin: float  # the tolerance on the log scale

    def compared(self, configuration: Configuration, a: Side, b: Side, limit: str) -> ConfigurationChange:
        figures = {
            name: found for name in self.series if (found := self._figure(name, configuration)) is not None
        }
        change, by_reference = self._judge(figures.get(DECIDES[self.objective]), configuration, a, b)
        undecided = change is Change.UNDECIDED and not limit
        return ConfigurationChange(
            configuration=configuration,
            runs_a=a.runs(configuration),
            runs_b=b.runs(configuration),
            figures=figures,
            change=Change.WORSE if limit else change,
            by_reference=by_reference,
            limit=limit,
            blocks_needed=self._blocks(figures, configuration) if undecided else None,
        )

    def _figure(self, name: str, configuration: Configuration) -> FigureChange | None:
        pair = self.series[name]
        if pair is None or any(configuration not in one.means for one in pair):
            return None
        a, b = pair
        client_a, client_b = (bounds.get(configuration, 0.0) for bounds in self.clients[name])
        relative = None
        if self.reference is not None:
            relative = relative_ratio(a, b, configuration, self.reference, self.level)
            # Of B divided by its reference, beside A divided by its own: what is taken of the latter counts
            # the other way.
            ours, theirs = (bounds.get(self.reference, 0.0) for bounds in self.clients[name])
            relative = widened(relative, name, client_b + ours, client_a + theirs)
        return FigureChange(
            a=math.exp(float(a.means[configuration].mean())),
            b=math.exp(float(b.means[configuration].mean())),
            ratio=widened(ratio(a, b, configuration, self.level), name, client_b, client_a),
            in_these_hours=widened(
                ratio_in_these_hours(a, b, configuration, self.level), name, client_b, client_a
            ),
            relative=relative,
        )

    def _judge(
        self, figure: FigureChange | None, configuration: Configuration, a: Side, b: Side
    ) -> tuple[Change, bool]:
        """The change, and whether it rests on the reference."""
        if figure is None:
            return Change.UNDECIDED, False
        itself, beside = self._good(figure.ratio), self._good(figure.relative)
        if self.objective is Objective.P99:
            itself, beside = (_as_far_as_known(found, configuration, a, b) for found in (itself, beside))
        if not self.same_machine:
            return self._change(beside), True
        change = self._change(itself)
        fell = itself is not None and itself.mean < 1
        if change is Change.UNDECIDED and fell and self._change(beside) is Change.WORSE:
            return Change.WORSE, True
        return change, False

    def _good(self, interval: Interval | None) -> Interval | None:
        """B ÷ A where more is better."""
        if interval is None or self.objective is not Objective.P99:
            return interval
        low = None if interval.high is None else 1 / interval.high
        return Interval(1 / interval.mean, low, None if interval.low is None else 1 / interval.low)

    def _change(self, good: Interval | None) -> Change:
        if good is None:
            return Change.UNDECIDED
        if good.high is not None and math.log(good.high) < -self.margin:
            return Change.WORSE
        if good.low is not None and math.log(good.low) > self.margin:
            return Change.BETTER
        if good.low is not None and math.log(good.low) >= -self.margin:
            return Change.NOT_WORSE
        return Change.UNDECIDED

    def _blocks(self, figures: Mapping[str, FigureChange], configuration: Configuration) -> int | None:
        pair, figure = self.series[DECIDES[self.objective]], figures.get(DECIDES[self.objective])
        found = None if figure is None else self._good(figure.ratio if self.same_machine else figure.relative)
        if pair is None or found is None:
            return None
        distance = abs(math.log(found.mean) + self.margin)
        if self.same_machine:
            return blocks_to_tell(*pair, distance, self.level)
        return relative_blocks_to_tell(*pair, distance, self.level)


def _as_far_as_known(
    good: Interval | None, configuration: Configuration, a: Side, b: Side
) -> Interval | None:
    """Requests that never finished make a p99 a lower bound: of A it may only be better than it looks, and
    of B only worse."""
    if good is None:
        return None
    open_a, open_b = (
        any(run.latency.censored for run in valid_figures(side.blocks, configuration)) for side in (a, b)
    )
    return Interval(good.mean, None if open_b else good.low, None if open_a else good.high)


COMPARED = ("rps", "p50_ms", "p99_ms", "cpu_ms_per_request")
"""The figures that are compared, by name."""
OF_CLIMBS = ("capacity_rps", "cpu_ms_per_request")
"""The same of runs that climb through several rates: throughput and latencies are of all rates together."""


def compare(a: Side, b: Side, tolerance: float, *, judge_all: bool = False) -> Comparison:
    """B against A. Nothing is judged where A's answer was not measured in B; no configuration is compared
    where they have none in common."""
    shared = sorted({r.configuration for r in a.blocks} & {r.configuration for r in b.blocks})
    broken = {c: _broken_limit(a, b, c, len(shared)) for c in shared}
    common = [c for c in shared if a.runs(c) and (b.runs(c) or broken[c])]
    judged = tuple(common) if judge_all or a.answer is None else tuple(c for c in common if c == a.answer)
    level = Level((1 - a.rule.confidence) / 2, len(common))
    reference = _reference(a, b, common, judged)
    environment = differences(a.environment, b.environment)
    same_machine = not any(difference.of_the_machine for difference in environment)
    compared = OF_CLIMBS if a.rule.objective is Objective.CAPACITY else COMPARED
    figures = {name: _series(name, a, b) for name in compared}
    clients = {name: (_clients(name, a, shared), _clients(name, b, shared)) for name in compared}
    view = View(figures, clients, reference, level, same_machine, a.rule.objective, -math.log(1 - tolerance))
    decisive = figures[DECIDES[a.rule.objective]]
    return Comparison(
        a=a.name,
        b=b.name,
        same_machine=same_machine,
        environment=environment,
        settings=differences(a.settings, b.settings),
        objective=a.rule.objective,
        tolerance=tolerance,
        confidence=a.rule.confidence,
        reference=reference,
        configurations=tuple(view.compared(c, a, b, broken[c]) for c in common),
        judged=judged,
        left_out=tuple(c for c in shared if c not in common),
        host_a=decisive[0].host_deviation if decisive else 0.0,
        host_b=decisive[1].host_deviation if decisive else 0.0,
    )


def _broken_limit(a: Side, b: Side, configuration: Configuration, configurations: int) -> str:
    """Why B may not run it, by A's limits; empty where A may not either."""
    error = a.rule.slo_level(configurations, a.rule.looks[-1])
    own = [
        feasibility([r for r in side.blocks if r.configuration == configuration], a.rule, error)
        for side in (a, b)
    ]
    return (
        own[1].why
        if own[0].state is not CandidateState.EXCLUDED and own[1].state is CandidateState.EXCLUDED
        else ""
    )


def _reference(
    a: Side, b: Side, common: Sequence[Configuration], judged: Sequence[Configuration]
) -> Configuration | None:
    """A's own, unless it is the very one that is judged: then the one with most runs besides."""
    possible = [c for c in common if b.runs(c) and (len(judged) > 1 or c not in judged)]
    if a.reference in possible:
        return a.reference
    return max(possible, key=lambda c: min(a.runs(c), b.runs(c)), default=None)


def _series(name: str, a: Side, b: Side) -> tuple[StudySeries, StudySeries] | None:
    found = [_observations(name, side) for side in (a, b)]
    return (series(found[0]), series(found[1])) if all(found) else None


def _clients(name: str, side: Side, shared: Sequence[Configuration]) -> dict[Configuration, float]:
    return {c: client_bound(valid_figures(side.blocks, c), name) for c in shared}


def _observations(name: str, side: Side) -> list[Observation]:
    """The log of a figure in every valid run that has it."""
    counting = valid_runs(side.blocks)
    probed = side.host_speed and all(covariates(figures) for _, figures in counting)
    return [
        Observation(
            record.configuration,
            record.plan.block_key,
            math.log(value),
            covariates(figures) if probed else (),
        )
        for record, figures in counting
        if (value := FIGURES[name](figures)) is not None and value > 0
    ]
