"""A polite turn at work that needs the GIL.

pandas gives the GIL up and takes it back some eighty times while it reads a 100-row CSV, a few
microseconds apart. As soon as another thread wants the GIL, each time is a wake-up and usually a
context switch, and two reads side by side take turns at that price: the read of 0.6 ms costs twice
the CPU. So a thread that is about to read a small CSV waits for the read under way, but never longer
than the GIL's own switch interval, so that nothing is ever held up by more than a forced switch.
It is a courtesy between our own reads: no model and no hook ever runs inside a turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Turn:
    """Lets one caller through at a time; who has waited for `patience_s` goes ahead nevertheless."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._lock = threading.Lock()

    def take(self, function: Callable[[Argument], Result], argument: Argument) -> Result:
        mine = self._lock.acquire(timeout=self._patience_s)
        try:
            return function(argument)
        finally:
            if mine:
                self._lock.release()
