"""Whole optimizations on fakes: search, finalists, resuming, interrupts, hopeless servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from sweeper.records.answer import Status
from sweeper.records.configuration import Configuration
from sweeper.records.run import RunPlan
from sweeper.records.search import Trial
from sweeper.statistics.criteria import Rule
from sweeper.study.optimization import run_optimization
from sweeper.study.search_rounds import SearchSpace, round_plan
from tests.support.fakes import Behaviour, MemoryStore, Watching, World
from tests.support.optimizations import FOUR, Kept, optimization_so_far, optimized, peak, planned


def rounds(store: MemoryStore) -> dict[int, set[str]]:
    """What each round of the search ran."""
    found: dict[int, set[str]] = {}
    for record in store.saved:
        if record.plan.search:
            found.setdefault(record.plan.block, set()).add(record.plan.run_id)
    return found


def test_a_peak_is_found_and_confirmed_in_fresh_blocks() -> None:
    answer, store, watching, kept = optimized(peak())
    assert answer.status is Status.RECOMMENDED
    assert answer.configuration is not None
    assert 14 <= answer.configuration.workers <= 23
    search = answer.search
    assert search is not None
    assert (len(search.trials), search.wanted, search.space_size, search.complete) == (12, 12, 64, True)
    decided = {c.configuration for c in answer.candidates}
    assert decided == set(search.finalists)
    assert FOUR in decided
    fresh = [record for record in store.saved if not record.plan.search]
    assert {record.configuration for record in fresh if record.plan.block == 1} == decided
    assert sum(candidate.runs for candidate in answer.candidates) == len(fresh)
    assert answer.elapsed_s == pytest.approx(sum(record.elapsed_s for record in store.saved))
    assert [number for number, _ in watching.rounds] == list(range(1, len(watching.rounds) + 1))
    assert kept.calls[-1][2] is True
    assert [finished for _, _, finished in kept.calls[:-1]] == [False] * (len(kept.calls) - 1)


def test_the_smallest_finalist_is_not_called_the_smallest_tried() -> None:
    answer, _, _, _ = optimized(peak(best=3))
    assert answer.search is not None and answer.workers is not None
    assert any(trial.configuration.workers < answer.workers for trial in answer.search.trials)
    assert answer.configuration == min(answer.search.finalists)
    assert answer.reason.startswith(f"{answer.workers} workers, the smallest count in the final blocks, give")


def test_every_round_has_the_reference_and_short_windows() -> None:
    _, store, _, _ = optimized(peak())
    rounds = {record.plan.block for record in store.saved if record.plan.search}
    with_reference = Counter(
        record.plan.block for record in store.saved if record.plan.search and record.configuration == FOUR
    )
    assert with_reference == dict.fromkeys(rounds, 1)
    windows = {(r.plan.search, round(r.figures.window_s)) for r in store.saved if r.figures is not None}
    assert windows == {(True, 5), (False, 10)}


def test_the_joint_space_is_searched() -> None:
    answer, _, _, _ = optimized(peak(), planned(workers=(1, 32), threads=(1, 2, 3), trials=18))
    assert answer.configuration is not None
    assert answer.configuration.model_threads == 1
    assert answer.search is not None
    assert {t.configuration.model_threads for t in answer.search.trials} == {1, 2, 3}


def test_a_small_space_is_tried_whole_and_answered_like_a_grid() -> None:
    answer, _, _, _ = optimized(peak(best=4), planned(workers=(3, 6), trials=20))
    assert answer.search is not None
    assert sorted(t.configuration.workers for t in answer.search.trials) == [3, 4, 5, 6]
    assert answer.workers == 4


def test_what_is_recorded_gives_the_same_answer_again() -> None:
    answer, store, _, _ = optimized(peak())
    assert optimization_so_far(planned(), store.records()) == answer
    again, _, watching, kept = optimized(peak(), store=store)
    assert again == answer
    assert watching.finished == []
    assert kept.calls[-1][0] == answer.search


@pytest.mark.parametrize("at", [3, 40, 150, 400, 900, 1500, 2500])
def test_an_interrupted_optimization_goes_on_where_it_was(at: int) -> None:
    _, made, _, _ = optimized(peak())
    store = MemoryStore()
    world = World(peak(), interrupt_at=at)
    with pytest.raises(KeyboardInterrupt):
        run_optimization(planned(), world.parts(), store, Watching(), Kept())
    assert world.left_running == []
    half = optimization_so_far(planned(), store.records())
    assert not half.complete
    kept = list(store.saved)
    resumed, _, _, _ = optimized(peak(), store=store)
    assert store.saved[: len(kept)] == kept
    assert resumed.status is Status.RECOMMENDED
    assert resumed.search is not None
    assert len(resumed.search.trials) == 12
    # What is made again differs by what happened meanwhile, and what follows may; the round itself does not.
    last = max((r.plan.block for r in kept if r.plan.search), default=1)
    for number in range(1, last + 1):
        assert rounds(store)[number] == rounds(made)[number]


def test_no_round_is_proposed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proposals take long: one for each round when it is made, and when it is gone on with."""
    asked: list[int] = []

    def counted(search: SearchSpace, found: Sequence[Trial], number: int) -> tuple[RunPlan, ...]:
        asked.append(number)
        return round_plan(search, found, number)

    monkeypatch.setattr("sweeper.study.optimization.round_plan", counted)
    answer, store, watching, _ = optimized(peak())
    made = [number for number, _ in watching.rounds]
    assert asked == made
    asked.clear()
    assert optimization_so_far(planned(), store.records()) == answer
    assert asked == []
    optimized(peak(), store=store)
    assert asked == made


