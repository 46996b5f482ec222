"""Whole studies on fakes: resuming, interrupts, dropping, stopping."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter

import pytest

from sweeper.records.answer import Recommendation, Status
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Verdict
from sweeper.statistics.criteria import Rule
from sweeper.study.study import run_study
from sweeper.study.study_state import StudyPlan, answer_so_far
from tests.support.fakes import Behaviour, MemoryStore, Script, Watching, World, noisy
from tests.support.studies import PEAK, PLATEAU, ids, planned, studied, whole_blocks

NEAR_TIE = {1: 60.0, 4: 137.0, 8: 140.0, 16: 139.0, 32: 136.0}


def stripped(answer: Recommendation) -> Recommendation:
    """Runs made again start at another moment and take another fraction of a second; no more than that."""
    return dataclasses.replace(answer, elapsed_s=0.0)


def test_a_whole_grid_on_fakes_takes_less_than_a_second() -> None:
    """Printed, not asserted: five configurations until nothing can be settled any more."""
    begun_s = time.perf_counter()
    answer, store, _, _ = studied(noisy(dict.fromkeys(PLATEAU, 140.0), noise=0.08))
    print(f"{len(store.saved)} runs in {time.perf_counter() - begun_s:.2f} s")
    assert (len(store.saved), answer.status) == (84, Status.INCONCLUSIVE)


def test_a_peak_is_found_in_three_blocks() -> None:
    answer, store, watching, _ = studied(noisy(PEAK, noise=0.02, block_drift=0.1))
    assert (answer.status, answer.workers, answer.blocks) == (Status.RECOMMENDED, 8, 3)
    assert answer.complete
    assert [record.configuration.workers for record in store.saved if record.plan.block == 3] == [8]
    assert [block for block, _ in watching.blocks] == [1, 2, 3]
    assert {(c.workers, after) for c, after, _ in watching.dropped} == {(1, 2), (4, 2), (16, 2), (32, 2)}
    assert all("behind the best" in why for _, _, why in watching.dropped)
    assert all(record.fingerprint == "abc" for record in store.saved)


def test_a_plateau_is_answered_with_its_first_point_at_a_planned_look() -> None:
    answer, store, _, _ = studied(noisy(PLATEAU, noise=0.015, block_drift=0.1))
    assert (answer.status, answer.workers) == (Status.RECOMMENDED, 4)
    assert max(record.plan.block for record in store.saved) in range(3, 15)
    assert [c.eliminated_after for c in answer.candidates] == [2, None, None, None, None]


def test_what_the_last_look_excludes_was_not_dropped_from_anything() -> None:
    answer, _, watching, _ = studied(noisy(PEAK), planned(rule=Rule(looks=(2,))))
    assert (answer.status, answer.workers) == (Status.PROVISIONAL, 8)
    assert [c.eliminated_after for c in answer.candidates] == [None] * 5
    assert [c.state for c in answer.candidates] == [
        "excluded",
        "excluded",
        "acceptable",
        "excluded",
        "excluded",
    ]
    assert watching.dropped == []


def test_between_the_looks_nothing_stops() -> None:
    """Settled after three blocks, but the first look was planned for six."""
    answer, store, _, _ = studied(noisy(PEAK), planned(rule=Rule(looks=(6, 8))))
    assert answer.workers == 8
    assert max(record.plan.block for record in store.saved) == 6


def test_the_sentinel_runs_while_five_are_live() -> None:
    _, store, _, _ = studied(noisy(PLATEAU, noise=0.03), planned(rule=Rule(looks=(3,))))
    by_block = Counter((record.plan.block, record.configuration.workers) for record in store.saved)
    assert [by_block[block, 4] for block in (1, 2, 3)] == [2, 2, 1]  # 1 is dropped after block 2
    assert by_block[3, 1] == 0


def test_two_values_and_an_unlucky_host() -> None:
    answer, _, _, _ = studied(noisy({1: 133.0, 4: 140.0}, noise=0.1), planned((1, 4)))
    assert answer.status is Status.INCONCLUSIVE
    assert answer.complete
    assert "which of 1 and 4 give throughput" in answer.reason


def test_a_server_that_ignores_the_worker_count_is_named_after_its_first_run() -> None:
    for pool in ("fixed", "lying"):
        answer, store, _, _ = studied(
            lambda c, block, run_id, pool=pool: Behaviour(pool=pool, cpu_ms=1.0), planned((8, 16, 32))
        )
        assert len(store.saved) == 1
        assert (answer.status, answer.workers, answer.complete) == (Status.INCONCLUSIVE, None, True)
        assert answer.findings[0].code == "pool-size-not-applied"


def test_a_silent_server_that_ignores_the_worker_count_is_named_after_its_first_block() -> None:
    silent = Behaviour(pool="absent", threads=lambda workers: 44)
    answer, store, _, _ = studied(lambda c, block, run_id: silent)
    assert {record.plan.block for record in store.saved} == {1}
    assert (answer.status, answer.workers) == (Status.INCONCLUSIVE, None)
    assert "pool-size-not-applied" in [finding.code for finding in answer.findings]


def test_a_silent_server_whose_threads_follow_is_measured() -> None:
    answer, _, _, _ = studied(noisy(PEAK, pool="absent"))
    assert answer.workers == 8


def test_when_every_run_fails_one_block_is_enough() -> None:
    answer, store, _, _ = studied(lambda c, block, run_id: Behaviour(dies_at_start=True))
    assert len(store.saved) == 6
    assert (answer.status, answer.complete) == (Status.INCONCLUSIVE, True)
    assert answer.reason.startswith("every run failed: the server ended with exit code 3")


def with_fault(
    workers: int, fault: Behaviour, blocks: tuple[int, ...] = (), base: Script | None = None
) -> Script:
    healthy = base or noisy(PLATEAU, noise=0.015)

    def script(configuration: Configuration, block: int, run_id: str) -> Behaviour:
        if configuration.workers == workers and (not blocks or block in blocks):
            return fault
        return healthy(configuration, block, run_id)

    return script


def test_a_value_whose_server_dies_is_dropped_and_the_rest_decide() -> None:
    answer, store, watching, _ = studied(with_fault(4, Behaviour(dies_after_s=6.0)))
    assert (answer.status, answer.workers) == (Status.RECOMMENDED, 8)
    assert (Configuration(4), 2) in [(c, after) for c, after, _ in watching.dropped]
    assert "4 is ruled out (its server died under load" in answer.reason
    assert max(r.plan.block for r in store.saved if r.configuration.workers == 4) == 2


def test_a_value_whose_server_never_starts_is_dropped_and_the_rest_decide() -> None:
    answer, _, watching, _ = studied(with_fault(32, Behaviour(dies_at_start=True)))
    assert (answer.status, answer.workers) == (Status.RECOMMENDED, 4)
    assert "32 is ruled out (its server served nothing" in answer.reason
    assert Configuration(32) in [c for c, _, _ in watching.dropped]


def test_a_value_that_fails_fast_is_dropped() -> None:
    """Its answers come so fast that the client's lag makes each of its runs suspect: no matter."""
    for share in (0.3, 0.6, 1.0):
        answer, store, _, _ = studied(with_fault(16, Behaviour(rps=300.0, error_share=share)))
        assert (answer.status, answer.workers) == (Status.RECOMMENDED, 4)
        assert "16 is ruled out" in answer.reason
        assert "of its requests failed" in answer.reason
        assert max(r.plan.block for r in store.saved if r.configuration.workers == 16) == 2


