"""A study on which several hosts work: each claims whole blocks; what a lost one had, another makes again.

Nobody leads. What is to be made next, and what the answer is, follows from the records and claims alone, so
that each host finds it by itself. A host that has nothing to make waits, because another one may be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

from sweeper.answers import Recommendation
from sweeper.claims import Claim, Kind, Shared
from sweeper.course import Course, StudyPlan, course_so_far
from sweeper.errors import ClaimLostError
from sweeper.interfaces import SharedStore
from sweeper.records import RunPlan, RunRecord
from sweeper.study import Observer, Progress, make_runs, progress_of
from sweeper.under_load import Parts, RunSettings

LOOK_AGAIN_AFTER_S = 2.0


class SharedObserver(Observer, Protocol):
    """Told what happens on this host, as it happens."""

    def waiting(self, why: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Host:
    """This host as one of several: how runs are made here, and its fingerprint."""

    name: str
    run: RunSettings
    fingerprint: str


def run_shared_study(
    plan: StudyPlan, host: Host, parts: Parts, store: SharedStore, observer: SharedObserver
) -> Recommendation:
    """Take part in a study until it has its answer. `plan` is the same for all hosts, its environment that of
    the one that began.

    A recorded run is never made again; a claim of this host's own that is not finished is gone on with.
    """
    told = Told(observer)
    while True:
        claim = store.take(lambda seen: next_claim(plan, host.name, seen))
        seen = store.seen()
        course = course_so_far(plan, seen.records, seen.claims)
        told.dropped(course)
        if claim is not None:
            missing = seen.missing(claim)
            progress = _progress(claim, course, len(missing))
            make(claim, missing, course.records, progress, host, parts, store, observer)
            told.made(claim, plan, store.seen())
        elif over(course, seen):
            return course.recommendation()
        else:
            told.waits(seen, host)
            parts.clock.sleep(LOOK_AGAIN_AFTER_S)


def next_claim(plan: StudyPlan, host: str, seen: Shared) -> Claim | None:
    """What this host is to make now; None where there is nothing, or all of it is being made."""
    course = course_so_far(plan, seen.records, seen.claims)
    if not course.finished:
        return choose(
            seen,
            Kind.BLOCK,
            host,
            range(1, plan.max_blocks + 1),
            lambda block, attempt: plan.block(block, course.eliminated, attempt),
        )
    if over(course, seen):
        return None
    return choose(seen, Kind.OPEN_LOOP, host, [1], lambda _, attempt: course.confirmation(host, attempt))


def over(course: Course, seen: Shared) -> bool:
    """It is decided, and confirmed as far as that was wanted."""
    if not course.finished:
        return False
    begun = seen.latest(Kind.OPEN_LOOP).get(1)
    return not (seen.missing(begun) if begun is not None else course.confirmation())


def choose(
    seen: Shared,
    kind: Kind,
    host: str,
    numbers: Iterable[int],
    planned: Callable[[int, int], Sequence[RunPlan]],
) -> Claim | None:
    """What this host has begun, or else the first of `numbers` that nobody has, or whose host is lost.

    `planned` gives the runs by number and attempt.
    """
    unfinished = {number: claim for number, claim in seen.latest(kind).items() if seen.missing(claim)}
    for claim in unfinished.values():
        if claim.host == host:
            return claim
    for number in numbers:
        before = seen.attempts(kind, number)
        if not before or (number in unfinished and unfinished[number].silent):
            attempt = len(before)
            return Claim(kind, number, attempt, host, tuple(planned(number, attempt)))
    return None


def make(
    claim: Claim,
    missing: Sequence[RunPlan],
    records: Sequence[RunRecord],
    progress: Progress,
    host: Host,
    parts: Parts,
    store: SharedStore,
    observer: SharedObserver,
) -> None:
    """Make the runs of a claim that are not recorded; those of the confirmation by themselves. Ends early
    where the server ignores the worker count, or where the claim was taken over."""
    alone = claim.kind is Kind.OPEN_LOOP
    settings = replace(host.run, interleave=host.run.interleave and not alone)
    made = make_runs(
        missing, settings, records, progress, host.fingerprint, parts, store, observer, host.name
    )
    try:
        with store.holding(claim), closing(made):
            for _ in made:
                pass
    except ClaimLostError as lost:
        observer.waiting(str(lost))


def _progress(claim: Claim, course: Course, runs: int) -> Progress:
    if claim.kind is Kind.OPEN_LOOP:
        return replace(progress_of(course, runs, course.plan.max_blocks), until="the end")
    return progress_of(course, runs, claim.block)


class Told:
    """What the observer was told already."""

    def __init__(self, observer: SharedObserver) -> None:
        self._observer = observer
        self._dropped: set[object] = set()
        self._waits = ""

    def made(self, claim: Claim, plan: StudyPlan, seen: Shared) -> None:
        self._waits = ""
        if claim.kind is Kind.BLOCK:
            course = course_so_far(plan, seen.records, seen.claims)
            self._observer.block_finished(claim.block, course.recommendation())
            self.dropped(course)

    def dropped(self, course: Course) -> None:
        for configuration, block in course.eliminated.items():
            if configuration not in self._dropped:
                self._dropped.add(configuration)
                self._observer.eliminated(configuration, block, course.dropped[configuration])

    def waits(self, seen: Shared, host: Host) -> None:
        others = [
            f"{claim.name} on {claim.host}"
            for kind in Kind
            for claim in seen.latest(kind).values()
            if claim.host != host.name and seen.missing(claim)
        ]
        why = f"waiting for {', '.join(others)}" if others else ""
        if why and why != self._waits:
            self._waits = why
            self._observer.waiting(why)
