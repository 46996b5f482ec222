"""When a study stops, and which configurations it drops before. The rule itself is statistics/looks.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sweeper.checks.pool import pool_ignored
from sweeper.records.configuration import Configuration
from sweeper.records.finding import FindingCode, Verdict
from sweeper.records.run import RunRecord
from sweeper.statistics.criteria import Rule, far_behind
from sweeper.statistics.looks import EVERY_ONE, Allotment, look
from sweeper.statistics.standing import OUT


def ignores_worker_count(records: Sequence[RunRecord]) -> bool:
    """One run is enough: its server said that its pool has another size than was asked for."""
    return any(record.has(FindingCode.POOL_SIZE_NOT_APPLIED) for record in records)


def hopeless(records: Sequence[RunRecord]) -> bool:
    """After a whole block: nothing ran at all, or the worker count demonstrably does nothing."""
    return all(r.verdict is Verdict.FAILED for r in records) or pool_ignored(records) is not None


@dataclass(frozen=True, slots=True)
class Next:
    """How a study goes on after a block."""

    stops: bool = False
    dropped: Mapping[Configuration, str] = field(default_factory=dict)  # and why
    allotment: Allotment = EVERY_ONE  # of the next block's runs


def after_block(
    block: int,
    records: Sequence[RunRecord],
    configurations: Sequence[Configuration],
    rule: Rule,
    eliminated: Mapping[Configuration, int],
) -> Next:
    """What follows from `block`, a whole one. `eliminated` is what was dropped before, and after which
    block."""
    if hopeless(records):
        return Next(stops=True)
    seen = look(records, configurations, rule, eliminated, block)
    if seen.last:
        return Next(stops=True)
    dropped = {
        s.configuration: s.why if s.feasible in OUT else far_behind(s.at_least, (rule.objective,))
        for s in seen.dropped
    }
    return Next(dropped=dropped, allotment=seen.allotment)