def test_when_all_fail_fast_no_count_will_do() -> None:
    answer, store, _, _ = studied(
        lambda c, block, run_id: Behaviour(error_share=0.97 if c.workers == 8 else 1.0)
    )
    assert (answer.status, answer.complete) == (Status.INFEASIBLE, True)
    assert {record.verdict for record in store.saved} == {Verdict.VALID}  # what fails is the server
    assert max(record.plan.block for record in store.saved) == 2
    assert "the nearest miss is 8 workers: 9" in answer.reason


def test_a_single_bad_start_is_forgiven() -> None:
    answer, store, _, _ = studied(with_fault(8, Behaviour(dies_at_start=True), blocks=(2,)))
    assert (answer.status, answer.workers) == (Status.RECOMMENDED, 4)
    assert [r.verdict for r in store.saved if r.configuration.workers == 8][1] is Verdict.FAILED
    assert answer.blocks >= 3


def test_suspect_runs_do_not_count_and_a_settled_study_goes_on_for_three_valid_blocks() -> None:
    script = with_fault(4, Behaviour(steal=0.1), blocks=(1, 3), base=noisy(PLATEAU, noise=0.001))
    answer, store, _, _ = studied(script)
    assert (answer.status, answer.workers, answer.blocks) == (Status.RECOMMENDED, 4, 3)
    assert max(record.plan.block for record in store.saved) == 5


def test_no_value_within_the_slo() -> None:
    answer, store, _, _ = studied(noisy(PLATEAU), planned(rule=Rule(slo_p99_ms=100.0)))
    assert (answer.status, answer.complete) == (Status.INFEASIBLE, True)
    assert max(record.plan.block for record in store.saved) <= 3
    assert "nearest miss" in answer.reason


