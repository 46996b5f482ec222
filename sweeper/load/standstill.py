"""Makes the waits of locust's users stand still while locust is stopped: loaded before all other locustfiles.

An island like recorder.py: in locust's own process, importing nothing of sweeper. While another run has its
turn, sweeper stops locust (SIGSTOP). Timers go by the wall clock all the same, so that every user who waits
between two requests would send the next one at once when locust goes on. The environment variable
SWEEPER_STANDSTILL names a file of one float64: for how many seconds, in all, locust has stood still; sweeper
writes it before locust goes on.

`gevent.sleep` and `time.sleep` (which users' code may call) and the clock of locust's constant_pacing and
constant_throughput are replaced by such that leave these seconds out.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import time
from pathlib import Path

import gevent
from locust.user import wait_time

SECONDS = struct.Struct("<d")

with Path(os.environ["SWEEPER_STANDSTILL"]).open("rb") as file:
    MEMORY = mmap.mmap(file.fileno(), SECONDS.size, prot=mmap.PROT_READ)

wall_sleep = gevent.sleep
wall_perf_counter = time.perf_counter


def stood_still_s() -> float:
    seconds: float = SECONDS.unpack_from(MEMORY)[0]
    return seconds


def sleep(seconds: float = 0, ref: bool = True) -> None:
    """As gevent.sleep, of the time that locust runs."""
    counted_s = stood_still_s()
    until_s = time.monotonic() - counted_s + seconds
    wall_sleep(seconds, ref)
    while stood_still_s() != counted_s:
        counted_s = stood_still_s()
        left_s = until_s - (time.monotonic() - counted_s)
        if left_s > 0:
            wall_sleep(left_s, ref)


def perf_counter() -> float:
    return wall_perf_counter() - stood_still_s()


gevent.sleep = sleep
time.sleep = sleep  # type: ignore[assignment]
wait_time.perf_counter = perf_counter  # type: ignore[attr-defined]
sys.modules.pop(__name__, None)  # a user's own `import standstill` must find theirs
