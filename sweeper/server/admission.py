"""Places for requests, and the line of those that wait for one. Both gates of the plan are made of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque


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
        """A place at once, where one is free. There is none while others wait: theirs never comes free."""
        if self.taken >= self.most:
            return False
        self.taken += 1
        return True

    async def wait(self) -> bool:
        """Stand in line for at most `timeout_s`: whether a place came. Whoever has one must `give_back`."""
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
