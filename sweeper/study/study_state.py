"""Where a study stands, and what is to be made next: by its plan, records and claims alone.

It is the same on every host and after every resume, for nothing else is state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sweeper.analysis.confirmation import arrival_rate
from sweeper.analysis.recommendation import StudyFacts, recommend
from sweeper.analysis.several_loads import recommend_under_loads
from sweeper.records.answer import Recommendation
from sweeper.records.claims import Claim, Shared
from sweeper.records.configuration import Configuration
from sweeper.records.run import Capacity, Objective, RunKind, RunPlan, RunRecord
from sweeper.records.wording import load_in_words
from sweeper.run.timing import RunSettings
from sweeper.statistics.capacity import expected_rps
from sweeper.statistics.criteria import Rule
from sweeper.statistics.interim_looks import EVERY_ONE, Allotment
from sweeper.statistics.several_loads import Eliminated, Load
from sweeper.study.block_order import block_under_loads, confirmation_plan
from sweeper.study.observer import Progress
from sweeper.study.sharing import choose
from sweeper.study.stopping import after_block, ignores_worker_count


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What a study will do, fixed before its first run."""

    name: str
    configurations: tuple[Configuration, ...]
    rule: Rule
    seed: int  # of the order of runs within blocks
    reference: Configuration  # DRUM's default, or what of the configurations comes closest to it
    run: RunSettings
    fingerprint: str  # of `environment`
    environment: dict[str, object]  # as in environment.json, of the host that began the study
    confirm: bool = False  # the answer, by open-loop runs of it and the reference
    users: int | None = None  # of the load; None: not known, or none
    arrivals_per_s: float | None = None  # requests/s at random; None: users who wait for each answer
    not_confirmed: str = ""  # why the confirmation that was asked for cannot be; empty where it can
    launcher: str = "fastapi"
    cost_per_hour: float | None = None  # of one server; None: not known
    plan_for_rps: float | None = None  # requests/s that are wanted in all; None: none
    # several, in order: users or, with `arrivals_per_s`, requests/s; the largest is in those fields
    loads: tuple[float, ...] = ()
    of_a_search: bool = False  # the configurations are the finalists of a search, which tried others, too

    @property
    def max_blocks(self) -> int:
        return self.rule.looks[-1]

    @property
    def each_load(self) -> tuple[Load, ...]:
        """In order, the largest last."""
        return self.loads or (None,)

    def block(
        self,
        number: int,
        eliminated: Eliminated,
        attempt: int = 0,
        allotments: Mapping[Load, Allotment] | None = None,
    ) -> tuple[RunPlan, ...]:
        """`eliminated` may know of later blocks."""
        given = {load: (allotments or {}).get(load, EVERY_ONE) for load in self.each_load}
        gone = {
            load: {c for c, after in eliminated.get(load, {}).items() if after < number} | found.resting
            for load, found in given.items()
        }
        twice = {load: found.twice for load, found in given.items()}
        return block_under_loads(self.configurations, gone, number, self.seed, self.reference, attempt, twice)

    @property
    def runs_at_most(self) -> int:
        return sum(len(self.block(number, {})) for number in range(1, self.max_blocks + 1))


