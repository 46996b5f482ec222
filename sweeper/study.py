"""A study: plan a block, make its runs, record each, look when planned, stop when the decision stands."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Protocol

from sweeper.answers import Recommendation
from sweeper.confirmation import arrival_rate
from sweeper.findings.pool import pool_ignored
from sweeper.findings.turns import may_interleave
from sweeper.interfaces import RunStore
from sweeper.recommend import StudyFacts, recommend
from sweeper.records import Configuration, RunPlan, RunRecord, Verdict
from sweeper.search.block_plan import block_plan
from sweeper.search.confirmation_plan import confirmation_plan
from sweeper.statistics.decision import Rule, Standing
from sweeper.statistics.decision import State as Possible
from sweeper.statistics.sequential import look
from sweeper.turns import run_side_by_side
from sweeper.under_load import Parts, RunSettings, State


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

    @property
    def max_blocks(self) -> int:
        return self.rule.looks[-1]

    def block(self, number: int, eliminated: Mapping[Configuration, int]) -> tuple[RunPlan, ...]:
        gone = {c for c, after in eliminated.items() if after < number}
        return block_plan(self.configurations, gone, number, self.seed, self.reference)

    @property
    def runs_at_most(self) -> int:
        return sum(len(self.block(number, {})) for number in range(1, self.max_blocks + 1))


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a study stands, for people who watch it: `runs_left` is how many there are to `until`."""

    runs_done: int
    runs_left: int
    until: str
    run_s: float

    @property
    def left_s(self) -> float:
        return self.runs_left * self.run_s


class Observer(Protocol):
    """Told what happens, as it happens."""

    def runs_started(self, plans: Sequence[RunPlan], progress: Progress) -> None: ...

    def run_state(self, plan: RunPlan, state: State, elapsed_s: float) -> None: ...

    def run_finished(self, record: RunRecord) -> None: ...

    def block_finished(self, block: int, so_far: Recommendation) -> None: ...

    def eliminated(self, configuration: Configuration, block: int, why: str) -> None: ...


@dataclass(slots=True)
class _Course:
    """A study's state, made again from its records alone: nothing else is state."""

    plan: StudyPlan
    records: list[RunRecord] = field(default_factory=list)
    eliminated: dict[Configuration, int] = field(default_factory=dict)
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
        return {s.configuration: _why(s) for s in seen.dropped}

    def recommendation(self) -> Recommendation:
        facts = study_facts(self.plan, self.eliminated, self.finished)
        return recommend(facts, [*self.records, *self.confirming])

    def confirmation(self) -> tuple[RunPlan, ...]:
        """The open-loop runs that follow from the decision; none before it, or where it names no count."""
        answer = self.recommendation().configuration if self.finished and self.plan.confirm else None
        rate = None if answer is None else arrival_rate(self.records, answer)
        if answer is None or rate is None:
            return ()
        return confirmation_plan(answer, self.plan.reference, rate)


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
    )


def run_study(plan: StudyPlan, parts: Parts, store: RunStore, observer: Observer) -> Recommendation:
    """Run a study from wherever its records end to its answer.

    A recorded run is never made again, so that the same call resumes an interrupted study. Interrupts
    pass through: the runs under way are lost, everything before them is kept.
    """
    course = _Course(plan)
    recorded = {record.plan.run_id: record for record in store.records()}
    for block in range(1, plan.max_blocks + 1):
        runs = plan.block(block, course.eliminated)
        course.records += [recorded[run.run_id] for run in runs if run.run_id in recorded]
        missing = [run for run in runs if run.run_id not in recorded]
        if not any(is_no_op(record) for record in course.records):
            progress = _progress(course, len(missing), block)
            with closing(_make(missing, course, progress, parts, store, observer)) as made:
                for record in made:
                    course.records.append(record)
                    if is_no_op(record):
                        break
        course.records.sort(key=lambda record: (record.plan.block, record.plan.position))
        if any(is_no_op(record) for record in course.records):
            course.finished = True
            return course.recommendation()
        dropped = course.look(block)
        if missing:
            observer.block_finished(block, course.recommendation())
            for configuration, why in dropped.items():
                observer.eliminated(configuration, block, why)
        if course.finished:
            break
    _confirm(course, recorded, parts, store, observer)
    return course.recommendation()


