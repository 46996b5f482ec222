"""A run's own clock, which stands still while another run of its block is measured.

Server and load generator are stopped together (SIGSTOP) and go on together, so that neither of them notices:
what is left out of the clock of all records is left out of the run. Moments on it are seconds since the same
origin as CLOCK_MONOTONIC, less the pauses before; until the first pause the two are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sweeper.records.observations import RequestLog, SpeedLog, TelemetrySample
from sweeper.records.run import FloatArray

HOST_COUNTERS = (
    "host_context_switches",
    "host_busy_cpu_s",
    "host_steal_s",
    "host_cpu_pressure_s",
    "cgroup_throttled_periods",
    "cgroup_throttled_s",
    "cgroup_periods",
    "cgroup_cpu_s",
    "cgroup_client_cpu_s",
    "cgroup_sweeper_cpu_s",
)
"""The fields of a TelemetrySample that go on counting in a pause: what others do then is not the run's."""


@dataclass(frozen=True, slots=True)
class Pause:
    """From when to when neither server nor load generator ran; seconds of CLOCK_MONOTONIC."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


def paused_s(at_s: FloatArray, pauses: Sequence[Pause]) -> FloatArray:
    """How much of the pauses, in order, lies before each moment. Same shape as `at_s`."""
    if not pauses:
        return np.zeros_like(at_s)
    ends = np.array([(pause.start_s, pause.end_s) for pause in pauses]).ravel()
    lost = np.cumsum([pause.duration_s for pause in pauses])
    so_far = np.column_stack((np.concatenate(([0.0], lost[:-1])), lost)).ravel()
    result: FloatArray = np.interp(at_s, ends, so_far)
    return result


def resumed_s(pauses: Sequence[Pause]) -> tuple[float, ...]:
    """When the run went on after each pause, on its own clock."""
    starts = np.array([pause.start_s for pause in pauses])
    return tuple((starts - paused_s(starts, pauses)).tolist())


def own_requests(log: RequestLog, pauses: Sequence[Pause]) -> RequestLog:
    """The log on the run's own clock: moments, latencies and the client's delays without the pauses."""
    if not pauses:
        return log
    before_start, before_end = paused_s(log.started_s, pauses), paused_s(log.finished_s, pauses)
    before_arrival = paused_s(log.finished_s - log.client_late_ms / 1000.0, pauses)
    return replace(
        log,
        started_s=log.started_s - before_start,
        latency_ms=log.latency_ms - 1000.0 * (before_end - before_start),
        client_late_ms=log.client_late_ms - 1000.0 * (before_end - before_arrival),
    )


def own_speed(log: SpeedLog | None, pauses: Sequence[Pause]) -> SpeedLog | None:
    """What the probe timed while the run ran, on the run's own clock; its visits in a pause are left out."""
    if log is None or not pauses:
        return log
    starts = np.array([pause.start_s for pause in pauses])
    ends = np.array([pause.end_s for pause in pauses])
    pause = np.searchsorted(starts, log.at_s, side="right") - 1  # the last one begun
    kept = (pause < 0) | (log.at_s >= ends[pause])
    cost_s = np.diff(log.used_cpu_s, prepend=log.used_cpu_s[:1])  # of each visit
    return SpeedLog(
        at_s=(log.at_s - paused_s(log.at_s, pauses))[kept],
        core=log.core[kept],
        loop_s=log.loop_s[kept],
        gather_s=log.gather_s[kept],
        transfer_s=log.transfer_s[kept],
        waited_s=log.waited_s[kept],
        used_cpu_s=np.cumsum(cost_s[kept]),
    )


def own_sample(sample: TelemetrySample, paused: float, grown: Mapping[str, float]) -> TelemetrySample:
    """The sample on the run's own clock, after `paused` seconds of pauses in which the host's counters grew
    by `grown` (see `growth`)."""
    counters = {
        name: value - grown[name]
        for name in HOST_COUNTERS
        if (value := getattr(sample, name)) is not None and name in grown
    }
    return replace(sample, at_s=sample.at_s - paused, **counters)


def growth(first: TelemetrySample, last: TelemetrySample) -> dict[str, float]:
    """By how much the host's counters grew between two samples; those that both have."""
    pairs = {name: (getattr(first, name), getattr(last, name)) for name in HOST_COUNTERS}
    return {name: b - a for name, (a, b) in pairs.items() if a is not None and b is not None}
