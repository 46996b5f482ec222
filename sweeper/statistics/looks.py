"""Looks at a study under way: when the rule may be applied, whom it drops, and when it stops."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sweeper.records.configuration import Configuration
from sweeper.records.run import BlockKey, RunRecord, valid_runs
from sweeper.statistics.criteria import Rule
from sweeper.statistics.decision import Decision, decide
from sweeper.statistics.feasibility import cannot_work
from sweeper.statistics.standing import OUT, Standing

ELIMINATION_AFTER = 2  # blocks, from which an excluded configuration is dropped
MIN_VALID_BLOCKS = 3  # fewer give a provisional answer at best


@dataclass(frozen=True, slots=True)
class Look:
    """What follows from the records after a block."""

    decision: Decision | None = None  # None: no look was planned
    dropped: tuple[Standing, ...] = ()  # by this look
    last: bool = False  # no more blocks are to be made


def look(
    records: Sequence[RunRecord],
    configurations: Sequence[Configuration],
    rule: Rule,
    eliminated: Mapping[Configuration, int],
    block: int,
) -> Look:
    """Look at the study after `block`, if that was planned; in between only for a value that cannot work, or
    the error would grow.

    `eliminated` maps what was dropped before to the block after which it was. An answer that stands on
    fewer than three valid blocks is not the last word while blocks are left.
    """
    planned = block in rule.looks
    if block < ELIMINATION_AFTER and not planned:
        return Look()
    if not planned and block != ELIMINATION_AFTER:
        return _look_between(records, configurations, rule, eliminated, block)
    decision = decide(records, configurations, rule, eliminated=tuple(eliminated), elimination=not planned)
    dropped = tuple(s for s in decision.standings if s.state in OUT and s.configuration not in eliminated)
    # What this look excludes has to have its valid blocks, too: the answer says that it is worse.
    enough = valid_blocks(records, decision, eliminated) >= MIN_VALID_BLOCKS
    last = len(eliminated) + len(dropped) == len(configurations) or (
        planned and (((decision.settled or decision.futile) and enough) or block >= rule.looks[-1])
    )
    return Look(decision, dropped, last)


def _look_between(
    records: Sequence[RunRecord],
    configurations: Sequence[Configuration],
    rule: Rule,
    eliminated: Mapping[Configuration, int],
    block: int,
) -> Look:
    """Whoever cannot work is dropped after any block: that its server does not serve, or that no run of it
    counts, is no estimate, and costs nothing of what looks may err."""
    gone = {
        configuration
        for configuration in configurations
        if configuration not in eliminated and cannot_work(records, configuration) is not None
    }
    if not gone:
        return Look()
    decision = decide(records, configurations, rule, eliminated=(*eliminated, *gone))
    dropped = tuple(s for s in decision.standings if s.configuration in gone)
    return Look(decision, dropped, len(eliminated) + len(gone) == len(configurations))


def valid_blocks(
    records: Sequence[RunRecord], decision: Decision, eliminated: Collection[Configuration]
) -> int:
    """Blocks in which every configuration that is still live has a valid run.

    One that was dropped, broke a limit, or never had a valid run, is not waited for: its runs of a block may
    be suspect, and the others' are compared all the same.
    """
    valid: dict[BlockKey, set[Configuration]] = {}
    for record, _ in valid_runs(records):
        valid.setdefault(record.plan.block_key, set()).add(record.configuration)
    needed = [
        s.configuration
        for s in decision.standings
        if s.configuration not in eliminated
        and s.feasible not in OUT
        and any(s.configuration in seen for seen in valid.values())
    ]
    return sum(1 for seen in valid.values() if all(configuration in seen for configuration in needed))
