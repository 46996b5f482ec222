"""A study: plan a block, make its runs, record each, look when planned, stop when the decision stands.

This is what one host does by itself; shared_study.py is for several.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

from sweeper.answers import Recommendation
from sweeper.course import Course, StudyPlan, is_no_op
from sweeper.findings.turns import may_interleave
from sweeper.interfaces import RunStore
from sweeper.records import Configuration, RunPlan, RunRecord
from sweeper.turns import run_side_by_side
from sweeper.under_load import Parts, RunSettings, State


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


def run_study(plan: StudyPlan, parts: Parts, store: RunStore, observer: Observer) -> Recommendation:
    """Run a study from wherever its records end to its answer.

    A recorded run is never made again, so that the same call resumes an interrupted study. Interrupts
    pass through: the runs under way are lost, everything before them is kept.
    """
    course = Course(plan)
    recorded = {record.plan.run_id: record for record in store.records()}
    for block in range(1, plan.max_blocks + 1):
        runs = plan.block(block, course.eliminated)
        course.records += [recorded[run.run_id] for run in runs if run.run_id in recorded]
        missing = [run for run in runs if run.run_id not in recorded]
        if not any(is_no_op(record) for record in course.records):
            progress = progress_of(course, len(missing), block)
            made = make_runs(
                missing, plan.run, course.records, progress, plan.fingerprint, parts, store, observer
            )
            with closing(made):
                for record in made:
                    course.records.append(record)
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
    course: Course, recorded: Mapping[str, RunRecord], parts: Parts, store: RunStore, observer: Observer
) -> None:
    """Make the open-loop runs that are not recorded yet, one after another."""
    plan, runs = course.plan, course.confirmation()
    for position, run in enumerate(runs):
        if run.run_id in recorded:
            course.confirming.append(recorded[run.run_id])
        else:
            left = sum(1 for later in runs[position:] if later.run_id not in recorded)
            progress = replace(progress_of(course, left, plan.max_blocks), until="the end")
            course.confirming += make_runs(
                [run], plan.run, course.records, progress, plan.fingerprint, parts, store, observer
            )


def make_runs(
    runs: Sequence[RunPlan],
    settings: RunSettings,
    earlier: Sequence[RunRecord],
    progress: Progress,
    fingerprint: str,
    parts: Parts,
    store: RunStore,
    observer: Observer,
    host: str = "",
) -> Generator[RunRecord, None, None]:
    """Make runs side by side, unless `earlier` ones show that their servers notice; each is durable before
    the next one's record comes. Ends after a run that shows that the worker count does nothing."""
    if not runs:
        return
    observer.runs_started(runs, progress)
    settings = replace(settings, interleave=settings.interleave and may_interleave(earlier))
    results = run_side_by_side(runs, settings, parts, store.run_directory, observer.run_state)
    with closing(results):
        for result in results:
            record = replace(result.record, fingerprint=fingerprint, host=host)
            store.save(record, result.requests, result.samples)
            observer.run_finished(record)
            yield record
            if is_no_op(record):
                return


def progress_of(course: Course, runs: int, block: int) -> Progress:
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
