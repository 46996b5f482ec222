"""`optimize`: search in rounds, then let the finalists prove themselves in fresh blocks like those of a grid.

The best of many noisy figures looks better than it is, so that no figure of the search ever decides.

If hosts share a search, two of them may make rounds at once. A host that plans a further round counts the
runs of those rounds as made, so that no run is planned twice. Only later rounds know the results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from sweeper.analysis.recommendation import how_made, recommend
from sweeper.records.answer import Recommendation
from sweeper.records.claims import Claim, Shared
from sweeper.records.configuration import Configuration
from sweeper.records.run import RunKind, RunPlan, RunRecord
from sweeper.records.search import Search, Trial
from sweeper.run.interfaces import Parts, RunStore, SharedStore, TrialLog
from sweeper.run.timing import RunSettings
from sweeper.statistics.search import finalists, front, trials
from sweeper.study.block_order import run_id
from sweeper.study.observer import Observer, Progress
from sweeper.study.search_rounds import SearchSpace, first_round_size, is_due, round_plan, rounds_left
from sweeper.study.sharing import Host, OneHost, choose
from sweeper.study.stopping import hopeless, ignores_worker_count
from sweeper.study.study import make_stage, run_shared_study
from sweeper.study.study_state import StudyPlan, StudyState, mean_elapsed_s, study_facts, study_state_of


@dataclass(frozen=True, slots=True)
class OptimizePlan:
    """What will be done, fixed before the first run."""

    search: SearchSpace
    search_run: RunSettings  # how the runs of the search are made: as those of the blocks, but shorter
    blocks: StudyPlan  # the final blocks; the search decides their configurations

    def final(self, configurations: Sequence[Configuration]) -> StudyPlan:
        return replace(self.blocks, configurations=tuple(configurations), of_a_search=True)


@dataclass(frozen=True)
class SearchState:
    """Where a search stands. Made by `search_state_of` only."""

    plan: OptimizePlan
    records: list[RunRecord]  # of all rounds
    whole: list[RunRecord]  # of those rounds of which nothing is missing
    coming: list[RunPlan] = field(default_factory=list)  # claimed by some host, and not recorded

    @cached_property
    def pointless(self) -> bool:
        """The worker count demonstrably does nothing, or nothing ran at all in a whole round."""
        enough = len(self.whole) >= first_round_size(self.plan.search)
        return ignores_worker_count(self.records) or (enough and hopeless(self.whole))

    @cached_property
    def complete(self) -> bool:
        """Every wanted trial has had its runs, and no host is making a round. From then on no host claims
        another round, and the finalists are the same on all hosts."""
        search, found = self.plan.search, self._found
        tried = len(found) >= search.wanted and not any(is_due(trial, search.reference) for trial in found)
        return tried and not self.coming and not self.pointless

    @property
    def over(self) -> bool:
        return self.complete or self.pointless

    @cached_property
    def _found(self) -> tuple[Trial, ...]:
        return self.trials()

    def trials(self, later: Sequence[RunRecord] = (), planned: Sequence[RunPlan] = ()) -> tuple[Trial, ...]:
        """`later` are runs of the final blocks, `planned` those of rounds that are being made."""
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
        return finalists(self._found, search.reference, self.plan.blocks.rule, search.objectives)

    def final(self, seen: Shared) -> StudyState:
        """Where the finalists' blocks stand, once the search is complete."""
        return study_state_of(self.plan.final(self.finalists()), seen.records, seen.claims)

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
        tried = [trial.configuration for trial in self._found]
        if self.pointless:
            every_one = replace(self.plan.blocks, configurations=tuple(tried))
            answer = recommend(study_facts(every_one, {}, True), self.records)
        else:
            answer = recommend(study_facts(self.plan.final(()), {}, False), ())
            of = f"{len(tried)} of {self.plan.search.wanted} configurations tried"
            answer = replace(answer, reason=f"the search is not finished: {of}.")
        return replace(answer, search=self.search(), elapsed_s=sum(r.elapsed_s for r in self.records))

    def progress(self, claim: Claim, runs: int, made: Sequence[RunRecord]) -> Progress:
        """As that of `StudyState`."""
        done, rounds = [*self.records, *made], rounds_left(self.plan.search, self._found)
        return Progress(
            runs_done=len(done),
            runs_left=runs + max(0, rounds - 1) * len(claim.runs),
            until="the end of the search",
            run_s=mean_elapsed_s(done, self.plan.search_run),
        )


def search_state_of(plan: OptimizePlan, seen: Shared) -> SearchState:
    """Where a search stands, by what was claimed of it."""
    rounds = seen.of(RunKind.SEARCH)
    return SearchState(
        plan,
        records=seen.made(*rounds),
        whole=seen.made(*(claim for claim in rounds if not seen.missing(claim))),
        coming=[run for claim in seen.latest(RunKind.SEARCH).values() for run in seen.missing(claim)],
    )


