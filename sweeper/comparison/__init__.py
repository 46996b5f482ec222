"""Two recorded studies against each other: what differs between them, and whether B is worse than A.

A configuration is worse where its figure of A's objective is shown to be worse than in A by more than the
tolerance, by itself (statistics/two_studies.py) or beside the reference while it did not rise itself; or
where only B breaks a limit. Each of the two ways may err with half of what the confidence leaves, over all
compared configurations at once. On another machine figures cannot be compared by themselves, and the second
way is left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from sweeper.comparison.judgement import View
from sweeper.comparison.nouns import DECIDES, Change, Compared, Comparison, FigureChange, Side
from sweeper.fingerprints import differences
from sweeper.records import Configuration, RunFigures, Verdict
from sweeper.statistics.blocks import Observation
from sweeper.statistics.covariates import covariates
from sweeper.statistics.feasibility import feasibility
from sweeper.statistics.rule import State
from sweeper.statistics.two_studies import Level, Series, series

__all__ = ["Change", "Compared", "Comparison", "FigureChange", "Side", "compare"]

FIGURES: Mapping[str, Callable[[RunFigures], float]] = {
    "rps": lambda run: run.rps,
    "p50_ms": lambda run: run.latency.p50_ms,
    "p99_ms": lambda run: run.latency.p99_ms,
    "cpu_ms_per_request": lambda run: run.cpu_ms_per_request,
}


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
    figures = {name: _series(name, a, b) for name in FIGURES}
    view = View(figures, reference, level, same_machine, a.rule.objective, -math.log(1 - tolerance))
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
    error = a.rule.slo_error(configurations, elimination=False)
    own = [
        feasibility([r for r in side.blocks if r.configuration == configuration], a.rule, error)
        for side in (a, b)
    ]
    return own[1].why if own[0].state is not State.EXCLUDED and own[1].state is State.EXCLUDED else ""


def _reference(
    a: Side, b: Side, common: Sequence[Configuration], judged: Sequence[Configuration]
) -> Configuration | None:
    """A's own, unless it is the very one that is judged: then the one with most runs besides."""
    possible = [c for c in common if b.runs(c) and (len(judged) > 1 or c not in judged)]
    if a.reference in possible:
        return a.reference
    return max(possible, key=lambda c: min(a.runs(c), b.runs(c)), default=None)


def _series(name: str, a: Side, b: Side) -> tuple[Series, Series] | None:
    found = [_observations(name, side) for side in (a, b)]
    return (series(found[0]), series(found[1])) if all(found) else None


def _observations(name: str, side: Side) -> list[Observation]:
    """The log of a figure in every valid run that has it."""
    counting = [(r, r.figures) for r in side.blocks if r.verdict is Verdict.VALID and r.figures is not None]
    probed = side.host_speed and all(covariates(figures) for _, figures in counting)
    return [
        Observation(
            record.configuration,
            record.plan.block_key,
            math.log(value),
            covariates(figures) if probed else (),
        )
        for record, figures in counting
        if (value := FIGURES[name](figures)) > 0
    ]
