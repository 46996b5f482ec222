"""Recommendations of studies whose runs are given by level."""

from __future__ import annotations

from collections.abc import Sequence

from sweeper.analysis.recommendation import StudyFacts, recommend
from sweeper.records.answer import Recommendation
from sweeper.records.configuration import Configuration
from sweeper.records.run import RunRecord
from sweeper.statistics.criteria import Rule
from tests.support.builders import configurations, study
from tests.support.decisions import around

RULE = Rule()
TEN = {1: 100.0, 4: 140.0, 8: 140.5, 16: 139.0, 32: 90.0}


def levels(table: dict[int, float], blocks: int = 4) -> list[RunRecord]:
    return study({workers: around(level)[:blocks] for workers, level in table.items()})


def answer(
    records: Sequence[RunRecord],
    rule: Rule = RULE,
    *,
    workers: Sequence[int] = (),
    eliminated: dict[int, int] | None = None,
    complete: bool = True,
    of_a_search: bool = False,
) -> Recommendation:
    counts = workers or sorted({r.configuration.workers for r in records})
    gone = {Configuration(count): block for count, block in (eliminated or {}).items()}
    facts = StudyFacts(
        "s", configurations(*counts), rule, gone, False, complete, {"cores": 2}, of_a_search=of_a_search
    )
    return recommend(facts, records)
