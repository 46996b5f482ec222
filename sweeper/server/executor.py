"""The pool that predicts: threads `drum-predict-N`, a bounded queue before them, and admission to both.

Up to workers + queue_depth requests are admitted; the next ones wait for at most queue_timeout_s, in
order of arrival, and are then refused. `_work` and `_hand_over` run in a pool thread; the rest runs on the
event loop and never blocks.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sweeper.server.counters import ProcessCounters
from sweeper.server.gate import Places

Result = TypeVar("Result")


class QueueTimeout(Exception):
    """No place in the pool or its queue came free within the time: predict.py answers 503."""


class PredictionExecutor:
    """Runs functions in the pool's threads for the coroutines of one event loop."""

    def __init__(
        self, workers: int, queue_depth: int, queue_timeout_s: float, counters: ProcessCounters
    ) -> None:
        self.workers = workers
        self.queue_depth = queue_depth
        self._counters = counters
        self._places = Places(workers + queue_depth, queue_timeout_s)
        self._finished: deque[tuple[asyncio.Future[Any] | None, Any, Exception | None, bool]] = deque()
        self._wake_up_sent = False
        self._pool = ThreadPoolExecutor(workers, initializer=thread_namer("drum-predict"))

    async def run(
        self,
        function: Callable[[], Result],
        then: Callable[[Result], Callable[[], None] | None] | None = None,
    ) -> Result:
        """`function()` in a pool thread. Raises QueueTimeout, or what the function raises.

        `then(result)` may return a second function, such as one that sends the rest of a stream. The same
        thread runs it after it has handed the result over. The request keeps its place until it ends.

        When the caller is cancelled, the function is not started any more; one that has been started
        runs to its end and keeps its place until then.
        """
        try:
            admitted = self._places.take() or await self._places.wait()
        finally:
            self._counters.set_pending(self._places.taken)
        if not admitted:
            self._counters.rejected()
            raise QueueTimeout
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        try:
            self._pool.submit(self._work, loop, future, function, then)
        except RuntimeError:  # shut down meanwhile
            self._give_place_back()
            raise
        return await future

    def shut_down(self) -> None:
        """Start nothing any more; what runs may end, and nobody waits for it here."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _give_place_back(self) -> None:
        self._places.give_back()
        self._counters.set_pending(self._places.taken)

    def _work(
        self,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Result],
        function: Callable[[], Result],
        then: Callable[[Result], Callable[[], None] | None] | None,
    ) -> None:
        """In a pool thread: do the work and hand the result over, then the rest and the place."""
        result: Result | None = None
        error: Exception | None = None
        rest: Callable[[], None] | None = None
        if not future.cancelled():
            self._counters.entered()
            started_ns = time.perf_counter_ns()
            try:
                result = function()
                rest = then(result) if then is not None else None
            except StopIteration as caught:  # a future cannot hold one
                error = RuntimeError(f"a pool thread raised {caught!r}")
            except Exception as caught:
                error = caught
            except BaseException as caught:  # sys.exit() in a hook must not end the server
                error = RuntimeError(f"a pool thread raised {caught!r}")
            if rest is not None:
                self._hand_over(loop, future, result, None, place_too=False)
                with contextlib.suppress(BaseException):  # whoever reads the rest is told by itself
                    rest()
            self._counters.left(time.perf_counter_ns() - started_ns)
        self._hand_over(loop, None if rest is not None else future, result, error, place_too=True)

    def _hand_over(
        self,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Any] | None,
        result: object,
        error: Exception | None,
        *,
        place_too: bool,
    ) -> None:
        """Wake the loop once for all that it has not seen yet."""
        self._finished.append((future, result, error, place_too))
        if not self._wake_up_sent:
            self._wake_up_sent = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        # Cleared before the queue is emptied: a result that comes in between wakes the loop again.
        self._wake_up_sent = False
        while self._finished:
            future, result, error, place_too = self._finished.popleft()
            if place_too:
                self._give_place_back()
            if future is None or future.cancelled():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


def thread_namer(prefix: str) -> Callable[[], None]:
    """For ThreadPoolExecutor's `initializer`: names threads PREFIX-0, PREFIX-1, …, for the kernel too."""
    numbers = itertools.count()

    def name_this_thread() -> None:
        name = f"{prefix}-{next(numbers)}"
        threading.current_thread().name = name
        with contextlib.suppress(OSError):  # only Linux has this file; it keeps the first 15 bytes
            Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(name)

    return name_this_thread