def test_always_suspect_ends_at_the_last_block() -> None:
    answer, store, _, _ = studied(
        lambda c, block, run_id: Behaviour(steal=0.1), planned((1, 4), Rule(looks=(3, 5)))
    )
    assert (answer.status, answer.complete) == (Status.INCONCLUSIVE, True)
    assert max(record.plan.block for record in store.saved) == 5
    assert answer.reason.startswith("every run is suspect: the hypervisor gave")


def test_the_watcher_is_told_how_much_is_left() -> None:
    _, store, watching, _ = studied(noisy(PLATEAU, noise=0.03), planned(rule=Rule(looks=(3,))))
    assert len(watching.finished) == len(store.saved)
    first, last = watching.progress[0], watching.progress[-1]
    assert [progress.runs_done for progress in watching.progress] == [0, 6, 12]
    assert (first.runs_left, first.until) == (18, "the look after block 3")
    assert last.runs_left == 4  # 1 is dropped, and with it the reference's second run
    assert first.left_s > last.left_s > 0


def test_the_answer_so_far_is_provisional_until_the_study_is_complete() -> None:
    _, _, watching, _ = studied(noisy(PEAK))
    assert [so_far.complete for _, so_far in watching.blocks] == [False, False, True]
    assert watching.blocks[1][1].status is Status.PROVISIONAL
    assert "not finished" in watching.blocks[1][1].reason


SHAPES: dict[str, tuple[Script, StudyPlan]] = {
    "peak": (noisy(PEAK, noise=0.02, block_drift=0.1), planned()),
    "plateau": (noisy(PLATEAU, noise=0.02), planned(rule=Rule(looks=(3, 5)))),
    "noise": (noisy({1: 139.0, 4: 140.0, 8: 141.0}, noise=0.05), planned((1, 4, 8), Rule(looks=(3, 5)))),
    "faulty": (
        with_fault(4, Behaviour(dies_after_s=6.0), blocks=(3,), base=noisy(PLATEAU, noise=0.02)),
        planned(rule=Rule(looks=(3, 4))),
    ),
    "no-op": (lambda c, block, run_id: Behaviour(pool="fixed"), planned((4, 8, 16))),
    "silent": (
        lambda c, block, run_id: Behaviour(pool="absent", threads=lambda workers: 44),
        planned((1, 8, 16)),
    ),
    "dead": (lambda c, block, run_id: Behaviour(dies_at_start=True), planned((1, 4))),
    "quick": (noisy(PEAK), planned(rule=Rule(looks=(2,)))),
    "near tie": (noisy(NEAR_TIE, noise=0.015), planned(rule=Rule(looks=tuple(range(3, 11))))),
}


def test_a_value_rests_whose_runs_would_not_help_to_settle_what_is_open() -> None:
    answer, store, watching, _ = studied(*SHAPES["near tie"])
    assert (answer.status, answer.workers) == (Status.RECOMMENDED, 4)
    by_block = {
        block: sorted(r.configuration.workers for r in store.saved if r.plan.block == block)
        for block in range(1, max(r.plan.block for r in store.saved) + 1)
    }
    assert all(by_block[block] == [4, 8, 16, 32] for block in (3,))
    assert watching.rests
    resting: dict[int, tuple[int, ...]] = {
        after: tuple(c.workers for c in cs) for cs, after in watching.rests
    }
    now: tuple[int, ...] = ()
    for block, workers in by_block.items():
        assert not set(now) & set(workers), block
        assert 4 in workers and len(workers) >= 2
        now = resting.get(block, now)
    assert answer.blocks >= 3


def test_a_study_of_an_earlier_version_in_which_nothing_rested_is_read_as_it_was_made() -> None:
    script, plan = SHAPES["near tie"]
    _, store, _, _ = studied(script, plan)
    last = max(record.plan.block for record in store.saved)
    whole = MemoryStore()
    for block in range(1, last + 1):
        gone = {Configuration(1): 2}
        for run in plan.block(block, {None: gone}):
            same = next(r for r in store.saved if r.configuration.workers in (1, run.configuration.workers))
            figures = same.figures
            assert figures is not None
            speed = script(run.configuration, block, run.run_id).rps
            whole.saved.append(
                dataclasses.replace(same, plan=run, figures=dataclasses.replace(figures, rps=speed))
            )
    seen = answer_so_far(plan, whole.saved)
    most = max(c.runs for c in seen.candidates)
    assert {c.runs for c in seen.candidates if c.configuration.workers in (8, 16, 32)} <= {most, most - 2}
    assert seen.blocks >= 4


