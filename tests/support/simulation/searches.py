"""Simulated optimizations: the real rounds, trials, finalists, blocks and decision; only runs are drawn.

A truth gives each configuration its log level; a run adds the state of the host (one for a whole round or
block, whose runs take turns) and an error of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sweeper.records.configuration import Choices, Configuration, Dimension, Space
from sweeper.records.finding import Verdict
from sweeper.records.run import Objective, RunPlan, RunRecord
from sweeper.records.search import Trial
from sweeper.statistics.criteria import Rule
from sweeper.statistics.interim_looks import look
from sweeper.statistics.search import finalists, trials
from sweeper.study.block_order import block_plan
from sweeper.study.search_rounds import SearchSpace, round_plan
from tests.support.simulation.studies import Host, figures_of

AIMS = (Objective.THROUGHPUT,)
FOUR = Configuration(4)
SEARCH_RUN_S, FINAL_RUN_S = 12.0, 17.0
"""A run with a 5 s and with a 10 s window: start, warm-up and stop included."""

Level = Callable[[Configuration], float]


def space(workers: int = 64, threads: int = 1) -> Space:
    return Space(
        (
            Dimension("workers", Choices.between(1, workers)),
            Dimension("model_threads", Choices.between(1, threads)),
            Dimension("processes", Choices((1,))),
        )
    )


def peak(c: Configuration) -> float:
    """Best at 12 workers, falling to both sides; more model threads only cost."""
    far = math.log2(c.workers / 12)
    return -(0.12 if far < 0 else 0.05) * far**2 - 0.1 * math.log2(c.model_threads)


def plateau(c: Configuration) -> float:
    """As good from 6 workers on."""
    return min(0.0, 0.35 * math.log2(c.workers / 6)) - 0.1 * math.log2(c.model_threads)


def cliff(c: Configuration) -> float:
    """Better and better up to 20 workers, then 40% less."""
    rising = 0.06 * math.log2(c.workers / 20) if c.workers <= 20 else math.log(0.6)
    return rising - 0.1 * math.log2(c.model_threads)


def ridge(c: Configuration) -> float:
    """Best where workers times model threads is 8, slightly better with 2 threads."""
    return -0.1 * math.log2(c.workers * c.model_threads / 8) ** 2 - 0.04 * math.log2(c.model_threads / 2) ** 2


def flat(c: Configuration) -> float:
    return 0.0


SURFACES: dict[str, tuple[Level, Space]] = {
    "peak": (peak, space()),
    "plateau": (plateau, space()),
    "cliff": (cliff, space()),
    "ridge": (ridge, space(threads=4)),
}


@dataclass
class Bench:
    """A host that runs what it is told, by a truth. `deviation` is of a run with a 10 s window; one of 5 s
    varies by the square root of two more."""

    level: Level
    rng: np.random.Generator
    deviation: float = 0.02
    drift: float = 0.08
    searched: Host = field(init=False)
    decided: Host = field(init=False)
    spent_s: float = 0.0

    def __post_init__(self) -> None:
        self.searched, self.decided = Host(self.rng, self.drift), Host(self.rng, self.drift)

    def run(self, plan: RunPlan) -> RunRecord:
        host = self.searched if plan.search else self.decided
        error = self.rng.normal(0, self.deviation * (math.sqrt(2) if plan.search else 1))
        rps = math.exp(5 + self.level(plan.configuration) + host.in_block(plan.block) + error)
        self.spent_s += SEARCH_RUN_S if plan.search else FINAL_RUN_S
        return RunRecord(plan, Verdict.VALID, "", 0.0, figures_of(rps))


@dataclass(frozen=True)
class Searched:
    """`given_up` is who was ever given up; `answer` is None where the final blocks could not tell."""

    trials: tuple[Trial, ...]
    given_up: frozenset[Configuration]
    finalists: tuple[Configuration, ...]
    answer: Configuration | None
    runs: int
    spent_s: float


def optimize(
    bench: Bench, within: Space, wanted: int, seed: int, rule: Rule, *, decide: bool = True
) -> Searched:
    """A whole optimization; without `decide` its search alone."""
    search = SearchSpace(within, FOUR, AIMS, wanted, seed)
    records: list[RunRecord] = []
    found: tuple[Trial, ...] = ()
    given_up: set[Configuration] = set()
    number = 0
    while plans := round_plan(search, found, number + 1):
        number += 1
        records += [bench.run(plan) for plan in plans]
        found = trials(records, FOUR, rule, AIMS, search.wanted)
        given_up |= {trial.configuration for trial in found if trial.stopped}
    best = finalists(found, FOUR, rule, AIMS)
    answer, runs = _decide(bench, best, seed, rule) if decide else (None, 0)
    return Searched(found, frozenset(given_up), best, answer, len(records) + runs, bench.spent_s)


def _decide(
    bench: Bench, among: tuple[Configuration, ...], seed: int, rule: Rule
) -> tuple[Configuration | None, int]:
    """The blocks of a grid over these configurations, until a look stops them."""
    records: list[RunRecord] = []
    eliminated: dict[Configuration, int] = {}
    for number in range(1, rule.looks[-1] + 1):
        records += [bench.run(plan) for plan in block_plan(among, eliminated, number, seed, FOUR)]
        seen = look(records, among, rule, eliminated, number)
        if seen.last:
            break
        eliminated.update({standing.configuration: number for standing in seen.dropped})
    return (None if seen.decision is None else seen.decision.answer), len(records)


def grid(bench: Bench, among: tuple[Configuration, ...], seed: int, rule: Rule) -> Searched:
    """`sweeper grid` over these configurations."""
    answer, runs = _decide(bench, among, seed, rule)
    return Searched((), frozenset(), among, answer, runs, bench.spent_s)


def shortfall(level: Level, within: Space, answer: Configuration) -> float:
    """How far the answer is below the true best, as a share."""
    best = max(level(configuration) for configuration in within)
    return 1 - math.exp(level(answer) - best)
