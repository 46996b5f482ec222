"""When a study stops, and which configurations it drops before. The rule itself is in
statistics/interim_looks.py and, for several loads, statistics/several_loads.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sweeper.checks.pool import pool_ignored
from sweeper.records.configuration import Configuration
from sweeper.records.finding import FindingCode, Verdict
from sweeper.records.run import RunRecord
from sweeper.statistics.criteria import Rule, far_behind
from sweeper.statistics.interim_looks import Allotment
from sweeper.statistics.several_loads import Eliminated, Load, look_under_loads, runs_under
from sweeper.statistics.standing import OUT, Standing


def ignores_worker_count(records: Sequence[RunRecord]) -> bool:
    """One run is enough: its server said that its pool has another size than was asked for."""
    return any(record.has(FindingCode.POOL_SIZE_NOT_APPLIED) for record in records)


def hopeless(records: Sequence[RunRecord]) -> bool:
    """After a whole block: nothing ran at all, or the worker count demonstrably does nothing."""
    return all(r.verdict is Verdict.FAILED for r in records) or pool_ignored(records) is not None


@dataclass(frozen=True, slots=True)
class Next:
    """How a study goes on after a block. Each by load."""

    stops: bool = False
    dropped: Mapping[Load, Mapping[Configuration, str]] = field(default_factory=dict)  # and why
    allotments: Mapping[Load, Allotment] = field(default_factory=dict)  # of the next block's runs


def after_block(
    block: int,
    records: Sequence[RunRecord],
    configurations: Sequence[Configuration],
    rule: Rule,
    loads: Sequence[Load],
    eliminated: Eliminated,
) -> Next:
    """What follows from `block`, a whole one. `loads` are in order; only under the largest must all workers
    be busy. `eliminated` is what was dropped before, and after which block."""
    if hopeless(runs_under(loads[-1], records)):
        return Next(stops=True)
    seen = look_under_loads(records, configurations, rule, loads, eliminated, block)
    if seen.last:
        return Next(stops=True)
    return Next(
        dropped={load: _why(of, rule) for load, of in seen.dropped.items()}, allotments=seen.allotments
    )


def _why(dropped: Sequence[Standing], rule: Rule) -> dict[Configuration, str]:
    return {
        s.configuration: s.why if s.feasible in OUT else far_behind(s.at_least, (rule.objective,))
        for s in dropped
    }
