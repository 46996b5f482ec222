"""The real probe in its own process."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import psutil

from sweeper.records.run import Window
from sweeper.statistics.host_speed import host_speed, probe_cpu_cores
from sweeper.telemetry.host_speed import LOG, ProbedHostSpeed, RunningSpeedProbe, read_speed_log

LONG_S = 30.0


def wait_for_visits(probe_log: Path, bytes_at_least: int) -> None:
    deadline = time.monotonic() + LONG_S
    while not probe_log.exists() or probe_log.stat().st_size < bytes_at_least:
        assert time.monotonic() < deadline, "the probe writes nothing"
        time.sleep(0.02)


def test_it_visits_every_core_and_knows_what_it_costs(tmp_path: Path) -> None:
    begun_s = time.monotonic()
    probe = ProbedHostSpeed().start(tmp_path)
    wait_for_visits(tmp_path / LOG, 80 * 7 * 8)
    log = probe.read()
    probe.stop()
    ended_s = time.monotonic()
    assert log is not None
    assert set(log.core) == os.sched_getaffinity(0)
    assert len(log.at_s) >= 80
    assert (np.diff(log.at_s) > 0).all()
    assert begun_s < log.at_s[0] < log.at_s[-1] < ended_s
    for taken in (log.loop_s, log.gather_s, log.transfer_s):
        assert (taken > 0).all()
    assert (log.waited_s > -0.001).all()
    window = Window(log.at_s[0], ended_s)
    assert (host_speed(log, window) or 0.0) > 0
    assert 0 < (probe_cpu_cores(log, window) or 0.0) < 0.5


def test_on_the_servers_cores_only(tmp_path: Path) -> None:
    core = min(os.sched_getaffinity(0))
    probe = ProbedHostSpeed(frozenset({core})).start(tmp_path)
    wait_for_visits(tmp_path / LOG, 20 * 7 * 8)
    log = probe.read()
    probe.stop()
    assert log is not None
    assert set(log.core) == {core}


def test_it_is_gone_when_stopped_and_may_be_stopped_twice(tmp_path: Path) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    probe = ProbedHostSpeed().start(tmp_path)
    wait_for_visits(tmp_path / LOG, 20 * 7 * 8)
    assert {child.pid for child in psutil.Process().children(recursive=True)} > before
    probe.stop()
    probe.stop()
    assert probe.read() is None
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_a_probe_that_died_has_no_figure(tmp_path: Path) -> None:
    """Its last second may be missing, so that none of it is used."""
    cores = os.sched_getaffinity(0)
    probe = ProbedHostSpeed(frozenset({max(cores) + 1000})).start(tmp_path)  # no such core: it ends at once
    deadline = time.monotonic() + LONG_S
    while probe.alive() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert probe.read() is None
    probe.stop()
    assert "OSError" in (tmp_path / "host_speed.log").read_text()


def test_a_probe_that_cannot_start_is_unavailable_and_no_error(tmp_path: Path) -> None:
    probe = ProbedHostSpeed().start(tmp_path / "missing" / "folder")
    assert probe.read() is None
    probe.stop()


def test_a_torn_last_row_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / LOG
    rows = np.arange(14, dtype=float)
    path.write_bytes(rows.tobytes() + b"\x00" * 11)
    log = read_speed_log(path)
    assert log is not None
    assert log.at_s.tolist() == [0.0, 7.0]
    assert log.used_cpu_s.tolist() == [6.0, 13.0]
    path.write_bytes(b"")
    assert read_speed_log(path) is None
    assert RunningSpeedProbe(None, path).read() is None
