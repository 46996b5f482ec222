"""The first gate: who is let through, in which order, who is refused and why, and what is counted.

Time is the loop's own, which a test moves on by itself, so that nothing sleeps and nothing is late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.server.gate import Gate, Refusal

TIMEOUT_S = 30.0


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time stands still until `turns` moves it on."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0

    def time(self) -> float:
        return self.now_s


async def turns(seconds: float = 0.0, number: int = 6) -> None:
    """Everything happens that is due, then `seconds` pass, and again."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Clock)
    for passed_s in (0.0, seconds):
        loop.now_s += passed_s
        for _ in range(number):
            await asyncio.sleep(0)


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=Clock) as runner:
        runner.run(main)


class Visitors:
    """Tasks that go to a gate, and stay inside until they are told to leave."""

    def __init__(self, most: int, depth: int = 1000, timeout_s: float = TIMEOUT_S) -> None:
        self.gate = Gate(most, depth, timeout_s)
        self.through: list[object] = []
        self.refused: dict[object, Refusal] = {}

    def come(self, name: object) -> asyncio.Task[None]:
        async def enter() -> None:
            refusal = await self.gate.enter()
            if refusal is None:
                self.through.append(name)
            else:
                self.refused[name] = refusal

        return asyncio.get_running_loop().create_task(enter())


# --- order -------------------------------------------------------------------------------------------------


def test_they_are_let_through_in_order_of_arrival_as_places_come_free():
    async def main() -> None:
        made = Visitors(2)
        for name in range(6):
            made.come(name)
        await turns()
        assert made.through == [0, 1]
        assert (made.gate.waiting, made.gate.peak) == (4, 4)
        for expected in ([0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4]):
            made.gate.leave()
            await turns()
            assert made.through == expected
        assert (made.gate.waiting, made.gate.peak) == (1, 4)

    run(main())


def test_a_late_comer_does_not_overtake_who_was_just_let_through():
    async def main() -> None:
        made = Visitors(1)
        made.come("first")
        made.come("second")
        await turns()
        made.gate.leave()
        made.come("third")
        await turns()
        assert made.through == ["first", "second"]

    run(main())


# --- refusals ----------------------------------------------------------------------------------------------


def test_beyond_the_depth_of_those_inside_and_waiting_the_next_is_refused_at_once():
    async def main() -> None:
        made = Visitors(2, depth=5)
        for name in range(7):
            made.come(name)
        await turns()
        assert made.refused == {5: Refusal.FULL, 6: Refusal.FULL}
        assert made.gate.waiting == 3
        made.gate.leave()
        made.come(7)
        await turns()
        assert 7 not in made.refused
        assert made.gate.rejected == 2

    run(main())


def test_a_depth_below_the_places_is_what_limits():
    async def main() -> None:
        made = Visitors(10, depth=3)
        for name in range(5):
            made.come(name)
        await turns()
        assert (made.through, list(made.refused)) == ([0, 1, 2], [3, 4])

    run(main())


def test_who_waits_too_long_is_refused_and_the_others_stay():
    async def main() -> None:
        made = Visitors(1)
        made.come("inside")
        made.come("early")
        await turns(TIMEOUT_S / 2)
        made.come("late")
        await turns(TIMEOUT_S / 2 + 1)
        assert made.refused == {"early": Refusal.TIMED_OUT}
        made.gate.leave()
        await turns()
        assert made.through == ["inside", "late"]
        assert (made.gate.accepted, made.gate.rejected, made.gate.waiting) == (2, 1, 0)

    run(main())


def test_no_time_to_wait_refuses_in_the_next_moment():
    async def main() -> None:
        made = Visitors(1, timeout_s=0.0)
        made.come(0)
        made.come(1)
        await turns(0.001)
        assert made.refused == {1: Refusal.TIMED_OUT}

    run(main())


@pytest.mark.parametrize("time_out_first", [False, True])
def test_a_place_given_in_the_same_moment_as_the_time_out_is_never_lost(time_out_first):
    async def main() -> None:
        made = Visitors(1)
        made.come("inside")
        made.come("torn")
        made.come("next")
        await turns()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Clock)
        loop.now_s += TIMEOUT_S + 1
        if not time_out_first:
            made.gate.leave()
        else:
            loop.call_soon(made.gate.leave)
        await turns()
        # Its place came in time, or its time was up; the one after it is in the same state.
        assert set(made.through) | set(made.refused) == {"inside", "torn", "next"}
        assert ("torn" in made.through) != ("torn" in made.refused)
        for _ in made.through[1:]:
            made.gate.leave()
        made.come("after")
        await turns()
        assert "after" in made.through

    run(main())


# --- cancelled waiters -------------------------------------------------------------------------------------


def test_cancelling_who_waits_takes_no_place_away():
    async def main() -> None:
        made = Visitors(1)
        made.come("inside")
        gone = made.come("gone")
        made.come("last")
        await turns()
        gone.cancel()
        await turns()
        assert made.gate.waiting == 1
        made.gate.leave()
        await turns()
        assert made.through == ["inside", "last"]

    run(main())


@pytest.mark.parametrize("leave_first", [False, True])
def test_cancelling_in_the_moment_in_which_the_place_is_given(leave_first):
    async def main() -> None:
        made = Visitors(1)
        made.come("inside")
        gone = made.come("gone")
        made.come("last")
        await turns()
        steps: list[Callable[[], object]] = [made.gate.leave, gone.cancel]
        for step in steps if leave_first else reversed(steps):
            step()
        await turns()
        assert gone.cancelled()
        assert made.through == ["inside", "last"]
        assert made.gate.waiting == 0

    run(main())


# --- counters ----------------------------------------------------------------------------------------------


def test_the_mean_wait_is_over_all_that_were_let_through():
    async def main() -> None:
        made = Visitors(1)
        assert made.gate.mean_wait_ms == 0.0
        made.come(0)
        made.come(1)
        await turns()
        await turns(2.0)
        made.gate.leave()
        await turns()
        assert made.gate.mean_wait_ms == pytest.approx(1000.0)

    run(main())


steps = st.lists(
    st.one_of(
        st.just(("come", 0.0)),
        st.just(("leave", 0.0)),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("pass"), st.sampled_from([0.0, TIMEOUT_S / 3, TIMEOUT_S, 2 * TIMEOUT_S])),
    ),
    max_size=60,
)


@given(most=st.integers(1, 4), depth=st.integers(1, 10), happening=steps, settle=st.booleans())
def test_whatever_happens_nobody_is_lost_and_the_gate_holds(most, depth, happening, settle):
    async def main() -> None:
        made = Visitors(most, depth)
        tasks: list[asyncio.Task[None]] = []
        left = 0
        for what, value in happening:
            if what == "come":
                tasks.append(made.come(len(tasks)))
            elif what == "leave" and left < len(made.through):
                left += 1
                made.gate.leave()
            elif what == "cancel" and value < len(tasks):
                tasks[int(value)].cancel()
            elif what == "pass":
                await turns(float(value))
            if settle:
                await turns()
            assert len(made.through) - left <= most
            assert made.gate.waiting <= depth
        await turns()
        assert made.through == sorted(made.through)  # in order of arrival
        assert made.gate.accepted == len(made.through)
        assert made.gate.rejected == len(made.refused)
        for task in tasks:
            if not task.done():
                task.cancel()
        await turns()
        assert made.gate.waiting == 0
        for _ in range(len(made.through) - left):
            made.gate.leave()
        # Every place is there again.
        before = len(made.through)
        for number in range(most):
            made.come(1000 + number)
        await turns()
        assert len(made.through) - before == min(most, depth)

    run(main())
