"""The page /metrics of a server in the text format of Prometheus, made by Prometheus' own client library."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

MODES = ("one-process", "two-processes", "no-memory")
PR_SET_PDEATHSIG = 1


class Metrics:
    """Of this process; with `two-processes` every other page is of another one, as behind a balancer."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        pids = [os.getpid(), idle_child()] if mode == "two-processes" else [os.getpid()]
        self._registries = itertools.cycle([registry(pid) for pid in pids])

    def page(self) -> bytes:
        lines = generate_latest(next(self._registries)).splitlines(keepends=True)
        left_out = b"process_resident" if self._mode == "no-memory" else b"-"
        return b"# HELP requests_total Of all.\n" + b"".join(
            line for line in lines if not line.startswith(left_out)
        )


def registry(pid: int) -> CollectorRegistry:
    own = CollectorRegistry()
    ProcessCollector(pid=lambda: pid, registry=own)
    return own


def idle_child() -> int:
    """It ends with its parent."""
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        while True:
            signal.pause()
    return pid
