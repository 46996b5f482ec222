"""The pool that predicts: threads `drum-predict-N`, a bounded queue before them, and admission to both.

Up to workers + queue_depth requests are admitted; the next ones wait for at most queue_timeout_s, in
order of arrival, and are then refused. All but `_work` runs on the event loop's thread, and never blocks.
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

Result = TypeVar("Result")


class QueueTimeout(Exception):
    """No place in the pool or its queue came free within the time."""


class PredictionExecutor:
    """Runs functions in the pool's threads for the coroutines of one event loop."""

    def __init__(
        self, workers: int, queue_depth: int, queue_timeout_s: float, counters: ProcessCounters
    ) -> None:
        self.workers = workers
        self.queue_depth = queue_depth
        self.queue_timeout_s = queue_timeout_s
        self._counters = counters
        self._pending = 0
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._finished: deque[tuple[asyncio.Future[Any], Any, Exception | None]] = deque()
        self._wake_up_sent = False

        self._pool = ThreadPoolExecutor(workers, initializer=thread_namer("drum-predict"))

    async def run(self, function: Callable[[], Result]) -> Result:
        """`function()` in a pool thread. Raises QueueTimeout, or what the function raises.

        When the caller is cancelled, the function is not started any more; one that has been started
        runs to its end and keeps its place until then.
        """
        if self._pending < self.workers + self.queue_depth:
            self._set_pending(self._pending + 1)
        else:
            await self._wait_for_place()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        try:
            self._pool.submit(self._work, loop, future, function)
        except RuntimeError:  # shut down meanwhile
            self._pass_place_on()
            raise
        return await future

    def shut_down(self) -> None:
        """Start nothing any more; what runs may end, and nobody waits for it here."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _wait_for_place(self) -> None:
        loop = asyncio.get_running_loop()
        admitted: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(admitted)
        timer = loop.call_later(self.queue_timeout_s, self._give_up, admitted)
        try:
            got_place = await admitted
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled() and admitted.result():
                self._pass_place_on()
            raise
        finally:
            timer.cancel()
        if not got_place:
            raise QueueTimeout

    def _give_up(self, admitted: asyncio.Future[bool]) -> None:
        if not admitted.done():
            self._waiting.remove(admitted)
            self._counters.rejected()
            admitted.set_result(False)

    def _pass_place_on(self) -> None:
        """A place is free: the first who still waits has it, or nobody."""
        while self._waiting:
            admitted = self._waiting.popleft()
            if not admitted.done():
                admitted.set_result(True)
                return
        self._set_pending(self._pending - 1)

    def _set_pending(self, pending: int) -> None:
        self._pending = pending
        self._counters.set_pending(pending)

    def _work(
        self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Result], function: Callable[[], Result]
    ) -> None:
        """In a pool thread: do the work, then wake the loop once for all results it has not seen yet."""
        result: Result | None = None
        error: Exception | None = None
        if not future.cancelled():
            self._counters.entered()
            started_ns = time.perf_counter_ns()
            try:
                result = function()
            except StopIteration as caught:  # a future cannot hold one
                error = RuntimeError(f"a pool thread raised {caught!r}")
            except Exception as caught:
                error = caught
            except BaseException as caught:  # sys.exit() in a hook must not end the server
                error = RuntimeError(f"a pool thread raised {caught!r}")
            self._counters.left(time.perf_counter_ns() - started_ns)
        self._finished.append((future, result, error))
        if not self._wake_up_sent:
            self._wake_up_sent = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        # Cleared before the queue is emptied: a result that comes in between wakes the loop again.
        self._wake_up_sent = False
        while self._finished:
            future, result, error = self._finished.popleft()
            self._pass_place_on()
            if future.cancelled():
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
