"""One simulated study: the real blocks, the real looks, the real decision; only runs are drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from sweeper.analysis.recommendation import StudyFacts, recommend
from sweeper.records.answer import Recommendation
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Verdict
from sweeper.records.run import RunFigures, RunRecord
from sweeper.statistics.criteria import Rule
from sweeper.statistics.decision import Decision
from sweeper.statistics.interim_looks import EVERY_ONE, Allotment, look
from sweeper.study.block_order import block_plan
from tests.support.builders import FIGURES, configurations

WORKERS = (1, 4, 8, 16, 32)
ALL = configurations(*WORKERS)
REFERENCE = 4  # runs twice a block while five or more are live
RULE = Rule()
STUDIES = 1000

# log levels of 1, 4, 8, 16, 32 workers
Levels = tuple[float, ...]
SHAPES: dict[str, Levels] = {
    "all equal": (0.0, 0.0, 0.0, 0.0, 0.0),
    "plateau from 4": (-0.25, 0.0, 0.0, 0.0, 0.0),
    "peak at 8": (-0.5, -0.2, 0.0, -0.2, -0.4),
}

Measure = Callable[[int, int], RunFigures]
"""What the run of one position of WORKERS gives in one block (counted from 1)."""


@dataclass
class Host:
    """How fast the host is in each block, as a log: 0 on average, `memory` is the correlation from one
    block to the next."""

    rng: np.random.Generator
    deviation: float = 0.08
    memory: float = 0.0
    states: list[float] = field(default_factory=list)

    def in_block(self, block: int) -> float:
        while len(self.states) < block:
            fresh = float(self.rng.normal(0, self.deviation))
            old = self.states[-1] if self.states else None
            self.states.append(
                fresh if old is None else self.memory * old + float(np.sqrt(1 - self.memory**2)) * fresh
            )
        return self.states[block - 1]


@dataclass(frozen=True)
class Study:
    records: tuple[RunRecord, ...]
    eliminated: Mapping[Configuration, int]
    decision: Decision
    blocks: int
    rule: Rule

    def recommendation(self) -> Recommendation:
        """What would be printed."""
        facts = StudyFacts("simulated", ALL, self.rule, self.eliminated, False, True, {})
        return recommend(facts, self.records)


def figures_of(rps: float, p99_ms: float = 600.0, host_speed: float | None = None) -> RunFigures:
    latency = FIGURES.latency if p99_ms == 600.0 else dataclasses.replace(FIGURES.latency, p99_ms=p99_ms)
    return dataclasses.replace(FIGURES, rps=rps, latency=latency, host_speed=host_speed)


def block(
    measure: Measure,
    number: int,
    eliminated: Collection[Configuration],
    allotment: Allotment = EVERY_ONE,
    verdict: Callable[[], Verdict] = lambda: Verdict.VALID,
) -> list[RunRecord]:
    return [
        RunRecord(plan, verdict(), "", 20.0, measure(WORKERS.index(plan.configuration.workers), number))
        for plan in block_plan(
            ALL, {*eliminated, *allotment.resting}, number, 0, Configuration(REFERENCE), twice=allotment.twice
        )
    ]


def study(
    measure: Measure, rule: Rule = RULE, verdict: Callable[[], Verdict] = lambda: Verdict.VALID
) -> Study:
    """A study until the planned looks stop it."""
    records: list[RunRecord] = []
    eliminated: dict[Configuration, int] = {}
    allotment = EVERY_ONE
    for number in range(1, rule.looks[-1] + 1):
        records += block(measure, number, eliminated, allotment, verdict)
        seen = look(records, ALL, rule, eliminated, number)
        if seen.last:
            break
        eliminated.update({s.configuration: number for s in seen.dropped})
        allotment = seen.allotment
    assert seen.decision is not None
    return Study(tuple(records), eliminated, seen.decision, number, rule)
