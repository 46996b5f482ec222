"""The pool: who is admitted, who waits, who is refused, and that the counts are right in the end.

No test sleeps: pool threads wait on an Event, and the loop is given turns until it has nothing to do.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.server.counters import Counters
from sweeper.server.executor import PredictionExecutor, QueueTimeout

LIMIT_S = 20
LONG_S = 600.0


class Bench:
    """An executor whose functions stop at a gate, and what is known of them."""

    def __init__(self, workers: int, depth: int = 0, timeout_s: float = LONG_S) -> None:
        self.row = Counters().of_process(0)
        self.executor = PredictionExecutor(workers, depth, timeout_s, self.row)
        self.gate = threading.Event()
        self.begun: list[object] = []
        self.threads: list[str] = []

    def held(self, name: object) -> Callable[[], object]:
        def function() -> object:
            self.begun.append(name)
            self.threads.append(threading.current_thread().name)
            assert self.gate.wait(LIMIT_S)
            return name

        return function

    def ask(self, name: object) -> asyncio.Task[object]:
        return asyncio.get_running_loop().create_task(self.executor.run(self.held(name)))

    def counts(self) -> dict[str, int]:
        names = ("pending", "running", "completed", "rejected", "max_concurrency")
        return {name: self.row.get(name) for name in names}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.001)


async def turns(number: int = 20) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(*args: Any, **kwargs: Any) -> Bench:
        made.append(Bench(*args, **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.gate.set()
        each.executor.shut_down()


def run(main: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(2 * LIMIT_S):
            await main

    asyncio.run(bounded())


# --- admission ---------------------------------------------------------------------------------------------


def test_workers_run_the_queue_is_admitted_and_the_next_wait(bench):
    async def main() -> None:
        made = bench(2, depth=3)
        tasks = [made.ask(number) for number in range(8)]
        await until(lambda: len(made.begun) == 2)
        await turns()
        assert made.counts() == {
            "pending": 5, "running": 2, "completed": 0, "rejected": 0, "max_concurrency": 2,
        }  # fmt: skip
        made.gate.set()
        assert await asyncio.gather(*tasks) == list(range(8))
        assert made.counts() == {
            "pending": 0, "running": 0, "completed": 8, "rejected": 0, "max_concurrency": 2,
        }  # fmt: skip

    run(main())


def test_who_waits_is_admitted_in_order_of_arrival(bench):
    async def main() -> None:
        made = bench(1, depth=1)
        tasks = [made.ask(number) for number in range(30)]
        await until(lambda: made.begun == [0])
        made.gate.set()
        await asyncio.gather(*tasks)
        assert made.begun == list(range(30))

    run(main())


def test_a_late_comer_does_not_overtake_who_was_just_admitted(bench):
    async def main() -> None:
        made = bench(1)
        first, second = made.ask("first"), made.ask("second")
        await until(lambda: made.begun == ["first"])
        made.gate.set()
        await first
        third = made.ask("third")
        assert await asyncio.gather(second, third) == ["second", "third"]
        assert made.begun == ["first", "second", "third"]

    run(main())


@pytest.mark.parametrize("timeout_s", [0.0, 0.05])
def test_who_waits_too_long_is_rejected_and_the_others_stay(bench, timeout_s):
    async def main() -> None:
        made = bench(1, depth=1, timeout_s=timeout_s)
        held, queued = made.ask("held"), made.ask("queued")
        await until(lambda: made.begun == ["held"])
        for task in (made.ask("third"), made.ask("fourth")):
            with pytest.raises(QueueTimeout):
                await task
        assert made.counts() == {
            "pending": 2, "running": 1, "completed": 0, "rejected": 2, "max_concurrency": 1,
        }  # fmt: skip
        made.gate.set()
        assert await asyncio.gather(held, queued) == ["held", "queued"]
        assert await made.executor.run(lambda: "next") == "next"
        assert made.counts()["pending"] == 0
        assert made.begun == ["held", "queued"]

    run(main())


# --- cancellation ------------------------------------------------------------------------------------------


def test_cancelling_who_waits_takes_no_place_away(bench):
    async def main() -> None:
        made = bench(1)
        held, gone, last = made.ask("held"), made.ask("gone"), made.ask("last")
        await until(lambda: made.begun == ["held"])
        gone.cancel()
        await asyncio.wait([gone])
        made.gate.set()
        assert await asyncio.gather(held, last) == ["held", "last"]
        assert made.begun == ["held", "last"]
        assert (made.counts()["pending"], made.counts()["completed"]) == (0, 2)

    run(main())


def test_cancelling_in_the_moment_of_admission_passes_the_place_on(bench):
    async def main() -> None:
        made = bench(1)
        held, gone, last = made.ask("held"), made.ask("gone"), made.ask("last")
        await until(lambda: made.begun == ["held"])
        held.add_done_callback(lambda _: gone.cancel())
        made.gate.set()
        await asyncio.wait([held, gone, last])
        assert gone.cancelled() or gone.result() == "gone"
        assert last.result() == "last"
        await until(lambda: made.counts()["pending"] == 0)

    run(main())


def test_cancelling_exactly_when_the_place_was_given(bench):
    async def main() -> None:
        made = bench(1)
        held, gone, last = made.ask("held"), made.ask("gone"), made.ask("last")
        await until(lambda: made.begun == ["held"])
        made.executor._places.give_back()  # as when "held" ended: "gone" has the place, and does not know yet
        gone.cancel()
        made.executor._places.taken += 1  # "held" is still there
        await asyncio.wait([gone])
        made.gate.set()
        assert gone.cancelled()
        assert await asyncio.gather(held, last) == ["held", "last"]
        assert made.counts()["pending"] == 0

    run(main())


def test_a_cancelled_request_in_the_queue_is_never_started(bench):
    async def main() -> None:
        made = bench(1, depth=2)
        held, gone, last = made.ask("held"), made.ask("gone"), made.ask("last")
        await until(lambda: made.begun == ["held"])
        gone.cancel()
        await asyncio.wait([gone])
        assert made.counts()["pending"] == 3  # its place is free only when its turn has come
        made.gate.set()
        await asyncio.gather(held, last)
        assert made.begun == ["held", "last"]
        assert (made.counts()["pending"], made.counts()["completed"]) == (0, 2)

    run(main())


def test_a_cancelled_request_that_runs_keeps_its_place_to_its_end(bench):
    async def main() -> None:
        made = bench(1)
        gone = made.ask("gone")
        await until(lambda: made.begun == ["gone"])
        gone.cancel()
        await asyncio.wait([gone])
        assert (made.counts()["pending"], made.counts()["running"]) == (1, 1)
        after = made.ask("after")
        await turns()
        assert made.begun == ["gone"]
        made.gate.set()
        assert await after == "after"
        assert (made.counts()["pending"], made.counts()["completed"]) == (0, 2)

    run(main())


@given(
    workers=st.integers(1, 4),
    depth=st.integers(0, 4),
    cancelled=st.lists(st.booleans(), min_size=1, max_size=20),
    before=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_whoever_is_cancelled_everyone_else_is_served_and_no_place_is_lost(workers, depth, cancelled, before):
    async def main() -> None:
        made = Bench(workers, depth)
        try:
            tasks = [made.ask(number) for number in range(len(cancelled))]
            await until(lambda: len(made.begun) == min(workers, len(tasks)))
            if not before:
                made.gate.set()
            for task, is_cancelled in zip(tasks, cancelled, strict=True):
                if is_cancelled:
                    task.cancel()
            made.gate.set()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for number, (result, is_cancelled) in enumerate(zip(results, cancelled, strict=True)):
                assert result == number or (is_cancelled and isinstance(result, asyncio.CancelledError))
            await until(lambda: made.counts()["pending"] == 0)
            assert made.counts()["completed"] == len(made.begun)
            assert made.counts()["running"] == made.counts()["rejected"] == 0
            assert made.counts()["max_concurrency"] <= workers
            # Every place is there again: as many as the pool has threads run side by side.
            barrier = threading.Barrier(workers, timeout=LIMIT_S)
            await asyncio.gather(*(made.executor.run(barrier.wait) for _ in range(workers)))
        finally:
            made.gate.set()
            made.executor.shut_down()

    run(main())


# --- threads and results -----------------------------------------------------------------------------------


def test_thread_names_are_contiguous_for_python_and_for_the_kernel(bench):
    async def main() -> None:
        made = bench(5)
        tasks = [made.ask(number) for number in range(5)]
        await until(lambda: len(made.threads) == 5)
        assert sorted(made.threads) == [f"drum-predict-{number}" for number in range(5)]
        kernel = {file.read_text().strip() for file in Path("/proc/self/task").glob("*/comm")}
        assert kernel >= {f"drum-predict-{number}" for number in range(5)}
        made.gate.set()
        await asyncio.gather(*tasks)
        # The pool never grows, and does not name its threads anew.
        names = await asyncio.gather(
            *(made.executor.run(lambda: threading.current_thread().name) for _ in range(50))
        )
        assert set(names) <= set(made.threads)

    run(main())


class Custom(BaseException):
    pass


@pytest.mark.parametrize(
    ("raised", "kind", "text"),
    [
        (ValueError("bad"), ValueError, "bad"),
        (TimeoutError("slow"), TimeoutError, "slow"),
        (StopIteration(3), RuntimeError, "StopIteration"),
        (SystemExit(7), RuntimeError, "SystemExit"),
        (KeyboardInterrupt(), RuntimeError, "KeyboardInterrupt"),
        (asyncio.CancelledError(), RuntimeError, "CancelledError"),
        (GeneratorExit(), RuntimeError, "GeneratorExit"),
        (Custom("own"), RuntimeError, "Custom"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_whatever_is_raised_comes_back_and_the_thread_lives_on(bench, raised, kind, text):
    def fail() -> None:
        raise raised

    async def main() -> None:
        made = bench(1)
        for _ in range(3):
            with pytest.raises(kind, match=text):
                await made.executor.run(fail)
        assert await made.executor.run(lambda: threading.current_thread().name) == "drum-predict-0"
        assert made.counts() == {
            "pending": 0, "running": 0, "completed": 4, "rejected": 0, "max_concurrency": 1,
        }  # fmt: skip

    run(main())


def test_the_loop_goes_on_while_every_thread_is_held_and_others_wait(bench):
    async def main() -> None:
        made = bench(2, depth=1)
        tasks = [made.ask(number) for number in range(6)]
        await until(lambda: len(made.begun) == 2)
        # Only the loop itself opens the gate: were it blocked, the threads' bounded wait would fail.
        asyncio.get_running_loop().call_soon(made.gate.set)
        assert await asyncio.gather(*tasks) == list(range(6))

    run(main())


def test_many_results_at_once_all_arrive(bench):
    async def main() -> None:
        made = bench(8, depth=1000)
        numbers = await asyncio.gather(*(made.executor.run(lambda n=n: n) for n in range(2000)))
        assert numbers == list(range(2000))
        assert (made.counts()["completed"], made.counts()["pending"]) == (2000, 0)

    run(main())


def test_max_concurrency_is_the_most_that_ever_ran_at_once_and_stays(bench):
    async def main() -> None:
        made = bench(4)
        barrier = threading.Barrier(3, timeout=LIMIT_S)
        await asyncio.gather(*(made.executor.run(barrier.wait) for _ in range(3)))
        for _ in range(5):
            await made.executor.run(lambda: None)
        assert made.counts()["max_concurrency"] == 3
        assert made.row.get("min_ns") <= made.row.get("max_ns") <= made.row.get("total_ns")

    run(main())


def test_after_shut_down_a_request_fails_and_leaves_no_place_taken(bench):
    async def main() -> None:
        made = bench(1)
        made.executor.shut_down()
        with pytest.raises(RuntimeError):
            await made.executor.run(lambda: None)
        assert made.counts()["pending"] == 0

    run(main())


# --- what follows a result ---------------------------------------------------------------------------------


def names_of(result: list[str]) -> None:
    result.append(threading.current_thread().name)


def test_then_keeps_the_thread_and_the_place_until_the_rest_is_done(bench):
    async def main() -> None:
        made = bench(1)
        seen: list[str] = []

        def then(result: str) -> Callable[[], None]:
            names_of(seen)

            def rest() -> None:
                names_of(seen)
                assert made.gate.wait(LIMIT_S)
                seen.append(f"rest of {result}")

            return rest

        assert await made.executor.run(lambda: "first", then) == "first"  # before the rest has ended
        after = made.ask("after")
        await turns()
        assert made.counts() == {
            "pending": 1, "running": 1, "completed": 0, "rejected": 0, "max_concurrency": 1,
        }  # fmt: skip
        assert made.begun == []
        made.gate.set()
        assert await after == "after"
        assert seen == ["drum-predict-0", "drum-predict-0", "rest of first"]
        await until(lambda: made.counts()["pending"] == 0)
        assert made.counts()["completed"] == 2

    run(main())


def test_then_may_have_nothing_to_do(bench):
    async def main() -> None:
        made = bench(1)
        assert await made.executor.run(lambda: 3, lambda result: None) == 3
        assert (made.counts()["pending"], made.counts()["completed"]) == (0, 1)

    run(main())


def test_the_function_fails_and_then_is_not_asked(bench):
    async def main() -> None:
        made = bench(1)
        asked: list[object] = []

        def fail() -> None:
            raise ValueError("bad")

        with pytest.raises(ValueError, match="bad"):
            await made.executor.run(fail, asked.append)
        assert asked == []
        assert made.counts()["pending"] == 0

    run(main())


def test_then_itself_fails_and_its_error_is_the_answer(bench):
    def fail(result: object) -> None:
        raise ValueError("bad")

    async def main() -> None:
        made = bench(1)
        with pytest.raises(ValueError, match="bad"):
            await made.executor.run(lambda: 1, fail)
        assert await made.executor.run(lambda: 2) == 2

    run(main())


@pytest.mark.parametrize("raised", [ValueError("bad"), SystemExit(3), GeneratorExit()])
def test_a_rest_that_raises_gives_thread_and_place_back(bench, raised):
    def rest() -> None:
        raise raised

    async def main() -> None:
        made = bench(1)
        for _ in range(3):
            assert await made.executor.run(lambda: 1, lambda result: rest) == 1
        assert await made.executor.run(lambda: threading.current_thread().name) == "drum-predict-0"
        await until(lambda: made.counts()["pending"] == 0)
        assert (made.counts()["running"], made.counts()["completed"]) == (0, 4)

    run(main())


def test_the_rest_is_done_even_when_the_caller_is_gone(bench):
    """What it has to close is closed, and the place comes back only then."""

    async def main() -> None:
        made = bench(1)
        done: list[object] = []

        def then(result: object) -> Callable[[], None]:
            return lambda: done.append(result)

        gone = asyncio.get_running_loop().create_task(made.executor.run(made.held("gone"), then))
        await until(lambda: made.begun == ["gone"])
        gone.cancel()
        await asyncio.wait([gone])
        assert made.counts()["pending"] == 1
        made.gate.set()
        await until(lambda: made.counts()["pending"] == 0)
        assert done == ["gone"]

    run(main())


# --- counters of several processes -------------------------------------------------------------------------


def test_counters_are_a_row_for_each_process():
    counters = Counters(3)
    rows = [counters.of_process(index) for index in range(3)]
    for index, row in enumerate(rows):
        row.set("loaded", 1)
        row.set_pending(index)
        for _ in range(index):
            row.rejected()
        row.entered()
        row.left(100 * (index + 1))
    assert counters.column("pending") == counters.column("rejected") == [0, 1, 2]
    assert counters.column("completed") == counters.column("max_concurrency") == [1, 1, 1]
    assert counters.column("min_ns") == counters.column("total_ns") == [100, 200, 300]
    assert counters.all_loaded
    counters.clear(1)
    assert counters.column("completed") == [1, 0, 1]
    assert counters.all_loaded  # whether the others are served does not hang on the one started again
