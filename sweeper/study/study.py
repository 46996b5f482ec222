"""The loop that makes a study, on one host or many: claim a block, make its runs, look, go on.

study_state.py says where a study stands and what is next; for a search, optimization.py does. sharing.py
says which host makes it.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from typing import Protocol

from sweeper.checks.turns import may_interleave, trial_of
from sweeper.errors import ClaimLostError
from sweeper.records.answer import Recommendation
from sweeper.records.claims import Claim, Shared
from sweeper.records.configuration import Configuration
from sweeper.records.run import RunKind, RunPlan, RunRecord
from sweeper.records.wording import loads_in_words
from sweeper.run.interfaces import Parts, RunStore, SharedStore
from sweeper.run.turns import run_side_by_side
from sweeper.study.observer import Observer, Progress
from sweeper.study.sharing import Host, OneHost, what_others_make
from sweeper.study.stopping import ignores_worker_count
from sweeper.study.study_state import StudyPlan, StudyState, next_claim, study_state_of

LOOK_AGAIN_AFTER_S = 2.0


class State(Protocol):
    """Where a stage of a study stands."""

    @property
    def records(self) -> Sequence[RunRecord]: ...

    @property
    def over(self) -> bool: ...

    def progress(self, claim: Claim, runs: int, made: Sequence[RunRecord]) -> Progress: ...


class Stage(Protocol):
    """A stage of a study, made claim by claim: its blocks, or the rounds of a search."""

    def next_claim(self, seen: Shared) -> Claim | None:
        """What this host is to make now; None where there is nothing, or all of it is being made."""

    def state(self, seen: Shared) -> State:
        """Called before each claim, and while others make theirs."""

    def claimed(self) -> None:
        """Called before the runs of a claim are made."""

    def made(self, claim: Claim, seen: Shared) -> None:
        """Called after that."""


def make_stage(stage: Stage, host: Host, parts: Parts, store: SharedStore, observer: Observer) -> None:
    """Make what there is to make, until the stage is over. A host that has nothing to make waits, because
    another one may be lost."""
    said = ""
    while True:
        claim = store.take(stage.next_claim)
        seen = store.seen()
        state = stage.state(seen)
        if claim is not None:
            stage.claimed()
            _make_claim(claim, seen.missing(claim), state, host, parts, store, observer)
            stage.made(claim, store.seen())
            said = ""
        elif state.over:
            return
        else:
            others = what_others_make(seen, host.name)
            if others and others != said:
                observer.waiting(f"waiting for {others}")
                said = others
            parts.clock.sleep(LOOK_AGAIN_AFTER_S)


def _make_claim(
    claim: Claim,
    missing: Sequence[RunPlan],
    state: State,
    host: Host,
    parts: Parts,
    store: SharedStore,
    observer: Observer,
) -> None:
    """Those of the confirmation by themselves, others side by side. Ends early where the claim was taken
    over."""
    alone = claim.kind is RunKind.OPEN_LOOP
    made: list[RunRecord] = []
    try:
        with store.holding(claim):
            for runs in [[run] for run in missing] if alone else _by_load(missing):
                progress = state.progress(claim, len(missing) - len(made), made)
                with closing(make_runs(runs, state.records, progress, host, parts, store, observer)) as going:
                    made += going
    except ClaimLostError as lost:
        observer.waiting(str(lost))


def _by_load(runs: Sequence[RunPlan]) -> list[list[RunPlan]]:
    """Those under one load are made side by side, one load after another."""
    return [list(together) for _, together in groupby(runs, key=lambda run: run.load)]


def make_runs(
    runs: Sequence[RunPlan],
    earlier: Sequence[RunRecord],
    progress: Progress,
    host: Host,
    parts: Parts,
    store: RunStore,
    observer: Observer,
) -> Generator[RunRecord, None, None]:
    """Make runs side by side, unless the recorded runs show that turns change their figures. If there are no
    `earlier` runs and no trial yet, the first run tries that. Each record is durable before it is yielded.
    Ends after a run whose server ignores the worker count."""
    if not runs:
        return
    observer.runs_started(runs, progress)
    recorded = store.records()
    in_turns = host.run.interleave and may_interleave(recorded)
    untried = not earlier and trial_of(recorded) is None
    settings = replace(host.run, interleave=in_turns, try_turns=host.run.try_turns and in_turns and untried)
    tell = observer.run_state, observer.waiting, observer.turns_tried
    results = run_side_by_side(runs, settings, parts, store.run_directory, *tell)
    with closing(results):
        for result in results:
            record = replace(result.record, fingerprint=host.fingerprint, host=host.name)
            store.save(record, result.requests, result.samples)
            observer.run_finished(record)
            yield record
            if ignores_worker_count([record]):
                return


class Blocks:
    """The blocks of a study and the confirmation of its answer, as a `Stage`."""

    def __init__(
        self, plan: StudyPlan, host: str, observer: Observer, announced: Collection[Configuration]
    ) -> None:
        """`announced`: what the observer knows to be dropped."""
        self._plan, self._host, self._observer = plan, host, observer
        self._announced = set(announced)
        self._resting: frozenset[Configuration] = frozenset()
        self._resting_loads: list[float] = []

    def next_claim(self, seen: Shared) -> Claim | None:
        return next_claim(self._plan, self._host, seen)

    def state(self, seen: Shared) -> StudyState:
        state = study_state_of(self._plan, seen.records, seen.claims)
        self._announce_eliminated(state)
        return state

    def claimed(self) -> None:
        pass

    def made(self, claim: Claim, seen: Shared) -> None:
        if claim.kind is not RunKind.BLOCK:
            return
        state = study_state_of(self._plan, seen.records, seen.claims)
        if not ignores_worker_count(state.records):
            self._observer.block_finished(claim.block, state.recommendation())
        self._announce_eliminated(state)
        if state.finished:
            return
        if self._plan.loads:
            self._announce_resting_loads(state, claim.block)
        elif state.resting != self._resting:
            self._resting = state.resting
            self._observer.resting(sorted(state.resting), claim.block)

    def _announce_resting_loads(self, state: StudyState, block: int) -> None:
        """Those without a run in the next block."""
        loads = self._plan.loads
        measured = {run.load for run in state.planned(block + 1)}
        resting = [load for load in loads if load not in measured]
        if resting != self._resting_loads:
            self._resting_loads = resting
            shown = loads_in_words(resting or loads, at_random=self._plan.arrivals_per_s is not None)
            self._observer.waiting(
                f"no more runs under {shown} for now, because these loads keep nothing open"
                if resting
                else f"runs under {shown} again after block {block}"
            )

    def _announce_eliminated(self, state: StudyState) -> None:
        for configuration, (block, why) in state.dropped.items():
            if configuration not in self._announced:
                self._announced.add(configuration)
                self._observer.eliminated(configuration, block, why)


def run_study(plan: StudyPlan, parts: Parts, store: RunStore, observer: Observer) -> Recommendation:
    """Run a study from wherever its records end to its answer, on this host alone.

    A recorded run is never made again, so that the same call resumes an interrupted study. Interrupts
    pass through: the runs being made are lost, everything before them is kept.
    """
    host = Host("", plan.run, plan.fingerprint)
    return run_shared_study(plan, host, parts, OneHost(store), observer)


def run_shared_study(
    plan: StudyPlan, host: Host, parts: Parts, store: SharedStore, observer: Observer
) -> Recommendation:
    """Take part in a study until it has its answer. `plan` is the same for all hosts, its environment that of
    the one that began. A claim of this host's own that is not finished is gone on with."""
    announced: Collection[Configuration] = ()
    if not host.name:  # what this host dropped before it was interrupted was announced then
        announced = study_state_of(plan, store.records()).dropped
    blocks = Blocks(plan, host.name, observer, announced)
    make_stage(blocks, host, parts, store, observer)
    seen = store.seen()
    return study_state_of(plan, seen.records, seen.claims).recommendation()
