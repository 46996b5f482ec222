"""Looks at a study under way: when the rule may be applied, whom it drops, and when it stops."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sweeper.records import BlockKey, Configuration, RunRecord, Verdict
from sweeper.statistics.decision import Decision, Rule, Standing, State, decide

ELIMINATION_AFTER = 2  # blocks, from which an excluded configuration is dropped
MIN_VALID_BLOCKS = 3  # fewer give a provisional answer at best


@dataclass(frozen=True, slots=True)
class Look:
    """What follows from the records after a block. `decision` is None where no look was planned."""

    decision: Decision | None = None
    dropped: tuple[Standing, ...] = ()
    last: bool = False


def look(
    records: Sequence[RunRecord],
    configurations: Sequence[Configuration],
    rule: Rule,
    eliminated: Mapping[Configuration, int],
    block: int,
) -> Look:
    """Look at the study after `block`, if that was planned; nothing in between, or the error would grow.

    `eliminated` maps what was dropped before to the block after which it was. An answer that stands on
    fewer than three valid blocks is not the last word while blocks are left.
    """
    planned = block in rule.looks
    if not planned and block != ELIMINATION_AFTER:
        return Look()
    decision = decide(records, configurations, rule, eliminated=tuple(eliminated), elimination=not planned)
    dropped = tuple(
        s for s in decision.standings if s.state is State.EXCLUDED and s.configuration not in eliminated
    )
    gone = {**eliminated, **{s.configuration: block for s in dropped}}
    enough = valid_blocks(records, decision, gone) >= MIN_VALID_BLOCKS
    last = len(gone) == len(configurations) or (
        planned and ((decision.settled and enough) or block >= rule.looks[-1])
    )
    return Look(decision, dropped, last)


def valid_blocks(
    records: Sequence[RunRecord], decision: Decision, eliminated: Collection[Configuration]
) -> int:
    """Blocks in which every configuration that is still live has a valid run.

    One that was dropped, broke a limit, or never had a valid run, is not waited for: its runs of a block may
    be suspect, and the others' are compared all the same.
    """
    valid: dict[BlockKey, set[Configuration]] = {}
    for record in records:
        if record.verdict is Verdict.VALID:
            valid.setdefault(record.plan.block_key, set()).add(record.configuration)
    needed = [
        s.configuration
        for s in decision.standings
        if s.configuration not in eliminated
        and s.feasible is not State.EXCLUDED
        and any(s.configuration in seen for seen in valid.values())
    ]
    return sum(1 for seen in valid.values() if all(configuration in seen for configuration in needed))
