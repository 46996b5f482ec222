"""Simulated studies of several loads: the real blocks, looks and decisions; only runs are drawn."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from sweeper.analysis.recommendation import StudyFacts
from sweeper.analysis.several_loads import recommend_under_loads
from sweeper.records.answer import Recommendation
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Verdict
from sweeper.records.run import RunRecord
from sweeper.statistics.criteria import Rule
from sweeper.statistics.interim_looks import EVERY_ONE, Allotment
from sweeper.statistics.several_loads import look_under_loads
from sweeper.study.block_order import block_under_loads
from tests.support.simulation.studies import ALL, REFERENCE, RULE, WORKERS, Host, Levels, figures_of

Truths = Mapping[float, Levels]
"""Log levels of WORKERS by load."""


@dataclasses.dataclass(frozen=True)
class LoadsStudy:
    records: tuple[RunRecord, ...]
    blocks: int
    found: Recommendation

    @property
    def answer(self) -> int | None:
        """A position in WORKERS."""
        workers = self.found.workers
        return None if workers is None else WORKERS.index(workers)

    @property
    def firm(self) -> bool:
        return self.answer is not None and not self.found.smaller_unsettled

    @property
    def disagree(self) -> bool:
        assert self.found.loads is not None
        return self.found.loads.disagree


def loads_study(truths: Truths, deviation: float, rng: np.random.Generator, rule: Rule = RULE) -> LoadsStudy:
    """Until the planned looks stop it. The host varies between blocks, and between the loads of one."""
    rule, loads = dataclasses.replace(rule, loads=len(truths)), tuple(sorted(truths))
    hosts = {load: Host(rng) for load in loads}
    records: list[RunRecord] = []
    eliminated: dict[float | None, dict[Configuration, int]] = {load: {} for load in loads}
    allotments: Mapping[float | None, Allotment] = {}
    for number in range(1, rule.looks[-1] + 1):
        given: dict[float | None, Allotment] = {load: allotments.get(load, EVERY_ONE) for load in loads}
        gone = {load: {*eliminated[load], *given[load].resting} for load in loads}
        twice = {load: one.twice for load, one in given.items()}
        for plan in block_under_loads(ALL, gone, number, 0, Configuration(REFERENCE), twice=twice):
            assert plan.load is not None
            level = truths[plan.load][WORKERS.index(plan.configuration.workers)]
            speed = hosts[plan.load].in_block(number)
            rps = math.exp(5 + level + speed + rng.normal(0, deviation))
            records.append(RunRecord(plan, Verdict.VALID, "", 20.0, figures_of(rps)))
        seen = look_under_loads(records, ALL, rule, loads, eliminated, number)
        if seen.last:
            break
        for load, dropped in seen.dropped.items():
            eliminated[load].update({s.configuration: number for s in dropped})
        allotments = seen.allotments
    anywhere = {c: after for one in eliminated.values() for c, after in one.items()}
    facts = StudyFacts(
        "simulated", ALL, rule, anywhere, False, True, {}, users=round(loads[-1]), loads=loads,
        eliminated_under=eliminated,
    )  # fmt: skip
    return LoadsStudy(tuple(records), number, recommend_under_loads(facts, records))


def good_under_all(truths: Truths, rule: Rule = RULE) -> set[int]:
    """Positions in WORKERS within the tolerance of the best under every load."""
    return {
        place
        for place in range(len(WORKERS))
        if all(max(levels) - levels[place] <= rule.margin for levels in truths.values())
    }
