"""Where a study stands: made again from its plan and its records alone, and so the same for whoever looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sweeper.answers import Recommendation
from sweeper.claims import Claim, Kind, Shared
from sweeper.confirmation import arrival_rate
from sweeper.findings.pool import pool_ignored
from sweeper.recommend import StudyFacts, recommend
from sweeper.records import Configuration, Objective, RunPlan, RunRecord, Verdict
from sweeper.search.block_plan import block_plan
from sweeper.search.confirmation_plan import confirmation_plan
from sweeper.statistics.decision import Rule, Standing
from sweeper.statistics.decision import State as Possible
from sweeper.statistics.rule import far_behind
from sweeper.statistics.sequential import look
from sweeper.under_load import RunSettings


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What a study will do, fixed before its first run.

    The `reference` is DRUM's default, or what of the configurations comes closest to it. With `confirm` the
    answer is confirmed by open-loop runs beside it; `not_confirmed` says why
    that cannot be where it was asked for.
    """

    name: str
    configurations: tuple[Configuration, ...]
    rule: Rule
    seed: int
    reference: Configuration
    run: RunSettings
    fingerprint: str
    environment: dict[str, object]
    confirm: bool = False
    users: int | None = None
    not_confirmed: str = ""
    launcher: str = "fastapi"

    @property
    def max_blocks(self) -> int:
        return self.rule.looks[-1]

    def block(
        self, number: int, eliminated: Mapping[Configuration, int], attempt: int = 0
    ) -> tuple[RunPlan, ...]:
        gone = {c for c, after in eliminated.items() if after < number}
        return block_plan(self.configurations, gone, number, self.seed, self.reference, attempt)

    @property
    def runs_at_most(self) -> int:
        return sum(len(self.block(number, {})) for number in range(1, self.max_blocks + 1))


@dataclass(slots=True)
class Course:
    """A study's state, made again from its records (and claims) alone: nothing else is state."""

    plan: StudyPlan
    records: list[RunRecord] = field(default_factory=list)
    eliminated: dict[Configuration, int] = field(default_factory=dict)
    dropped: dict[Configuration, str] = field(default_factory=dict)  # the same, and why
    finished: bool = False
    confirming: list[RunRecord] = field(default_factory=list)

    def look(self, block: int) -> Mapping[Configuration, str]:
        """Look after a whole block; whom that drops from the blocks to come, and why."""
        if hopeless(self.records):
            self.finished = True
            return {}
        seen = look(self.records, self.plan.configurations, self.plan.rule, self.eliminated, block)
        self.finished = seen.last
        if seen.last:
            return {}
        self.eliminated.update({s.configuration: block for s in seen.dropped})
        dropped = {s.configuration: _why(s, self.plan.rule.objective) for s in seen.dropped}
        self.dropped.update(dropped)
        return dropped

    def recommendation(self) -> Recommendation:
        facts = study_facts(self.plan, self.eliminated, self.finished)
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
        not_confirmed=plan.not_confirmed,
        launcher=plan.launcher,
    )


def course_so_far(plan: StudyPlan, records: Sequence[RunRecord], claims: Sequence[Claim] = ()) -> Course:
    """Where a study stands by its records. Where several hosts share it, their claims say what each block
    was to hold; otherwise that follows from the records, too.

    A look after a block uses the blocks up to that one, whoever made them, in whichever order: a decision
    never depends on how much more there is by the time it is made.
    """
    course, shared = Course(plan), Shared(tuple(claims), tuple(records))
    for block in range(1, plan.max_blocks + 1):
        attempts = [claim.runs for claim in shared.attempts(Kind.BLOCK, block)]
        attempts = attempts or [plan.block(block, course.eliminated)]
        course.records += [
            shared.recorded[i] for runs in attempts for i in _ids(runs) if i in shared.recorded
        ]
        if any(is_no_op(record) for record in course.records):
            course.finished = True
            break
        if any(i not in shared.recorded for i in _ids(attempts[-1])):
            # Other hosts may be ahead of this block.
            course.records += shared.made(*(c for c in shared.of(Kind.BLOCK) if c.block > block))
            course.finished = any(is_no_op(record) for record in course.records)
            break
        course.look(block)
        if course.finished:
            break
    confirmations = shared.attempts(Kind.OPEN_LOOP, 1)
    runs = confirmations[-1].runs if confirmations else course.confirmation()
    course.confirming = [shared.recorded[i] for i in _ids(runs) if i in shared.recorded]
    return course


def _ids(runs: Sequence[RunPlan]) -> list[str]:
    return [run.run_id for run in runs]


def answer_so_far(
    plan: StudyPlan, records: Sequence[RunRecord], claims: Sequence[Claim] = ()
) -> Recommendation:
    """The answer a study's records give, without running anything."""
    return course_so_far(plan, records, claims).recommendation()


def is_no_op(record: RunRecord) -> bool:
    return any(finding.code == "pool-size-not-applied" for finding in record.findings)


def hopeless(records: Sequence[RunRecord]) -> bool:
    """After a whole block: nothing ran at all, or the worker count demonstrably does nothing."""
    return all(r.verdict is Verdict.FAILED for r in records) or pool_ignored(records) is not None


def _why(standing: Standing, objective: Objective) -> str:
    if standing.feasible is Possible.EXCLUDED:
        return standing.why
    return far_behind(standing.gap_low or 0.0, (objective,))