@pytest.mark.parametrize("shape", SHAPES)
def test_resumed_after_any_run_it_goes_on_as_if_nothing_had_happened(shape: str) -> None:
    script, plan = SHAPES[shape]
    whole, kept, _, _ = studied(script, plan)
    for done in range(len(kept.saved) + 1):
        store = MemoryStore(tuple(kept.saved[:done]))
        answer, _, watching, _ = studied(script, plan, store)
        assert len(watching.finished) == len(store.saved) - done
        assert answer.complete
        if not whole_blocks(kept.saved, done):
            continue  # what is made again of a block takes other turns: not the same to the last digit
        assert ids(store.saved) == ids(kept.saved), done
        assert (answer.status, answer.workers, answer.reason) == (whole.status, whole.workers, whole.reason)
        assert [c.eliminated_after for c in answer.candidates] == [
            c.eliminated_after for c in whole.candidates
        ]


@pytest.mark.parametrize("shape", SHAPES)
def test_reading_a_study_gives_the_answer_that_running_it_gave(shape: str) -> None:
    script, plan = SHAPES[shape]
    whole, kept, watching, _ = studied(script, plan)
    assert answer_so_far(plan, kept.saved) == whole
    assert answer_so_far(plan, list(reversed(kept.saved))).reason == whole.reason
    for done in range(len(kept.saved)):
        so_far = answer_so_far(plan, kept.saved[:done])
        assert not so_far.complete
        assert so_far.status is not Status.RECOMMENDED
    for block, told in watching.blocks:
        until = [record for record in kept.saved if record.plan.block <= block]
        assert answer_so_far(plan, until) == told


def test_a_complete_study_runs_nothing_more() -> None:
    script, plan = SHAPES["peak"]
    whole, kept, _, _ = studied(script, plan)
    again, _, watching, world = studied(script, plan, MemoryStore(tuple(kept.saved)))
    assert again == whole
    assert world.steps == [] and watching.finished == [] and watching.blocks == []


def test_what_was_announced_before_an_interrupt_is_not_announced_again() -> None:
    script, plan = SHAPES["plateau"]
    _, kept, whole, _ = studied(script, plan)
    assert [after for _, after, _ in whole.dropped] == [2]
    until = [record for record in kept.saved if record.plan.block <= 2]
    for done, announced in ((until[:-1], whole.dropped), (until, [])):
        _, _, watching, _ = studied(script, plan, MemoryStore(tuple(done)))
        assert [c for c, _, _ in watching.dropped] == [c for c, _, _ in announced]


def test_runs_of_another_plan_in_the_store_are_not_counted() -> None:
    script, plan = SHAPES["peak"]
    whole, kept, _, _ = studied(script, plan)
    stray = dataclasses.replace(
        kept.saved[0], plan=dataclasses.replace(kept.saved[0].plan, run_id="b99-01-w4", block=99)
    )
    assert answer_so_far(plan, [*kept.saved, stray]) == whole


def test_an_interrupt_loses_the_runs_under_way_and_nothing_else() -> None:
    """At every step while the first three servers start, and at some of each later block."""
    script, plan = SHAPES["peak"]
    whole, kept, _, uninterrupted = studied(script, plan)
    launches = [i for i, name in enumerate(uninterrupted.steps, 1) if name == "launch"]
    early = range(1, launches[3])
    for step in [*early, *range(launches[3], len(uninterrupted.steps) + 1, 37)]:
        store, world = MemoryStore(), World(script, interrupt_at=step)
        with pytest.raises(KeyboardInterrupt):
            run_study(plan, world.parts(), store, Watching())
        assert all(server.stops == 1 for server in world.servers), step
        assert all(session.kills == 1 for session in world.sessions), step
        finished = uninterrupted.steps[: step - 1].count("stop")
        assert ids(store.saved) == ids(kept.saved[:finished])
    answer, _, _, _ = studied(script, plan, store)
    assert (answer.workers, answer.reason) == (whole.workers, whole.reason)
    assert ids(store.saved) == ids(kept.saved)


def test_a_store_that_fails_stops_the_study_with_nothing_running() -> None:
    class Full(MemoryStore):
        def save(self, *arguments: object) -> None:
            raise OSError("no space left")

    world = World(SHAPES["peak"][0])
    with pytest.raises(OSError, match="no space"):
        run_study(planned(), world.parts(), Full(), Watching())
    assert world.left_running == []
