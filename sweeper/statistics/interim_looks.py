"""Looks at a running study: when sweeper applies the rule, what it drops, and when it stops."""

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
FEWEST_IN_A_BLOCK = 2  # configurations: fewer are compared with nothing
MIN_VALID_BLOCKS = 3  # fewer give a provisional answer at best


@dataclass(frozen=True, slots=True)
class Allotment:
    """Where the runs of the next block go; each live configuration that is not named has one."""

    resting: frozenset[Configuration] = frozenset()  # have none
    twice: frozenset[Configuration] = frozenset()  # have two


EVERY_ONE = Allotment()


@dataclass(frozen=True, slots=True)
class Look:
    """What follows from the records after a block."""

    decision: Decision | None = None  # None: no look was planned
    dropped: tuple[Standing, ...] = ()  # by this look
    last: bool = False  # no more blocks are to be made
    allotment: Allotment = EVERY_ONE


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
    return Look(decision, dropped, last, allotment(decision, eliminated) if planned and enough else EVERY_ONE)


def allotment(decision: Decision, eliminated: Collection[Configuration]) -> Allotment:
    """A live configuration rests if its runs would not help to settle an open one: the limit that accepts
    already shows each open one to be within the tolerance of it. That is premature only if this limit errs,
    and the error budget allows for that (docs/method/error-budget.md). The saved run goes to an open
    configuration, or to one that the open ones are compared with."""
    standings, first = decision.standings, decision.smaller_unsettled  # empty without an answer
    open_ones = [s for s in standings if s.configuration in first]
    if not open_ones or any(s.why for s in open_ones):
        return EVERY_ONE
    live = {s.configuration for s in standings if s.configuration not in eliminated and s.state not in OUT}
    shown = frozenset.intersection(*(s.within_margin_of for s in open_ones))
    resting = shown & live - set(first)
    if len(live) - len(resting) < FEWEST_IN_A_BLOCK:
        return EVERY_ONE
    staying = [*first, *sorted(live - resting - set(first))]
    return Allotment(resting, frozenset(staying[: len(resting)]))


def _look_between(
    records: Sequence[RunRecord],
    configurations: Sequence[Configuration],
    rule: Rule,
    eliminated: Mapping[Configuration, int],
    block: int,
) -> Look:
    """Drop a configuration that cannot work, after any block. That its server does not serve, or that none
    of its runs counts, is no estimate, and so spends nothing of the error budget."""
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
    """Blocks in which every configuration that is still live has a valid run; once there are three of these,
    also blocks in which some rest, and all others have one.

    One that was dropped, broke a limit, or never had a valid run, is not waited for: its runs of a block may
    be suspect, and the others' are compared all the same.
    """
    valid: dict[BlockKey, set[Configuration]] = {}
    made: dict[BlockKey, set[Configuration]] = {record.plan.block_key: set() for record in records}
    for record in records:
        made[record.plan.block_key].add(record.configuration)
    for record, _ in valid_runs(records):
        valid.setdefault(record.plan.block_key, set()).add(record.configuration)
    needed = {
        s.configuration
        for s in decision.standings
        if s.configuration not in eliminated
        and s.feasible not in OUT
        and any(s.configuration in seen for seen in valid.values())
    }
    whole = sum(needed <= seen for seen in valid.values())
    if whole < MIN_VALID_BLOCKS:
        return whole
    return whole + sum(
        not needed <= made[block]
        and len(needed & made[block]) >= FEWEST_IN_A_BLOCK
        and needed & made[block] <= seen
        for block, seen in valid.items()
    )
