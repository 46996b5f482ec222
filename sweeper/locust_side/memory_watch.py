"""Ends locust before it fills the machine's memory, whatever its locust file does.

In a thread of the system: a greenlet would have to wait for its turn.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gevent import monkey
from locust import events

from sweeper.locust_side.wire import MEMORY_FULL

PERIOD_S = 0.1
STATM = Path("/proc/self/statm")


def install(most_bytes: int | None) -> None:
    """In each process that locust makes; None: no limit."""

    def on_init(**_: Any) -> None:
        if most_bytes is not None:
            watch(most_bytes)

    events.init.add_listener(on_init)  # type: ignore[no-untyped-call]


def watch(most_bytes: int) -> None:
    """From now on, in this very process; a fork has to ask anew."""
    sleep = monkey.get_original("time", "sleep")
    page_bytes = os.sysconf("SC_PAGE_SIZE")

    def look_for_ever() -> None:
        while True:
            sleep(PERIOD_S)
            try:
                used_bytes = page_bytes * int(STATM.read_bytes().split()[1])
            except OSError:
                continue
            if used_bytes > most_bytes:
                sentence = (
                    f"sweeper: the load generator needed {used_bytes / 1e6:.0f} MB of memory, and may use "
                    f"{most_bytes / 1e6:.0f} MB: let the locust file keep less of what it gets, use fewer "
                    "users, or give a smaller --max-answer-size\n"
                )
                os.write(2, sentence.encode())
                os._exit(MEMORY_FULL)

    monkey.get_original("_thread", "start_new_thread")(look_for_ever, ())
