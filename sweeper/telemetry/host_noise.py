"""Lets the host-speed probe run on an otherwise idle machine, and reads what it timed."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from sweeper.observations import SpeedLog
from sweeper.telemetry.probed_host_speed import ProbedHostSpeed

START_S = 20.0  # numpy on a busy machine
POLL_S = 0.1


def probe_host(seconds: float) -> SpeedLog | None:
    """At least `seconds` of visits to two of the cores that may be used: with more, each would be visited
    too seldom to tell one half second from the next. None where the probe cannot run."""
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="sweeper-doctor-") as folder:
        probe = ProbedHostSpeed(frozenset({cores[0], cores[-1]})).start(Path(folder))
        try:
            until_s = time.monotonic() + START_S + 2 * seconds
            while time.monotonic() < until_s and probe.alive():
                time.sleep(POLL_S)
                log = probe.read()
                if log is not None and log.at_s[-1] - log.at_s[0] > seconds:
                    return log
            return None
        finally:
            probe.stop()
