"""One answer for several loads: each load is decided by its own runs, then the decisions are combined.

A value is acceptable if it is so under every load, and excluded if it is so under one of them. The answer is
the smallest acceptable value once every smaller one is excluded. How rarely that is wrong, and why:
sweeper/docs/method/error-budget.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sweeper.records.configuration import Configuration
from sweeper.records.run import RunRecord
from sweeper.statistics.blocks_needed import HOPE, NOT_BEFORE, hopes
from sweeper.statistics.criteria import CandidateState, Rule
from sweeper.statistics.decision import Decision, decide
from sweeper.statistics.interim_looks import (
    EVERY_ONE,
    FEWEST_IN_A_BLOCK,
    MIN_VALID_BLOCKS,
    Allotment,
    look,
    valid_blocks,
)
from sweeper.statistics.standing import OUT, Standing

Load = float | None
"""Users, or requests/s; None: the one load of its study."""
Eliminated = Mapping[Load, Mapping[Configuration, int]]
"""By load: what is excluded under it, and the block after which it was."""


@dataclass(frozen=True, slots=True)
class LoadsDecision:
    """What the decisions under each load say together."""

    by_load: Mapping[float, Decision]  # in order of load
    states: Mapping[Configuration, CandidateState]  # under all loads together, in order of configuration
    answer: Configuration | None  # the smallest acceptable one; None without one
    open_values: tuple[Configuration, ...]  # unsettled ones below the answer; without one, all of them

    @property
    def settled(self) -> bool:
        return self.answer is not None and not self.open_values

    @property
    def impossible(self) -> tuple[float, ...]:
        """Loads under which no value is left: nothing can be the answer."""
        return tuple(load for load, one in self.by_load.items() if all(s.state in OUT for s in one.standings))

    @property
    def disagree(self) -> bool:
        """Each value is excluded under some load, though each load has values left."""
        return not self.impossible and all(state in OUT for state in self.states.values())

    def standing(self, load: float, configuration: Configuration) -> Standing:
        return next(s for s in self.by_load[load].standings if s.configuration == configuration)

    def to_settle(self, load: float) -> tuple[Configuration, ...]:
        """The open values that this load keeps open."""
        return tuple(
            value
            for value in self.open_values
            if self.standing(load, value).state is not CandidateState.ACCEPTABLE
        )

    @property
    def blocks_needed(self) -> int | None:
        """After which all loads would be settled, if today's estimates were the truth; None: they are, or it
        is out of sight."""
        left = [one.blocks_needed for load, one in self.by_load.items() if self.to_settle(load)]
        known = [blocks for blocks in left if blocks is not None]
        return max(known) if known and len(known) == len(left) else None


@dataclass(frozen=True, slots=True)
class LoadsLook:
    """What follows from the records after a block. Each by load."""

    dropped: Mapping[Load, tuple[Standing, ...]] = field(default_factory=dict)  # excluded by this look
    allotments: Mapping[Load, Allotment] = field(default_factory=dict)  # of the next block's runs
    last: bool = False  # no more blocks are to be made


def runs_under(load: Load, records: Sequence[RunRecord]) -> list[RunRecord]:
    return [record for record in records if record.plan.load == load]


def decide_under_loads(
    records: Sequence[RunRecord],
    configurations: Sequence[Configuration],
    rule: Rule,
    loads: Sequence[float],
    eliminated: Eliminated,
) -> LoadsDecision:
    """Decide under each of `loads` by the runs under it, with `rule.loads` of them; then combine."""
    return combined(
        {
            load: decide(
                runs_under(load, records), configurations, rule, eliminated=tuple(eliminated.get(load, ()))
            )
            for load in loads
        }
    )


def combined(by_load: Mapping[float, Decision]) -> LoadsDecision:
    under: dict[Configuration, list[CandidateState]] = {}
    for decision in by_load.values():
        for standing in decision.standings:
            under.setdefault(standing.configuration, []).append(standing.state)
    states = {value: _together(found) for value, found in under.items()}
    answer = next((value for value, state in states.items() if state is CandidateState.ACCEPTABLE), None)
    open_values = tuple(
        value
        for value, state in states.items()
        if state is CandidateState.UNSETTLED and (answer is None or value < answer)
    )
    return LoadsDecision(by_load, states, answer, open_values)


def _together(states: Collection[CandidateState]) -> CandidateState:
    for one in (CandidateState.EXCLUDED, CandidateState.UNMEASURED, CandidateState.UNSETTLED):
        if one in states:
            return one
    return CandidateState.ACCEPTABLE


def look_under_loads(
    records: Sequence[RunRecord],
    configurations: Sequence[Configuration],
    rule: Rule,
    loads: Sequence[Load],
    eliminated: Eliminated,
    block: int,
) -> LoadsLook:
    """Look at the study after `block` under each load, then at all of them together."""
    seen = {
        load: look(runs_under(load, records), configurations, rule, eliminated.get(load, {}), block)
        for load in loads
    }
    dropped = {load: one.dropped for load, one in seen.items()}
    if len(loads) == 1:
        only = seen[loads[0]]
        return LoadsLook(dropped, {loads[0]: only.allotment}, only.last)
    decisions = {
        load: one.decision for load, one in seen.items() if load is not None and one.decision is not None
    }
    if len(decisions) < len(loads) or block not in rule.looks:
        return LoadsLook(dropped, last=any(_nothing_left(one, configurations) for one in decisions.values()))
    found = combined(decisions)
    enough = {
        load: valid_blocks(runs_under(load, records), one, eliminated.get(load, {})) >= MIN_VALID_BLOCKS
        for load, one in decisions.items()
    }
    if found.disagree:  # then each load has an answer of its own
        over = all(one.settled or one.futile for one in decisions.values())
    else:
        over = found.settled or hardly_settled(found, rule, block)
    last = bool(found.impossible) or block >= rule.looks[-1] or (over and all(enough.values()))
    allotments: dict[Load, Allotment] = {
        load: _allotment(found, load, eliminated.get(load, {})) if enough[load] else EVERY_ONE
        for load in decisions
    }
    return LoadsLook(dropped, allotments, last)


def _nothing_left(decision: Decision, configurations: Sequence[Configuration]) -> bool:
    return sum(s.state in OUT for s in decision.standings) == len(configurations)


def _allotment(found: LoadsDecision, load: float, eliminated: Collection[Configuration]) -> Allotment:
    """A live value rests under a load if its runs there would not help to settle an open value, as in
    `interim_looks.allotment`. A value that another load excludes is no answer, but it may be the best under
    this load. It rests once each open value is shown to be within the tolerance of it. If a load keeps
    nothing open, all of its values rest."""
    decision = found.by_load[load]
    live = {
        s.configuration
        for s in decision.standings
        if s.configuration not in eliminated and s.state not in OUT
    }
    if found.disagree:
        done = decision.settled or decision.futile
        return Allotment(frozenset(live)) if done else EVERY_ONE
    first = found.to_settle(load)
    if not first:
        return Allotment(frozenset(live))
    open_ones = [found.standing(load, value) for value in first]
    if any(s.why for s in open_ones):
        return EVERY_ONE
    resting = frozenset.intersection(*(s.within_margin_of for s in open_ones)) & live - set(first)
    if len(live) - len(resting) < FEWEST_IN_A_BLOCK:
        return EVERY_ONE
    # The runs of a value that can still be the answer go to what is open; those of others are saved.
    given = sum(found.states[value] not in OUT for value in resting)
    staying = [*first, *sorted(live - resting - set(first))]
    return Allotment(resting, frozenset(staying[:given]))


def hardly_settled(found: LoadsDecision, rule: Rule, block: int) -> bool:
    """Whether the last look will hardly settle what is open, as `blocks_needed.futile` says for one load. A
    value must be accepted under all loads, or excluded under one. So the least chance of acceptance and the
    largest chance of exclusion count."""
    if not NOT_BEFORE <= block / rule.looks[-1] < 1 or not found.open_values:
        return False
    chances = [_chances(found, value, rule, block) for value in found.open_values]
    if found.answer is not None:
        return any(accepted + excluded < HOPE for accepted, excluded in chances)
    return all(accepted < HOPE for accepted, _ in chances)


def _chances(found: LoadsDecision, value: Configuration, rule: Rule, block: int) -> tuple[float, float]:
    each = [
        hopes(found.standing(load, value), decision.standings, decision.model, rule, block)
        for load, decision in found.by_load.items()
        if value in found.to_settle(load) and decision.model is not None
    ]
    return min((a for a, _ in each), default=1.0), max((e for _, e in each), default=1.0)