@dataclass(slots=True)
class StudyState:
    """Where a study stands. Made by `study_state_of` only."""

    plan: StudyPlan
    records: list[RunRecord] = field(default_factory=list)  # of the blocks
    eliminated: dict[Load, dict[Configuration, int]] = field(default_factory=dict)  # and after which block
    # under any load: after which block first, and why
    dropped: dict[Configuration, tuple[int, str]] = field(default_factory=dict)
    allotments: dict[int, Mapping[Load, Allotment]] = field(default_factory=dict)  # by block
    finished: bool = False  # it is decided: no further block
    confirming: list[RunRecord] = field(default_factory=list)  # of the confirmation
    left_to_confirm: list[RunPlan] = field(default_factory=list)  # of the confirmation, not recorded

    @property
    def resting(self) -> frozenset[Configuration]:
        """In the next block, under every load."""
        given = self.allotments[max(self.allotments)] if self.allotments else {}
        return frozenset.intersection(*(given.get(load, EVERY_ONE).resting for load in self.plan.each_load))

    def planned(self, block: int, attempt: int = 0, records: Sequence[RunRecord] = ()) -> tuple[RunPlan, ...]:
        """The runs of a block, planned from what was known before it. If `records` are of an earlier version,
        in which no configuration rested, the block stays as that version planned it."""
        known = [number for number in self.allotments if number <= block]
        allotments = self.allotments[max(known)] if known else {}
        wanted = self._expecting(block, self.plan.block(block, self.eliminated, attempt, allotments), records)
        made = {
            record.plan.run_id
            for record in records
            if (record.plan.kind, record.plan.block_key) == (RunKind.BLOCK, (block, attempt))
        }
        return wanted if made <= set(_ids(wanted)) else self.plan.block(block, self.eliminated, attempt)

    def _expecting(
        self, block: int, runs: tuple[RunPlan, ...], records: Sequence[RunRecord]
    ) -> tuple[RunPlan, ...]:
        """With the capacity as the objective, each run looks around where those of earlier blocks, or of a
        search before them, found it."""
        if self.plan.rule.objective is not Objective.CAPACITY:
            return runs
        earlier = sorted(
            (r for r in records if r.plan.kind is RunKind.SEARCH or r.plan.block < block),
            key=lambda record: (record.plan.kind is RunKind.BLOCK, record.plan.block_key),
        )
        found: dict[Configuration, list[Capacity]] = {}
        for record in earlier:
            if record.figures is not None and record.figures.capacity is not None:
                found.setdefault(record.configuration, []).append(record.figures.capacity)
        return tuple(
            replace(run, expected_rps=expected_rps(found.get(run.configuration, ()))) for run in runs
        )

    def look(self, block: int) -> None:
        """What follows from `block`, a whole one."""
        plan = self.plan
        following = after_block(
            block, self.records, plan.configurations, plan.rule, plan.each_load, self.eliminated
        )
        self.finished, self.allotments[block + 1] = following.stops, following.allotments
        for load, dropped in following.dropped.items():
            self.eliminated.setdefault(load, {}).update(dict.fromkeys(dropped, block))
            under = ""
            if load is not None:
                under = f" under {load_in_words(load, at_random=plan.arrivals_per_s is not None)}"
            for configuration, why in dropped.items():
                self.dropped.setdefault(configuration, (block, f"{why}{under}"))

    @property
    def over(self) -> bool:
        """It is decided, and confirmed as far as that was wanted."""
        return self.finished and not self.left_to_confirm

    def recommendation(self) -> Recommendation:
        first = {configuration: block for configuration, (block, _) in self.dropped.items()}
        facts = study_facts(self.plan, first, self.finished)
        if self.plan.loads:
            return recommend_under_loads(replace(facts, eliminated_under=self.eliminated), self.records)
        return recommend(facts, [*self.records, *self.confirming])

    def confirmation(self, host: str = "", attempt: int = 0) -> tuple[RunPlan, ...]:
        """The open-loop runs that follow from the decision; none before it, or where it names no count.

        How many requests arrive goes by what the answer gave on that `host`, if it ran there."""
        answer = self.recommendation().configuration if self.finished and self.plan.confirm else None
        if answer is None:
            return ()
        there = [record for record in self.records if record.host == host]
        rate = arrival_rate(there, answer) or arrival_rate(self.records, answer)
        return () if rate is None else confirmation_plan(answer, self.plan.reference, rate, attempt)

    def progress(self, claim: Claim, runs: int, made: Sequence[RunRecord]) -> Progress:
        """`runs` are left of a claim, `made` are those of it that were made since this state."""
        plan = self.plan
        done = [*self.records, *self.confirming, *made]
        until = "the end"
        if claim.kind is RunKind.BLOCK:
            next_look = next(after for after in plan.rule.looks if after >= claim.block)
            until = f"the look after block {next_look}"
            runs += (next_look - claim.block) * len(self.planned(claim.block))
        return Progress(len(done), runs, until, mean_elapsed_s(done, plan.run))


