"""Makes time stand still in locust's process while locust is stopped.

While another run has its turn, sweeper stops locust (SIGSTOP). The kernel's clocks go on: when locust
resumes, a waiting user would send at once, and a user with a fixed pace would catch up on missed requests. A
file holds the total number of stopped seconds (STOOD_STILL); sweeper writes it before locust resumes. These
seconds are left out

- of every one-shot timer of gevent's loop, and so of all waits: of gevent, threading, queues, sockets,
  `time.sleep`;
- of the clocks of modules that are imported from now on: `time` and `datetime` are stand-ins for them;
- of the clock of locust's constant_pacing and constant_throughput.

Locust and the recorder were imported before and keep the kernel's clocks: what they note of a request is put
on the run's own clock afterwards. Out of reach are clocks that code in C reads by itself, and those of other
processes: checks/turns.py looks for what they do to the load.
"""

from __future__ import annotations

import datetime
import mmap
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import gevent
from locust.user import wait_time

from sweeper.locust_side.wire import STOOD_STILL

READ = ("time", "monotonic", "perf_counter")
OF_THE_MOMENT = {"localtime": 0, "gmtime": 0, "ctime": 0, "strftime": 1}
"""Functions of `time` that use the current time by default, and the position of their time argument."""
Clock = Callable[[], float]
_memory: mmap.mmap | None = None  # of the file; None where locust is never stopped


def stood_still_s() -> float:
    """For how many seconds locust has stood still, in all: what its own clock is behind the kernel's."""
    seconds: float = 0.0 if _memory is None else STOOD_STILL.unpack_from(_memory)[0]
    return seconds


def install(path: str) -> None:
    """After everything that keeps the kernel's clocks has been imported, before any locustfile is read."""
    global _memory  # noqa: PLW0603  (one process, one clock)
    with Path(path).open("rb") as file:
        _memory = mmap.mmap(file.fileno(), STOOD_STILL.size, prot=mmap.PROT_READ)
    hub = gevent.get_hub()
    hub.loop = OwnLoop(hub.loop, stood_still_s)
    wait_time.perf_counter = lambda: time.perf_counter() - stood_still_s()  # type: ignore[attr-defined]
    sys.modules["time"], sys.modules["datetime"] = own_time(stood_still_s), own_datetime(stood_still_s)


class OwnTimer:
    """A timer of gevent's loop that fires when locust has run for so long; used like the real one."""

    def __init__(self, new: Callable[[float], Any], after_s: float, stood_still_s: Clock) -> None:
        self._new = new
        self._after_s = after_s
        self._stood_still_s = stood_still_s
        self._timer = new(after_s)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._timer, name)

    def start(self, callback: Callable[..., Any], *args: Any, **options: Any) -> None:
        self._due_s = time.monotonic() - self._stood_still_s() + self._after_s
        self._timer.start(self._fire, callback, *args, **options)

    def __enter__(self) -> OwnTimer:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.stop()
        self._timer.close()

    def _fire(self, callback: Callable[..., Any], *args: Any) -> None:
        left_s = self._due_s - (time.monotonic() - self._stood_still_s())
        if left_s <= 0 or self._stood_still_s() == 0:
            callback(*args)
            return
        self._timer.stop()
        self._timer.close()
        self._timer = self._new(left_s)
        self._timer.start(self._fire, callback, *args)


class OwnLoop:
    """Gevent's loop with timers that stand still; everything else is the loop's own."""

    def __init__(self, loop: Any, stood_still_s: Clock) -> None:
        object.__setattr__(self, "_loop", loop)
        object.__setattr__(self, "_stood_still_s", stood_still_s)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._loop, name, value)

    def timer(self, after: float, repeat: float = 0.0, ref: bool = True, priority: int | None = None) -> Any:
        if repeat:
            return self._loop.timer(after, repeat, ref=ref, priority=priority)

        def new(seconds: float) -> Any:
            return self._loop.timer(seconds, ref=ref, priority=priority)

        return OwnTimer(new, after, self._stood_still_s)


def own_time(stood_still_s: Clock) -> ModuleType:
    """`time` with clocks that stand still; the CPU clocks do so by themselves."""
    own = ModuleType("time", time.__doc__)
    vars(own).update(vars(time))

    def seconds(read: Callable[[], float]) -> Callable[[], float]:
        return lambda: read() - stood_still_s()

    def nanoseconds(read: Callable[[], int]) -> Callable[[], int]:
        return lambda: read() - round(1e9 * stood_still_s())

    for name in READ:
        setattr(own, name, seconds(getattr(time, name)))
        setattr(own, f"{name}_ns", nanoseconds(getattr(time, f"{name}_ns")))

    def clock_gettime(clock: int) -> float:
        return time.clock_gettime(clock) - (0.0 if clock in of_the_cpu else stood_still_s())

    def clock_gettime_ns(clock: int) -> int:
        return time.clock_gettime_ns(clock) - (0 if clock in of_the_cpu else round(1e9 * stood_still_s()))

    of_the_cpu = (time.CLOCK_PROCESS_CPUTIME_ID, time.CLOCK_THREAD_CPUTIME_ID)
    own.clock_gettime, own.clock_gettime_ns = clock_gettime, clock_gettime_ns  # type: ignore[attr-defined]

    def of_now(of: Callable[..., Any], place: int) -> Callable[..., Any]:
        def answer(*given: Any) -> Any:
            if len(given) > place and given[place] is not None:
                return of(*given)
            now_s = time.time() - stood_still_s()
            return of(*given[:place], time.localtime(now_s) if place else now_s)

        return answer

    for name, place in OF_THE_MOMENT.items():
        setattr(own, name, of_now(getattr(time, name), place))
    return own


def own_datetime(stood_still_s: Clock) -> ModuleType:
    """A `datetime` module whose now() and today() use locust's own clock. Its classes create plain `date`
    and `datetime` objects, which pass isinstance() checks against them."""
    own = ModuleType("datetime", datetime.__doc__)
    vars(own).update(vars(datetime))

    class Alike(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, cls.__mro__[1])

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, cls.__mro__[1])

    class Date(datetime.date, metaclass=Alike):
        def __new__(cls, *args: Any, **options: Any) -> Any:
            return datetime.date(*args, **options)

        @classmethod
        def today(cls) -> Any:
            return datetime.date.fromtimestamp(time.time() - stood_still_s())

    class Moment(datetime.datetime, metaclass=Alike):
        def __new__(cls, *args: Any, **options: Any) -> Any:
            return datetime.datetime(*args, **options)

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return datetime.datetime.fromtimestamp(time.time() - stood_still_s(), tz)

        @classmethod
        def today(cls) -> Any:
            return cls.now()

        @classmethod
        def utcnow(cls) -> Any:
            return cls.now(datetime.UTC).replace(tzinfo=None)

    for stand_in, name in ((Date, "date"), (Moment, "datetime")):
        stand_in.__name__ = stand_in.__qualname__ = name
        stand_in.__module__ = "datetime"
        setattr(own, name, stand_in)
    return own
