"""From a run's raw requests and samples to its figures over the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweeper.observations import FirstAnswer, PoolStats, RequestLog, SpeedLog, TelemetrySample
from sweeper.records import LatencyFigures, RunFigures, Window
from sweeper.statistics.host_speed import host_speed, probe_cpu_cores
from sweeper.statistics.percentiles import latency_figures, percentile


@dataclass(frozen=True, slots=True)
class Measurement:
    """All that one run left behind, before anything is computed from it.

    `users_on_s` is when the load started, `ended_s` when the load generator had drained; `resumed_s` are the
    moments, on the run's own clock, at which it went on after a pause. `answer` is what one upload brought
    before the load.
    """

    requests: RequestLog
    samples: tuple[TelemetrySample, ...]
    window: Window
    users_on_s: float
    ended_s: float
    ready_s: float
    pool: PoolStats | None
    speed: SpeedLog | None = None
    resumed_s: tuple[float, ...] = ()
    answer: FirstAnswer | None = None


def latencies(log: RequestLog, window: Window, ended_s: float) -> LatencyFigures | None:
    """Exact figures of the requests started in the window; those still waiting at the end count so far."""
    inside = (log.started_s >= window.start_s) & (log.started_s < window.end_s)
    waited_ms = (ended_s - log.started_s[inside]) * 1000.0
    return latency_figures(log.latency_ms[inside], waited_ms)


def completed_in(log: RequestLog, window: Window) -> NDArray[np.intp]:
    """Indices of the requests that completed within the window."""
    finished = log.finished_s
    return np.flatnonzero(np.isfinite(finished) & (finished >= window.start_s) & (finished < window.end_s))


def mean_in_flight(log: RequestLog, window: Window, ended_s: float) -> float:
    """Requests in flight, averaged over the window; those that never finished are so until `ended_s`."""
    until = np.where(np.isfinite(log.latency_ms), log.finished_s, ended_s)
    overlap = np.minimum(until, window.end_s) - np.maximum(log.started_s, window.start_s)
    return float(np.maximum(overlap, 0.0).sum() / window.duration_s)


def edges(samples: Sequence[TelemetrySample], window: Window) -> tuple[TelemetrySample, TelemetrySample]:
    """The samples at the window's edges. Raises ValueError when they were not taken there."""
    first = min(samples, key=lambda sample: abs(sample.at_s - window.start_s), default=None)
    last = min(samples, key=lambda sample: abs(sample.at_s - window.end_s), default=None)
    if first is None or last is None or first.at_s >= last.at_s:
        raise ValueError("no telemetry at the window's edges")
    return first, last


def run_figures(measurement: Measurement) -> RunFigures | None:
    """Figures over the window; None when nothing was started in it or nothing completed."""
    log, window = measurement.requests, measurement.window
    latency = latencies(log, window, measurement.ended_s)
    done = completed_in(log, window)
    if latency is None or len(done) == 0:
        return None
    first, last = edges(measurement.samples, window)
    seconds = last.at_s - first.at_s
    completed = len(done)
    failed = int(log.failed[done].sum())
    inside = [s for s in measurement.samples if first.at_s <= s.at_s <= last.at_s]
    user = last.server_user_cpu_s - first.server_user_cpu_s
    system = last.server_system_cpu_s - first.server_system_cpu_s
    voluntary = last.server_voluntary_switches - first.server_voluntary_switches
    involuntary = last.server_involuntary_switches - first.server_involuntary_switches
    delay = _grown(first.server_run_delay_s, last.server_run_delay_s)
    probe_cores = probe_cpu_cores(measurement.speed, window)
    return RunFigures(
        window_s=window.duration_s,
        warmup_s=window.start_s - measurement.users_on_s,
        ready_s=measurement.ready_s,
        started=latency.samples,
        completed=completed,
        failed=failed,
        censored=latency.censored,
        rps=(completed - failed) / window.duration_s,
        error_rate=failed / completed,
        latency=latency,
        cpu_cores=(user + system) / seconds,
        cpu_user_s=user,
        cpu_system_s=system,
        cpu_ms_per_request=(user + system) * 1000.0 / completed,
        rss_bytes=last.server_rss_bytes,
        peak_rss_bytes=last.server_peak_rss_bytes,
        threads=max(s.server_threads for s in inside),
        processes=max(s.server_processes for s in inside),
        voluntary_switches_per_request=voluntary / completed,
        involuntary_switches_per_request=involuntary / completed,
        run_delay_ms_per_request=None if delay is None else delay * 1000.0 / completed,
        client_cpu_cores=_rate(first.client_cpu_s, last.client_cpu_s, seconds),
        client_lag_p99_ms=_lag_ms(log, window, 0.99),
        host_switches_per_s=_rate(first.host_context_switches, last.host_context_switches, seconds),
        host_steal_share=_rate(first.host_steal_s, last.host_steal_s, seconds),
        host_pressure_share=_rate(first.host_cpu_pressure_s, last.host_cpu_pressure_s, seconds),
        throttled_periods=_grown_int(first.cgroup_throttled_periods, last.cgroup_throttled_periods),
        other_cpu_cores=_others(first, last, user + system, probe_cores or 0.0, seconds),
        max_concurrency=measurement.pool.max_concurrency if measurement.pool else None,
        pool_workers=measurement.pool.workers if measurement.pool else None,
        host_speed=host_speed(measurement.speed, window),
        probe_cpu_cores=probe_cores,
        mean_in_flight=mean_in_flight(log, window, measurement.ended_s),
        client_busiest_cores=_busiest(first, last, seconds),
        client_lag_p50_ms=_lag_ms(log, window, 0.5),
    )


def _grown(first: float | None, last: float | None) -> float | None:
    return None if first is None or last is None else last - first


def _grown_int(first: int | None, last: int | None) -> int | None:
    return None if first is None or last is None else last - first


def _rate(first: float | None, last: float | None, seconds: float) -> float | None:
    grown = _grown(first, last)
    return None if grown is None else grown / seconds


def _lag_ms(log: RequestLog, window: Window, share: float) -> float | None:
    """Of the worst process: in a mixture, the one that is late could hide behind a hundred that are not."""
    inside = (log.lag_at_s >= window.start_s) & (log.lag_at_s < window.end_s)
    if not inside.any():
        return None
    lag_s = log.lag_s[inside]
    process = np.zeros(len(lag_s)) if log.lag_process is None else log.lag_process[inside]
    return max(percentile(np.sort(lag_s[process == number]), share) for number in np.unique(process)) * 1000.0


def _busiest(first: TelemetrySample, last: TelemetrySample, seconds: float) -> float | None:
    """Cores that the busiest of the load generator's processes kept busy; it may have begun in between."""
    if first.client_process_cpu_s is None or last.client_process_cpu_s is None:
        return None
    before = dict(first.client_process_cpu_s)
    grown = [cpu_s - before.get(pid, 0.0) for pid, cpu_s in last.client_process_cpu_s]
    return max(grown, default=0.0) / seconds


def _others(
    first: TelemetrySample, last: TelemetrySample, server_cpu_s: float, probe_cores: float, seconds: float
) -> float | None:
    """Cores kept busy by anything but the server, the load generator and our probe."""
    busy = _grown(first.host_busy_cpu_s, last.host_busy_cpu_s)
    client = _grown(first.client_cpu_s, last.client_cpu_s)
    if busy is None or client is None:
        return None
    return max(0.0, (busy - server_cpu_s - client) / seconds - probe_cores)