def mean_elapsed_s(records: Sequence[RunRecord], settings: RunSettings) -> float:
    """Of a run; before any is recorded, what the settings let expect."""
    times = [record.elapsed_s for record in records]
    return sum(times) / len(times) if times else settings.expected_s


def study_facts(plan: StudyPlan, eliminated: Mapping[Configuration, int], complete: bool) -> StudyFacts:
    return StudyFacts(
        name=plan.name,
        configurations=plan.configurations,
        rule=plan.rule,
        eliminated=dict(eliminated),
        cores_shared=plan.run.cores_shared,
        complete=complete,
        environment=plan.environment,
        reference=plan.reference,
        users=plan.users,
        arrivals_per_s=plan.arrivals_per_s,
        not_confirmed=plan.not_confirmed,
        launcher=plan.launcher,
        in_turns=plan.run.interleave,
        load_elsewhere=plan.run.load_elsewhere,
        cost_per_hour=plan.cost_per_hour,
        plan_for_rps=plan.plan_for_rps,
        loads=plan.loads,
        of_a_search=plan.of_a_search,
    )


def study_state_of(plan: StudyPlan, records: Sequence[RunRecord], claims: Sequence[Claim] = ()) -> StudyState:
    """Where a study stands. `claims` say which runs each block has. If one host makes the study, there are
    no claims, and the records before a block decide that.

    A look after a block uses the blocks up to that one, whoever made them, in whichever order: a decision
    never depends on how much more there is by the time it is made.
    """
    state, shared = StudyState(plan), Shared(tuple(claims), tuple(records))
    for block in range(1, plan.max_blocks + 1):
        attempts = [claim.runs for claim in shared.attempts(RunKind.BLOCK, block)]
        attempts = attempts or [state.planned(block, 0, records)]
        planned = [run for runs in attempts for run in runs if run.run_id in shared.recorded]
        state.records += [_under_its_load(shared.recorded[run.run_id], run) for run in planned]
        if ignores_worker_count(state.records):
            state.finished = True
            break
        if any(i not in shared.recorded for i in _ids(attempts[-1])):
            # Other hosts may be ahead of this block.
            state.records += shared.made(*(c for c in shared.of(RunKind.BLOCK) if c.block > block))
            state.finished = ignores_worker_count(state.records)
            break
        state.look(block)
        if state.finished:
            break
    begun = shared.attempts(RunKind.OPEN_LOOP, 1)
    runs = begun[-1].runs if begun else state.confirmation()
    state.confirming = [shared.recorded[i] for i in _ids(runs) if i in shared.recorded]
    state.left_to_confirm = [run for run in runs if run.run_id not in shared.recorded]
    return state


def _under_its_load(record: RunRecord, planned: RunPlan) -> RunRecord:
    """Raises ValueError where it was made under another load than was planned."""
    if record.plan.load != planned.load:
        raise ValueError(f"run {planned.run_id} has load {record.plan.load} instead of {planned.load}")
    return record


def _ids(runs: Sequence[RunPlan]) -> list[str]:
    return [run.run_id for run in runs]


def next_claim(plan: StudyPlan, host: str, seen: Shared) -> Claim | None:
    """What a host is to make now; None where there is nothing, or all of it is being made."""
    state = study_state_of(plan, seen.records, seen.claims)
    if state.over:
        return None
    if state.finished:
        return choose(
            seen, RunKind.OPEN_LOOP, host, [1], lambda _, attempt: state.confirmation(host, attempt)
        )
    return choose(
        seen,
        RunKind.BLOCK,
        host,
        range(1, plan.max_blocks + 1),
        lambda block, attempt: state.planned(block, attempt, seen.records),
    )


def answer_so_far(
    plan: StudyPlan, records: Sequence[RunRecord], claims: Sequence[Claim] = ()
) -> Recommendation:
    """The answer a study's records give, without running anything."""
    return study_state_of(plan, records, claims).recommendation()
