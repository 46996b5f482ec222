"""From the runs of several loads to one recommendation: what each load shows, and what all show together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sweeper.analysis.reason import aim, nearest_miss, no_valid_run
from sweeper.analysis.recommendation import Conclusion, Judged, StudyFacts, answered, recommend
from sweeper.records.answer import Recommendation, SeveralLoads, Status, UnderLoad
from sweeper.records.configuration import Configuration
from sweeper.records.run import RunRecord, valid_runs
from sweeper.records.wording import Names, and_join, limit_ms, load_in_words, loads_in_words, percent
from sweeper.statistics.candidates import candidate
from sweeper.statistics.decision import Decision
from sweeper.statistics.interim_looks import valid_blocks
from sweeper.statistics.several_loads import LoadsDecision, decide_under_loads, hardly_settled, runs_under
from sweeper.statistics.standing import OUT, Standing


def recommend_under_loads(facts: StudyFacts, records: Sequence[RunRecord]) -> Recommendation:
    """The answer that holds under every load of `facts.loads`, or what the answer of each load is.

    Figures, candidates and cause are those of the largest load. Pure, as `recommend`."""
    rule, largest = facts.rule, max(facts.loads)
    at_random = facts.arrivals_per_s is not None
    found = decide_under_loads(records, facts.configurations, rule, facts.loads, facts.eliminated_under)
    own = {load: runs_under(load, records) for load in facts.loads}
    blocks = {
        load: valid_blocks(own[load], decision, facts.eliminated_under.get(load, {}))
        for load, decision in found.by_load.items()
    }
    words = _Words(facts, found, at_random)
    judged = Judged(
        decision=_together(found, largest, facts, records, words),
        blocks=min(blocks.values()),
        verdict=_verdict(facts, found, own, min(blocks.values()), words),
        every_run=records,
    )
    shown = recommend(facts, own[largest], judged)
    under = tuple(
        UnderLoad(
            load=load,
            configuration=decision.answer,
            settled=decision.settled,
            blocks=blocks[load],
            candidates=tuple(
                candidate(
                    s, own[load], facts.eliminated_under.get(load, {}).get(s.configuration), rule.confidence
                )
                for s in decision.standings
            ),
        )
        for load, decision in found.by_load.items()
    )
    return replace(
        shown,
        elapsed_s=sum(record.elapsed_s for record in records),
        loads=SeveralLoads(at_random, found.disagree and shown.configuration is None, under),
    )


def _together(
    found: LoadsDecision, largest: float, facts: StudyFacts, records: Sequence[RunRecord], words: _Words
) -> Decision:
    """As the decision of the largest load, with the states under all loads."""
    base = found.by_load[largest]
    block = max((record.plan.block for record in records), default=0)
    return replace(
        base,
        standings=tuple(_combined(standing, found, words) for standing in base.standings),
        answer=found.answer,
        settled=found.settled,
        smaller_unsettled=found.open_values if found.answer is not None else (),
        blocks_needed=found.blocks_needed,
        futile=hardly_settled(found, facts.rule, block),
    )


def _combined(standing: Standing, found: LoadsDecision, words: _Words) -> Standing:
    """What speaks against the value names the load."""
    own = {load: found.standing(load, standing.configuration) for load in found.by_load}
    said = [f"{one.why} under {words.load(load)}" for load, one in own.items() if one.why]
    out = [one.feasible for one in own.values() if one.feasible in OUT]
    return replace(
        standing,
        state=found.states[standing.configuration],
        feasible=out[0] if out else standing.feasible,
        why="; ".join(said),
    )


def _verdict(
    facts: StudyFacts,
    found: LoadsDecision,
    own: Mapping[float, Sequence[RunRecord]],
    blocks: int,
    words: _Words,
) -> Conclusion:
    records = [record for runs in own.values() for record in runs]
    for load, decision in found.by_load.items():
        measured = any(record.figures is not None for record in own[load])
        if measured and all(standing.feasible in OUT for standing in decision.standings):
            miss = nearest_miss(decision, own[load], facts.rule)
            return Status.INFEASIBLE, None, f"under {words.load(load)}, {miss}"
    if not valid_runs(records):
        return Status.INCONCLUSIVE, None, no_valid_run(records)
    if found.impossible:
        load = found.impossible[0]
        return (
            Status.INCONCLUSIVE,
            None,
            f"nothing is left under {words.load(load)}: {words.ruled_out(load)}.",
        )
    if found.disagree:
        return Status.INCONCLUSIVE, None, words.disagree()
    if found.answer is None:
        return Status.INCONCLUSIVE, None, words.undecided()
    return answered(facts, blocks, found.answer, words.grounds(found.answer))


class _Words:
    """The sentences of a study of several loads."""

    def __init__(self, facts: StudyFacts, found: LoadsDecision, at_random: bool) -> None:
        self._facts, self._found, self._at_random = facts, found, at_random
        self._names = Names(found.states)

    def load(self, load: float) -> str:
        return load_in_words(load, at_random=self._at_random)

    @property
    def _every_load(self) -> str:
        return loads_in_words(self._facts.loads, at_random=self._at_random)

    @property
    def _aim(self) -> str:
        rule = self._facts.rule
        slo = "" if rule.slo_p99_ms is None else f" and p99 within {limit_ms(rule.slo_p99_ms)}"
        return f"{aim(rule)}{slo}"

    def grounds(self, answer: Configuration) -> list[str]:
        """What is shown, then what that means for the smaller and the larger values."""
        names, states = self._names, self._found.states
        clauses = [
            f"{names.full(answer)} {names.verb(answer, 'gives', 'give')} {self._aim} under each of "
            f"{self._every_load} ({percent(self._facts.rule.confidence)} confidence)"
        ]
        smaller = [value for value in states if value < answer]
        clauses += self._excluded([value for value in smaller if states[value] in OUT], "does not", "do not")
        if self._found.open_values:
            which = names.all(self._found.open_values)
            clauses.append(f"the runs do not settle whether {which} would do as well{self._blocks()}")
        larger = [value for value in states if value > answer and states[value] not in OUT]
        if larger:
            clauses.append(f"{names.all(larger)} would bring no gain that matters")
        clauses += self._excluded(
            [value for value in states if value > answer and states[value] in OUT], "is worse", "are worse"
        )
        return clauses

    def _excluded(self, values: Sequence[Configuration], one: str, several: str) -> list[str]:
        """Those that every load excludes in one clause, then others by the first load that does."""
        by_load: dict[float | None, list[Configuration]] = {}
        for value in values:
            out = [load for load in self._found.by_load if self._found.standing(load, value).state in OUT]
            by_load.setdefault(None if len(out) == len(self._found.by_load) else out[0], []).append(value)
        return [
            f"{'' if load is None else f'under {self.load(load)}, '}{self._names.all(those)} "
            f"{self._names.verb_of_all(those, one, several)}{self._why(load, those)}"
            for load, those in sorted(by_load.items(), key=lambda item: -1.0 if item[0] is None else item[0])
        ]

    def _why(self, load: float | None, values: Sequence[Configuration]) -> str:
        """What besides the gap speaks against one of them."""
        under = self._facts.loads[0] if load is None else load
        said = [why for value in values if (why := self._found.standing(under, value).why)]
        return f" ({said[0]})" if said else ""

    def ruled_out(self, load: float) -> str:
        standings = self._found.by_load[load].standings
        return and_join([f"{self._names.short(s.configuration)} {s.why or 'is worse'}" for s in standings])

    def disagree(self) -> str:
        """Each load's own answer, which holds at the study's confidence by itself."""
        answers = [self._own(load, decision) for load, decision in self._found.by_load.items()]
        return (
            f"the loads disagree: no {self._names.kind} gives {self._aim} under each of {self._every_load}; "
            f"alone, {and_join(answers)} ({percent(self._facts.rule.confidence)} confidence for each load)."
        )

    def _own(self, load: float, decision: Decision) -> str:
        """`10 users need 1 worker`, with what that leaves open."""
        if decision.answer is not None and decision.settled:
            return f"{self.load(load)} need {self._names.full(decision.answer)}"
        left = [s.configuration for s in decision.standings if s.state not in OUT]
        return f"{self.load(load)} leave {self._names.all(left)} unsettled"

    def undecided(self) -> str:
        found, names = self._found, self._names
        which = names.all(found.open_values)
        clauses = [
            f"the runs do not settle at {percent(self._facts.rule.confidence)} confidence which of {which} "
            f"give {self._aim} under each of {self._every_load}"
            if len(found.open_values) > 1
            else f"only {which} {names.verb_of_all(found.open_values, 'is', 'are')} still possible, but the "
            f"runs do not show {self._aim} under each of {self._every_load}",
            f"{self._open_under()} keep that open{self._blocks()}",
        ]
        clauses += [
            f"{names.short(value)}: {found.standing(load, value).why} under {self.load(load)}"
            for load in found.by_load
            for value in found.to_settle(load)
            if found.standing(load, value).why
        ][:2]
        if not self._facts.complete:
            clauses.append("the study is not finished")
        return f"{'; '.join(clauses)}."

    def _open_under(self) -> str:
        open_under = [load for load in self._found.by_load if self._found.to_settle(load)]
        return loads_in_words(open_under, at_random=self._at_random)

    def _blocks(self) -> str:
        needed = self._found.blocks_needed
        return f" (about {needed} blocks would tell)" if needed else ""