def test_an_unfinished_search_says_how_far_it_is() -> None:
    _, store, _, _ = optimized(peak())
    first = [record for record in store.saved if record.plan.search and record.plan.block <= 2]
    half = optimization_so_far(planned(), first)
    assert (half.status, half.workers, half.candidates) == (Status.INCONCLUSIVE, None, ())
    assert half.reason == "the search is not finished: 7 of 12 configurations tried."


def test_before_the_first_run_there_is_nothing_to_say() -> None:
    nothing = optimization_so_far(planned(), ())
    assert nothing.reason == "the search is not finished: 0 of 12 configurations tried."


def test_a_server_that_ignores_the_worker_count_ends_the_search_at_once() -> None:
    answer, store, _, _ = optimized(lambda c, block, run_id: Behaviour(pool="fixed"))
    assert len(store.saved) <= 5
    assert (answer.status, answer.workers, answer.complete) == (Status.INCONCLUSIVE, None, True)
    assert answer.findings[0].code == "pool-size-not-applied"
    assert optimization_so_far(planned(), store.records()) == answer


def test_when_every_run_fails_one_round_is_enough() -> None:
    answer, store, _, _ = optimized(lambda c, block, run_id: Behaviour(dies_at_start=True))
    assert {record.plan.block for record in store.saved} == {1}
    assert answer.status in (Status.INCONCLUSIVE, Status.INFEASIBLE)
    assert answer.complete
    assert "every run failed" in answer.reason or "served nothing" in answer.reason


def test_one_failed_run_of_an_interrupted_round_is_not_all_there_is() -> None:
    """Gone on with after the first recorded run of all had failed."""

    def script(configuration: Configuration, block: int, run_id: str) -> Behaviour:
        if configuration.workers == 64:
            return Behaviour(dies_at_start=True)
        return peak()(configuration, block, run_id)

    _, whole, _, _ = optimized(script)
    first = next(r for r in whole.saved if r.configuration.workers == 64)
    assert optimization_so_far(planned(), [first]).reason.startswith("the search is not finished")
    answer, _, _, _ = optimized(script, store=MemoryStore((first,)))
    assert answer.status is Status.RECOMMENDED


def test_hopeless_configurations_are_given_up_after_a_run() -> None:
    answer, _, _, _ = optimized(peak(noise=0.005), planned(trials=16))
    assert answer.search is not None
    stopped = [t for t in answer.search.trials if t.stopped]
    assert stopped
    assert min(t.runs for t in stopped) == 1
    assert all("behind the best" in t.stopped for t in stopped)


def test_the_limit_on_p99_is_kept() -> None:
    """100 users at 200 requests/s: about 500 ms each; what gives less takes longer."""
    answer, _, _, _ = optimized(peak(best=8), planned(rule=Rule(slo_p99_ms=900.0), trials=8))
    assert answer.workers is not None
    assert answer.workers >= 5
    chosen = next(c for c in answer.candidates if c.configuration == answer.configuration)
    assert chosen.latency_ms["p99"].mean < 900.0
    assert answer.search is not None
    assert any(not t.keeps_limits for t in answer.search.trials)


def test_the_answer_is_confirmed_beside_the_default() -> None:
    answer, store, _, _ = optimized(peak(), planned(confirm=True))
    assert answer.confirmation is not None
    assert {c.configuration for c in answer.confirmation.configurations} == {answer.configuration, FOUR}
    assert sum(1 for r in store.saved if r.plan.arrivals_per_s is not None) == 4
