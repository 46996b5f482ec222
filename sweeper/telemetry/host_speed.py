"""Runs the host-speed probe, beside the runs of a block or on an idle machine, and reads what it timed."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweeper.processes import ManagedProcess, spawn
from sweeper.records.observations import SpeedLog
from sweeper.settings.runtime_parameters import NATIVE_THREADS
from sweeper.telemetry.host_speed_probe import ROW

SCRIPT = Path(__file__).with_name("host_speed_probe.py")
VISIT_EVERY_S = 0.025
"""About 1 ms of CPU a visit: 4% of one core, whatever the number of cores."""
LOG = "host_speed.bin"


class RunningSpeedProbe:
    """An `interfaces.SpeedProbe`."""

    def __init__(self, process: ManagedProcess | None, path: Path) -> None:
        self._process = process
        self._path = path

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def read(self) -> SpeedLog | None:
        """The rows so far; the last half second may be missing. None when the probe has died."""
        return read_speed_log(self._path) if self.alive() else None

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None


@dataclass(frozen=True)
class ProbedHostSpeed:
    """An `interfaces.HostSpeed`: one small process that visits each of `cpus` in turn (None: all)."""

    cpus: frozenset[int] | None = None

    def start(self, directory: Path) -> RunningSpeedProbe:
        path = directory.absolute() / LOG
        cores = sorted(self.cpus if self.cpus is not None else os.sched_getaffinity(0))
        argv = [sys.executable, "-P", str(SCRIPT), str(path), str(VISIT_EVERY_S), ",".join(map(str, cores))]
        with suppress(OSError):
            path.unlink(missing_ok=True)
            environment = {**os.environ, **dict.fromkeys(NATIVE_THREADS, "1")}
            process = spawn(argv, env=environment, log_path=directory / "host_speed.log")
            return RunningSpeedProbe(process, path)
        return RunningSpeedProbe(None, path)


def read_speed_log(path: Path) -> SpeedLog | None:
    """The rows in `path`, without a torn last one; None where there is none."""
    try:
        raw = np.fromfile(path, dtype=np.float64)
    except OSError:
        return None
    rows = raw[: len(raw) // len(ROW) * len(ROW)].reshape(-1, len(ROW))
    if not len(rows):
        return None
    at_s, core, loop_s, gather_s, transfer_s, waited_s, used_cpu_s = rows.T
    return SpeedLog(at_s, core.astype(np.int64), loop_s, gather_s, transfer_s, waited_s, used_cpu_s)


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
