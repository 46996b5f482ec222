"""One figure of the host's speed for a run, from what the probe timed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sweeper.records.observations import SpeedLog
from sweeper.records.run import Window
from sweeper.statistics.host_speed import LEAST_VISITS, host_speed, probe_cpu_cores

WINDOW = Window(100.0, 110.0)


def log_of(slowness: float = 1.0, cores: int = 2, visits: int = 400) -> SpeedLog:
    """Visits at equal gaps from 95 to 115 s, to each core in turn; odd cores are 20% slower."""
    core = np.arange(visits) % cores
    cost = slowness * np.where(core % 2 == 1, 1.2, 1.0)
    return SpeedLog(
        at_s=np.linspace(95.0, 115.0, visits, endpoint=False),
        core=core.astype(np.int64),
        loop_s=0.4e-3 * cost,
        gather_s=0.3e-3 * cost,
        transfer_s=0.08e-3 * cost,
        waited_s=np.zeros(visits),
        used_cpu_s=np.arange(1, visits + 1) * 1e-3,
    )


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_a_host_of_half_the_speed_is_of_half_the_speed(cores: int) -> None:
    fast, slow = host_speed(log_of(1.0, cores), WINDOW), host_speed(log_of(2.0, cores), WINDOW)
    assert fast is not None
    assert slow == pytest.approx(fast / 2)


def test_only_the_window_counts() -> None:
    log = log_of()
    outside = (log.at_s < WINDOW.start_s) | (log.at_s >= WINDOW.end_s)
    disturbed = dataclasses.replace(log, gather_s=np.where(outside, 1.0, log.gather_s))
    assert host_speed(disturbed, WINDOW) == host_speed(log, WINDOW)


def test_every_core_counts_alike_however_often_it_was_visited() -> None:
    log = log_of(visits=800)
    keep = (log.core == 0) | (np.arange(800) % 8 == 1)
    fewer = SpeedLog(*(getattr(log, field.name)[keep] for field in dataclasses.fields(SpeedLog)))
    assert host_speed(fewer, WINDOW) == pytest.approx(host_speed(log, WINDOW))


def test_a_few_interrupted_visits_do_not_make_a_slow_host() -> None:
    log = log_of()
    hit = np.arange(400) % 40 < 2  # 5% of the visits to each core
    disturbed = dataclasses.replace(log, loop_s=np.where(hit, 50e-3, log.loop_s))
    assert host_speed(disturbed, WINDOW) == pytest.approx(host_speed(log, WINDOW), rel=1e-6)


def test_one_core_has_nothing_to_transfer() -> None:
    log = log_of(cores=1)
    slower = dataclasses.replace(log, transfer_s=log.transfer_s * 5)
    assert host_speed(slower, WINDOW) == host_speed(log, WINDOW)


def test_too_little_is_unavailable_and_not_a_guess() -> None:
    few = log_of(visits=2 * (LEAST_VISITS - 1) * 2)  # half of them in the window
    assert host_speed(few, WINDOW) is None
    assert host_speed(None, WINDOW) is None
    assert probe_cpu_cores(None, WINDOW) is None
    assert probe_cpu_cores(log_of(visits=2), WINDOW) is None


def test_the_probes_own_load_is_known() -> None:
    assert probe_cpu_cores(log_of(), WINDOW) == pytest.approx(400 * 1e-3 / 20.0)
