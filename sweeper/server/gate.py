"""The plan's first gate, and `Places`, the limit with a waiting line that both gates use.

The first gate limits how many requests are in the server at once, before they reach the pool. At its
default of 10 a pool of 16 threads never fills: the gate, not the pool, is then what limits.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from enum import Enum


class Places:
    """`most` places, given in order of arrival. For one event loop; nothing here blocks."""

    def __init__(self, most: int, timeout_s: float) -> None:
        self.most = most
        self.taken = 0
        self._timeout_s = timeout_s
        self._line: deque[asyncio.Future[bool]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._line)

    def take(self) -> bool:
        """Take a place; False when none is free. A place given back goes to a waiting request first."""
        if self.taken >= self.most:
            return False
        self.taken += 1
        return True

    async def wait(self) -> bool:
        """Wait at most `timeout_s` for a place; True when one came. The caller must then call `give_back`."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._line.append(turn)
        timer = loop.call_later(self._timeout_s, self._give_up, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with contextlib.suppress(ValueError):  # `give_back` may have passed it by already
                    self._line.remove(turn)
            elif turn.result():  # the place was given in the same moment: the next one has it
                self.give_back()
            raise
        finally:
            timer.cancel()

    def give_back(self) -> None:
        """The place goes to the one that has waited longest."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self.taken -= 1

    def _give_up(self, turn: asyncio.Future[bool]) -> None:
        if not turn.done():
            self._line.remove(turn)
            turn.set_result(False)


class Refusal(Enum):
    """Why a request is not let through: what the answer says, and after how many seconds to come again."""

    FULL = ("Service temporarily unavailable due to high load", 5)
    TIMED_OUT = ("Service temporarily unavailable due to request queue timeout", 10)

    @property
    def text(self) -> str:
        return self.value[0]

    @property
    def retry_after_s(self) -> int:
        return self.value[1]


class Gate:
    """Lets `most` requests through at once, in order of arrival. For one event loop; nothing here blocks.

    `depth` counts those let through and those that wait: a request beyond it is refused at once. One that
    has waited `timeout_s` is refused, too.
    """

    def __init__(self, most: int, depth: int, timeout_s: float) -> None:
        self.most = most
        self.accepted = 0
        self.rejected = 0
        self.peak = 0  # the most that ever waited at once
        self._depth = depth
        self._places = Places(most, timeout_s)
        self._waited_s = 0.0

    @property
    def waiting(self) -> int:
        return self._places.waiting

    @property
    def mean_wait_ms(self) -> float:
        """Of all that were let through."""
        return 1000.0 * self._waited_s / self.accepted if self.accepted else 0.0

    async def enter(self) -> Refusal | None:
        """None when the request is through; it must then `leave`."""
        places = self._places
        if places.taken + places.waiting >= self._depth:
            self.rejected += 1
            return Refusal.FULL
        if not places.take():
            self.peak = max(self.peak, places.waiting + 1)
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            if not await places.wait():
                self.rejected += 1
                return Refusal.TIMED_OUT
            self._waited_s += loop.time() - began_s
        self.accepted += 1
        return None

    def leave(self) -> None:
        self._places.give_back()
