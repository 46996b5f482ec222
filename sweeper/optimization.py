"""`optimize`: search in rounds, then let the finalists prove themselves in fresh blocks like those of a grid.

This is what one host does by itself; shared_optimization.py is for several.

The best of many noisy values looks better than it is, so that no value seen in the search is ever the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Protocol

from sweeper.answers import Recommendation, Search, Trial
from sweeper.confirmation import split
from sweeper.course import StudyPlan, answer_so_far, hopeless, is_no_op, study_facts
from sweeper.interfaces import RunStore, TrialLog
from sweeper.recommend import recommend
from sweeper.records import Configuration, RunPlan, RunRecord
from sweeper.search.rounds import SearchSpace, first_round_size, is_due, round_plan, rounds_left
from sweeper.statistics.search import finalists, front, trials
from sweeper.study import Observer, Progress, make_runs, run_study
from sweeper.under_load import Parts, RunSettings


class SearchObserver(Observer, Protocol):
    """Told what happens, as it happens."""

    def round_finished(self, number: int, so_far: Search) -> None: ...


@dataclass(frozen=True, slots=True)
class OptimizePlan:
    """What will be done, fixed before the first run. `blocks` are the final ones; whose they are, the search
    says."""

    search: SearchSpace
    search_run: RunSettings
    blocks: StudyPlan

    def final(self, configurations: Sequence[Configuration]) -> StudyPlan:
        return replace(self.blocks, configurations=tuple(configurations))


@dataclass(slots=True)
class SearchCourse:
    """A search's state, made again from its records (and claims) alone: nothing else is state. With `whole`
    those are the records of whole rounds."""

    plan: OptimizePlan
    records: list[RunRecord] = field(default_factory=list)
    complete: bool = False
    whole: list[RunRecord] | None = None

    @property
    def pointless(self) -> bool:
        """The worker count demonstrably does nothing, or nothing ran at all in a whole round."""
        judged = self.records if self.whole is None else self.whole
        enough = len(judged) >= first_round_size(self.plan.search)
        return any(is_no_op(record) for record in self.records) or (enough and hopeless(judged))

    @property
    def all_made(self) -> bool:
        """Every trial there is to be has had its runs."""
        search, found = self.plan.search, self.trials()
        return len(found) >= search.wanted and not any(is_due(trial, search.reference) for trial in found)

    def trials(self, later: Sequence[RunRecord] = (), planned: Sequence[RunPlan] = ()) -> tuple[Trial, ...]:
        """`later` are runs of the final blocks, `planned` those of a round under way."""
        search = self.plan.search
        return trials(
            [*self.records, *later],
            search.reference,
            self.plan.blocks.rule,
            search.objectives,
            search.wanted,
            planned,
        )

    def finalists(self) -> tuple[Configuration, ...]:
        search = self.plan.search
        return finalists(self.trials(), search.reference, self.plan.blocks.rule, search.objectives)

    def search(self, later: Sequence[RunRecord] = (), planned: Sequence[RunPlan] = ()) -> Search:
        search, found = self.plan.search, self.trials(later, planned)
        return Search(
            objectives=search.objectives,
            wanted=search.wanted,
            space_size=search.space.size,
            trials=found,
            front=front(found, search.objectives),
            finalists=self.finalists() if self.complete else (),
            complete=self.complete,
        )

    def answer(self) -> Recommendation:
        """Where there are no final blocks: the search is not finished, or pointless."""
        tried = [trial.configuration for trial in self.trials()]
        if self.pointless:
            answer = recommend(study_facts(self.plan.final(tried), {}, True), self.records)
        else:
            answer = recommend(study_facts(self.plan.final(()), {}, False), ())
            of = f"{len(tried)} of {self.plan.search.wanted} configurations tried"
            answer = replace(answer, reason=f"the search is not finished: {of}.")
        return replace(answer, search=self.search(), elapsed_s=sum(r.elapsed_s for r in self.records))

    def with_search(self, answer: Recommendation, later: Sequence[RunRecord]) -> Recommendation:
        spent_s = sum(record.elapsed_s for record in self.records)
        return replace(answer, search=self.search(later), elapsed_s=answer.elapsed_s + spent_s)


def run_optimization(
    plan: OptimizePlan, parts: Parts, store: RunStore, observer: SearchObserver, log: TrialLog
) -> Recommendation:
    """Run a search from wherever its records end, then the finalists' blocks.

    A recorded run is never made again, so that the same call resumes an interrupted one.
    """
    course = SearchCourse(plan)
    recorded = {record.plan.run_id: record for record in store.records()}
    number = 0
    while not course.pointless and (runs := round_plan(plan.search, course.trials(), number + 1)):
        number += 1
        _round(number, runs, course, recorded, parts, store, observer, log)
    if course.pointless:
        log.keep(course.search(), course.records, finished=True)
        return course.answer()
    course.complete = True
    log.keep(course.search(), course.records, finished=False)
    answer = run_study(plan.final(course.finalists()), parts, store, observer)
    later = of_the_blocks(store.records())
    answer = course.with_search(answer, later)
    log.keep(course.search(later), [*course.records, *later], finished=True)
    return answer


def _round(
    number: int,
    runs: Sequence[RunPlan],
    course: SearchCourse,
    recorded: Mapping[str, RunRecord],
    parts: Parts,
    store: RunStore,
    observer: SearchObserver,
    log: TrialLog,
) -> None:
    """Make the runs of one round that are not recorded yet."""
    plan, earlier = course.plan, tuple(course.records)
    missing = [run for run in runs if run.run_id not in recorded]
    progress = search_progress(course, len(missing), len(runs))
    course.records += [recorded[run.run_id] for run in runs if run.run_id in recorded]
    if missing and not course.pointless:
        log.keep(course.search(planned=runs), course.records, finished=False)
        made = make_runs(
            missing,
            plan.search_run,
            earlier,
            progress,
            plan.blocks.fingerprint,
            parts,
            store,
            observer,
        )
        with closing(made):
            for record in made:
                course.records.append(record)
        log.keep(course.search(), course.records, finished=False)
    course.records.sort(key=lambda record: (record.plan.block, record.plan.position))
    if missing:
        observer.round_finished(number, course.search())


def optimization_so_far(plan: OptimizePlan, records: Sequence[RunRecord]) -> Recommendation:
    """The answer that the records give, without running anything, and without asking what would come next."""
    course = SearchCourse(plan, [record for record in records if record.plan.search])
    course.complete = course.all_made
    if course.pointless or not course.complete:
        return course.answer()
    answer = answer_so_far(plan.final(course.finalists()), records)
    return course.with_search(answer, of_the_blocks(records))


def of_the_blocks(records: Sequence[RunRecord]) -> list[RunRecord]:
    return [record for record in split(records)[0] if not record.plan.search]


def search_progress(course: SearchCourse, missing: int, runs: int) -> Progress:
    times = [record.elapsed_s for record in course.records]
    rounds = rounds_left(course.plan.search, course.trials())
    return Progress(
        runs_done=len(times),
        runs_left=missing + max(0, rounds - 1) * runs,
        until="the end of the search",
        run_s=sum(times) / len(times) if times else course.plan.search_run.expected_s,
    )