def _recorded_by_one_host(plan: OptimizePlan, records: Sequence[RunRecord]) -> SearchState:
    """The state of a search without claims. It does not plan the rounds again, because that takes long."""
    own = [record for record in records if record.plan.kind is RunKind.SEARCH]
    own.sort(key=lambda record: (record.plan.block, record.plan.position))
    return SearchState(plan, own, whole=own)


def next_round(plan: OptimizePlan, host: str, seen: Shared) -> Claim | None:
    """What a host is to make now for the search; None where it is over, or all of it is being made."""
    state = search_state_of(plan, seen)
    if state.over:
        return None
    known = seen.latest(RunKind.SEARCH)

    def planned(number: int, attempt: int) -> Sequence[RunPlan]:
        if number in known:
            return [_again(run, attempt) for run in known[number].runs]
        return round_plan(plan.search, _expected(state), number)

    claim = choose(seen, RunKind.SEARCH, host, range(1, len(known) + 2), planned)
    return claim if claim is not None and claim.runs else None


def _again(run: RunPlan, attempt: int) -> RunPlan:
    return replace(
        run, run_id=run_id("s", run.block, run.position, run.configuration, attempt), attempt=attempt
    )


def _expected(state: SearchState) -> list[Trial]:
    """The trials as if the runs that are being made were recorded, without figures."""
    coming = Counter(run.configuration for run in state.coming)
    found = state.trials(planned=state.coming)
    return [replace(trial, runs=trial.runs + coming[trial.configuration]) for trial in found]


class Rounds:
    """The rounds of a search, as a `Stage` of study.py."""

    def __init__(
        self, plan: OptimizePlan, host: str, store: SharedStore, observer: Observer, log: TrialLog
    ) -> None:
        self._plan, self._host = plan, host
        self._store, self._observer, self._log = store, observer, log

    def next_claim(self, seen: Shared) -> Claim | None:
        return next_round(self._plan, self._host, seen)

    def state(self, seen: Shared) -> SearchState:
        return search_state_of(self._plan, seen)

    def claimed(self) -> None:
        self.keep(finished=False)

    def made(self, claim: Claim, seen: Shared) -> None:
        self.keep(finished=False)
        self._observer.round_finished(claim.block, self.state(seen).search())

    def keep(self, *, finished: bool) -> None:
        """Bring the trials that others can watch in line with what there is; one host at a time."""
        self._store.patiently(lambda: self._keep(finished=finished))

    def _keep(self, *, finished: bool) -> None:
        with self._store.alone():
            seen = self._store.seen()
            state = self.state(seen)
            later = state.final(seen).records if state.complete else []
            search = state.search(later, planned=state.coming)
            self._log.keep(search, [*state.records, *later], finished=finished)


def run_optimization(
    plan: OptimizePlan, parts: Parts, store: RunStore, observer: Observer, log: TrialLog
) -> Recommendation:
    """Run a search from wherever its records end, then the finalists' blocks, on this host alone.

    A recorded run is never made again, so that the same call resumes an interrupted one.
    """
    host = Host("", plan.blocks.run, plan.blocks.fingerprint)
    return run_shared_optimization(plan, host, parts, OneHost(store), observer, log)


def run_shared_optimization(
    plan: OptimizePlan, host: Host, parts: Parts, store: SharedStore, observer: Observer, log: TrialLog
) -> Recommendation:
    """Take part in a search until it has its finalists, and then in their blocks until there is an answer."""
    searching = replace(host, run=replace(host.run, window_s=plan.search_run.window_s))
    rounds = Rounds(plan, host.name, store, observer, log)
    make_stage(rounds, searching, parts, store, observer)
    state = search_state_of(plan, store.seen())
    if state.complete:
        rounds.keep(finished=False)
        run_shared_study(plan.final(state.finalists()), host, parts, store, observer)
    rounds.keep(finished=True)
    return answer_of_search(plan, store.seen())


def answer_of_search(plan: OptimizePlan, seen: Shared) -> Recommendation:
    """The answer that records and claims give, without running anything."""
    state = search_state_of(plan, seen) if seen.claims else _recorded_by_one_host(plan, seen.records)
    records = state.records
    if state.complete:
        final = state.final(seen)
        answer, spent_s = final.recommendation(), sum(record.elapsed_s for record in records)
        answer = replace(answer, search=state.search(final.records), elapsed_s=answer.elapsed_s + spent_s)
        records = [*records, *final.records]
    else:
        answer = state.answer()
    # The trial of turns is made before the first run of the search.
    return replace(answer, blocks_made=how_made(study_facts(plan.blocks, {}, answer.complete), records))
