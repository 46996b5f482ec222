"""The plan's first gate: how many requests may be in the server at once, before any of them sees the pool.

At its default of 10 a pool of 16 threads never fills: the gate, not the pool, is then what limits.
"""

from __future__ import annotations

import asyncio
from enum import Enum

from sweeper.server.admission import Places


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
