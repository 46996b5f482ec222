"""`optimize` on several hosts: rounds of the search are claimed like blocks, and then the finalists' blocks.

Two hosts may have rounds under way at once. Whoever plans a further one counts the runs of those as made, so
that none is planned twice; what they say of their configurations is only known to later rounds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from sweeper.answers import Recommendation, Trial
from sweeper.claims import Claim, Kind, Shared
from sweeper.course import course_so_far
from sweeper.interfaces import SharedStore, TrialLog
from sweeper.optimization import (
    OptimizePlan,
    SearchCourse,
    SearchObserver,
    optimization_so_far,
    search_progress,
)
from sweeper.records import RunPlan, RunRecord
from sweeper.search.block_plan import run_id
from sweeper.search.rounds import round_plan
from sweeper.shared_study import (
    LOOK_AGAIN_AFTER_S,
    Host,
    SharedObserver,
    Told,
    choose,
    make,
    run_shared_study,
)
from sweeper.under_load import Parts


class SharedSearchObserver(SearchObserver, SharedObserver, Protocol):
    """Told what happens on this host, as it happens."""


def run_shared_optimization(
    plan: OptimizePlan,
    host: Host,
    parts: Parts,
    store: SharedStore,
    observer: SharedSearchObserver,
    log: TrialLog,
) -> Recommendation:
    """Take part in a search until it has its finalists, and then in their blocks until there is an answer."""
    searching = replace(host, run=replace(host.run, window_s=plan.search_run.window_s))
    told = Told(observer)
    while True:
        claim = store.take(lambda seen: next_round(plan, host.name, seen))
        seen = store.seen()
        course = search_so_far(plan, seen)
        if claim is not None:
            missing = seen.missing(claim)
            _keep(log, plan, store, finished=False)
            progress = search_progress(course, len(missing), len(claim.runs))
            make(claim, missing, course.records, progress, searching, parts, store, observer)
            _keep(log, plan, store, finished=False)
            observer.round_finished(claim.block, search_so_far(plan, store.seen()).search())
        elif course.complete or course.pointless:
            break
        else:
            told.waits(seen, host)
            parts.clock.sleep(LOOK_AGAIN_AFTER_S)
    if course.complete:
        _keep(log, plan, store, finished=False)
        run_shared_study(plan.final(course.finalists()), host, parts, store, observer)
    _keep(log, plan, store, finished=True)
    return shared_optimization_so_far(plan, store.seen())


def next_round(plan: OptimizePlan, host: str, seen: Shared) -> Claim | None:
    """What this host is to make now for the search; None where it is over, or all of it is being made."""
    course = search_so_far(plan, seen)
    if course.complete or course.pointless:
        return None
    known = seen.latest(Kind.SEARCH)

    def planned(number: int, attempt: int) -> Sequence[RunPlan]:
        if number in known:
            return [_again(run, attempt) for run in known[number].runs]
        return round_plan(plan.search, _expected(course, _under_way(seen)), number)

    claim = choose(seen, Kind.SEARCH, host, range(1, len(known) + 2), planned)
    return claim if claim is not None and claim.runs else None


def search_so_far(plan: OptimizePlan, seen: Shared) -> SearchCourse:
    """Where the search stands. It is complete only when no round is under way: from then on nobody claims
    another one, and the finalists are the same for all."""
    rounds, under_way = seen.of(Kind.SEARCH), _under_way(seen)
    whole = [claim for claim in rounds if not seen.missing(claim)]
    course = SearchCourse(plan, seen.made(*rounds), whole=seen.made(*whole))
    course.complete = not under_way and not course.pointless and course.all_made
    return course


def shared_optimization_so_far(plan: OptimizePlan, seen: Shared) -> Recommendation:
    """The answer that records and claims give, without running anything."""
    if not seen.claims:
        return optimization_so_far(plan, seen.records)
    course = search_so_far(plan, seen)
    if not course.complete:
        return course.answer()
    final = course_so_far(plan.final(course.finalists()), seen.records, seen.claims)
    return course.with_search(final.recommendation(), final.records)


def _under_way(seen: Shared) -> list[RunPlan]:
    """Runs of the search that somebody has claimed and not recorded."""
    return [run for claim in seen.latest(Kind.SEARCH).values() for run in seen.missing(claim)]


def _expected(course: SearchCourse, under_way: Sequence[RunPlan]) -> list[Trial]:
    """The trials as if the runs under way were made, without figures."""
    coming = Counter(run.configuration for run in under_way)
    found = course.trials(planned=under_way)
    return [replace(trial, runs=trial.runs + coming[trial.configuration]) for trial in found]


def _again(run: RunPlan, attempt: int) -> RunPlan:
    return replace(
        run, run_id=run_id("s", run.block, run.position, run.configuration, attempt), attempt=attempt
    )


def _keep(log: TrialLog, plan: OptimizePlan, store: SharedStore, *, finished: bool) -> None:
    """Bring the trials that others can watch in line with what there is; one host at a time."""
    with store.alone():
        seen = store.seen()
        course = search_so_far(plan, seen)
        later: list[RunRecord] = []
        if course.complete:
            later = course_so_far(plan.final(course.finalists()), seen.records, seen.claims).records
        search = course.search(later, planned=_under_way(seen))
        log.keep(search, [*course.records, *later], finished=finished)