def _confirm(
    course: _Course, recorded: Mapping[str, RunRecord], parts: Parts, store: RunStore, observer: Observer
) -> None:
    """Make the open-loop runs that are not recorded yet, one after another."""
    runs = course.confirmation()
    for position, run in enumerate(runs):
        if run.run_id in recorded:
            course.confirming.append(recorded[run.run_id])
        else:
            left = sum(1 for later in runs[position:] if later.run_id not in recorded)
            progress = replace(_progress(course, left, course.plan.max_blocks), until="the end")
            course.confirming += _make([run], course, progress, parts, store, observer)


def answer_so_far(plan: StudyPlan, records: Sequence[RunRecord]) -> Recommendation:
    """The answer a study's records give, without running anything."""
    course = _Course(plan)
    recorded = {record.plan.run_id: record for record in records}
    for block in range(1, plan.max_blocks + 1):
        runs = [recorded.get(run.run_id) for run in plan.block(block, course.eliminated)]
        course.records += [record for record in runs if record is not None]
        if any(is_no_op(record) for record in course.records):
            course.finished = True
            break
        if None in runs:
            break
        course.look(block)
        if course.finished:
            break
    course.confirming = [
        record for run in course.confirmation() if (record := recorded.get(run.run_id)) is not None
    ]
    return course.recommendation()


def _make(
    runs: Sequence[RunPlan],
    course: _Course,
    progress: Progress,
    parts: Parts,
    store: RunStore,
    observer: Observer,
) -> Generator[RunRecord, None, None]:
    if runs:
        observer.runs_started(runs, progress)
        plan = course.plan
        settings = replace(plan.run, interleave=plan.run.interleave and may_interleave(course.records))
        yield from make_runs(runs, settings, plan.fingerprint, parts, store, observer)


def make_runs(
    runs: Sequence[RunPlan],
    settings: RunSettings,
    fingerprint: str,
    parts: Parts,
    store: RunStore,
    observer: Observer,
) -> Generator[RunRecord, None, None]:
    """Make runs side by side; each is durable before the next one's record comes."""
    results = run_side_by_side(runs, settings, parts, store.run_directory, observer.run_state)
    with closing(results):
        for result in results:
            record = replace(result.record, fingerprint=fingerprint)
            store.save(record, result.requests, result.samples)
            observer.run_finished(record)
            yield record


def _progress(course: _Course, runs: int, block: int) -> Progress:
    """`runs` are left of this block (or of the confirmation, which comes after the last one)."""
    plan = course.plan
    next_look = next(after for after in plan.rule.looks if after >= block)
    live = sum(1 for c in plan.configurations if c not in course.eliminated)
    extra = len(plan.block(block, course.eliminated)) - live
    made = [*course.records, *course.confirming]
    times = [record.elapsed_s for record in made]
    return Progress(
        runs_done=len(made),
        runs_left=runs + (next_look - block) * (live + extra),
        until=f"the look after block {next_look}",
        run_s=sum(times) / len(times) if times else plan.run.expected_s,
    )


def is_no_op(record: RunRecord) -> bool:
    return any(finding.code == "pool-size-not-applied" for finding in record.findings)


def hopeless(records: Sequence[RunRecord]) -> bool:
    """After a whole block: nothing ran at all, or the worker count demonstrably does nothing."""
    return all(r.verdict is Verdict.FAILED for r in records) or pool_ignored(records) is not None


def _why(standing: Standing) -> str:
    if standing.feasible is Possible.EXCLUDED:
        return standing.why
    return f"at least {1 - math.exp(-(standing.gap_low or 0.0)):.0%} below the best"
