"""From a run's raw requests and samples to its figures over the window; exact percentiles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweeper.records.observations import FirstAnswer, PoolStats, RequestLog, SpeedLog, TelemetrySample
from sweeper.records.run import FloatArray, LatencyFigures, RateStep, RunFigures, Window
from sweeper.statistics.host_speed import host_speed, probe_cpu_cores
from sweeper.statistics.reported_cpu import reported_cpu_s


def percentile(sorted_values: FloatArray, share: float) -> float:
    """Nearest-rank percentile: the smallest value with at least `share` of the sample at or below it.

    `sorted_values` has shape (n,), n >= 1, ascending; `share` is in (0, 1]. It is always a value that
    was observed, never an interpolation and never above the maximum.
    """
    # The epsilon keeps ranks exact where share * n is a whole number but for rounding (0.99 * 100).
    rank = int(np.ceil(share * len(sorted_values) - 1e-9))
    return float(sorted_values[min(max(rank, 1), len(sorted_values)) - 1])


def latency_figures(latency_ms: FloatArray, waited_ms: FloatArray) -> LatencyFigures | None:
    """Figures of requests *started* in a window; None when there was none.

    Both arrays have shape (n,). `latency_ms` is NaN where a request never finished; `waited_ms` says how
    long that one had been waiting when the load generator ended: its latency is at least that, so the
    percentiles that reach into the censored ones are lower bounds.
    """
    if len(latency_ms) == 0:
        return None
    unfinished = np.isnan(latency_ms)
    values = np.sort(np.where(unfinished, waited_ms, latency_ms))
    return LatencyFigures(
        mean_ms=float(values.mean()),
        p50_ms=percentile(values, 0.50),
        p95_ms=percentile(values, 0.95),
        p99_ms=percentile(values, 0.99),
        max_ms=float(values[-1]),
        samples=len(values),
        censored=int(unfinished.sum()),
    )


@dataclass(frozen=True, slots=True)
class Measurement:
    """All that one run left behind, before anything is computed from it. Moments are on the run's own
    clock."""

    requests: RequestLog
    samples: tuple[TelemetrySample, ...]
    window: Window
    users_on_s: float  # when the load started
    ended_s: float  # when the load generator had drained
    ready_s: float  # from the server's start until it was ready
    pool: PoolStats | None  # counts of the load alone; None: the server has no such page
    speed: SpeedLog | None = None  # None: no probe
    resumed_s: tuple[float, ...] = ()  # when the run went on after each pause
    paused_s: tuple[float, ...] = ()  # how long each pause was
    quota_period_s: float | None = None  # with one of which each turn begins; None: without a CPU quota
    answer: FirstAnswer | None = None  # to one upload before the load; None: none was made
    users: int | None = None  # in a closed loop; None: requests arrived at random
    unreported: str | None = None  # why the server did not report its CPU or memory itself; None: no matter
    climb: tuple[RateStep, ...] = ()  # the rates at which they arrived, one after the other; empty: one rate


def latencies(log: RequestLog, window: Window, ended_s: float) -> LatencyFigures | None:
    """Exact figures of the requests started in the window; those still waiting at the end count so far."""
    inside = (log.started_s >= window.start_s) & (log.started_s < window.end_s)
    waited_ms = (ended_s - log.started_s[inside]) * 1000.0
    return latency_figures(log.latency_ms[inside], waited_ms)


def without_client(
    log: RequestLog, window: Window, ended_s: float
) -> tuple[LatencyFigures | None, LatencyFigures | None]:
    """What the load generator took of the latencies of the same requests, and the latencies without it.

    (None, None) where the kernel did not say it of at least half of those that finished. Of the others, whose
    number is small, it counts as nothing.
    """
    inside = (log.started_s >= window.start_s) & (log.started_s < window.end_s)
    late_ms, finished = log.client_late_ms[inside], np.isfinite(log.latency_ms[inside])
    known = np.isfinite(late_ms) & finished
    if known.sum() < max(1.0, finished.sum() / 2):
        return None, None
    waited_ms = (ended_s - log.started_s[inside]) * 1000.0
    left_ms = np.maximum(log.latency_ms[inside] - np.where(known, late_ms, 0.0), 0.0)
    return latency_figures(late_ms[known], late_ms[known]), latency_figures(left_ms, waited_ms)


def completed_in(log: RequestLog, window: Window) -> NDArray[np.intp]:
    """Indices of the requests that completed within the window."""
    finished = log.finished_s
    return np.flatnonzero(np.isfinite(finished) & (finished >= window.start_s) & (finished < window.end_s))


def shares_in(log: RequestLog, window: Window, longest_s: float) -> FloatArray:
    """How much of each request belongs to the window, from 0 to 1: the share of its latency that lies in it.

    Their sum is how many requests the window answers. It varies less than the number of those that finish
    in it: threads that compute side by side finish together, so that the edges of the window decide over as
    many requests as there are threads. On average the two are equal where answers come steadily.

    Only the last `longest_s` of a latency count, which is the length of the warm-up: all users send their
    first request at once, and its latency shows only its place in the queue.
    """
    finished_s = log.finished_s
    counted_s = np.minimum(log.latency_ms / 1000.0, longest_s)
    begun_s = finished_s - counted_s
    at_once = (finished_s >= window.start_s) & (finished_s < window.end_s)
    across = (counted_s > 1e-6) & ((begun_s < window.start_s) | (finished_s >= window.end_s))
    inside_s = np.minimum(finished_s, window.end_s) - np.maximum(begun_s, window.start_s)
    shares: FloatArray = at_once.astype(float)
    np.divide(np.maximum(inside_s, 0.0), counted_s, out=shares, where=across)
    return shares


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
    warmup_s = window.start_s - measurement.users_on_s
    shares = shares_in(log, window, longest_s=warmup_s)
    answered = float(shares.sum())
    if answered == 0.0:
        return None
    late, latency_without_client = without_client(log, window, measurement.ended_s)
    first, last = edges(measurement.samples, window)
    seconds = last.at_s - first.at_s
    completed = len(done)
    failed = int(log.failed[done].sum())
    inside = [s for s in measurement.samples if first.at_s <= s.at_s <= last.at_s]
    user = _grown(first.server_user_cpu_s, last.server_user_cpu_s)
    system = _grown(first.server_system_cpu_s, last.server_system_cpu_s)
    cpu = reported_cpu_s(first, last) if user is None or system is None else user + system
    voluntary = _grown(first.server_voluntary_switches, last.server_voluntary_switches)
    involuntary = _grown(first.server_involuntary_switches, last.server_involuntary_switches)
    delay = _grown(first.server_run_delay_s, last.server_run_delay_s)
    probe_cores = probe_cpu_cores(measurement.speed, window)
    return RunFigures(
        window_s=window.duration_s,
        warmup_s=warmup_s,
        ready_s=measurement.ready_s,
        started=latency.samples,
        completed=completed,
        failed=failed,
        censored=latency.censored,
        rps=float(shares[~log.failed].sum()) / window.duration_s,
        error_rate=failed / completed,
        latency=latency,
        cpu_cores=None if cpu is None else cpu / seconds,
        cpu_user_s=user,
        cpu_system_s=system,
        cpu_ms_per_request=None if cpu is None else cpu * 1000.0 / answered,
        rss_bytes=last.server_rss_bytes,
        peak_rss_bytes=last.server_peak_rss_bytes,
        threads=_most(s.server_threads for s in inside),
        processes=_most(s.server_processes for s in inside),
        voluntary_switches_per_request=None if voluntary is None else voluntary / answered,
        involuntary_switches_per_request=None if involuntary is None else involuntary / answered,
        run_delay_ms_per_request=None if delay is None else delay * 1000.0 / answered,
        client_cpu_cores=_rate(first.client_cpu_s, last.client_cpu_s, seconds),
        host_switches_per_s=_rate(first.host_context_switches, last.host_context_switches, seconds),
        host_steal_share=_rate(first.host_steal_s, last.host_steal_s, seconds),
        host_pressure_share=_rate(first.host_cpu_pressure_s, last.host_cpu_pressure_s, seconds),
        throttled_periods=_grown_int(first.cgroup_throttled_periods, last.cgroup_throttled_periods),
        other_cpu_cores=_others(first, last, cpu, probe_cores or 0.0, seconds),
        max_concurrency=measurement.pool.max_concurrency if measurement.pool else None,
        pool_workers=measurement.pool.workers if measurement.pool else None,
        host_speed=host_speed(measurement.speed, window),
        probe_cpu_cores=probe_cores,
        mean_in_flight=mean_in_flight(log, window, measurement.ended_s),
        client_busiest_cores=_busiest(first, last, seconds),
        client_late_p50_ms=late.p50_ms if late else None,
        client_late_p99_ms=late.p99_ms if late else None,
        latency_without_client=latency_without_client,
        client_share_of_cycle=None
        if late is None or measurement.users is None
        else late.mean_ms / 1000.0 * answered / window.duration_s / measurement.users,
        quota_cores=last.cgroup_quota_cores,
        throttled_share=_throttled_share(first, last),
        throttled_ms_per_request=_throttled_ms(first, last, answered),
        quota_lasts_ms=_quota_lasts_ms(first, last),
        quota_period_ms=None if last.cgroup_period_s is None else last.cgroup_period_s * 1000.0,
        load_in_quota_cores=_rate(first.cgroup_client_cpu_s, last.cgroup_client_cpu_s, seconds),
        others_in_quota_cores=_others_in_quota(first, last, cpu, probe_cores or 0.0, seconds),
    )


def _throttled_share(first: TelemetrySample, last: TelemetrySample) -> float | None:
    periods = _grown_int(first.cgroup_periods, last.cgroup_periods)
    throttled = _grown_int(first.cgroup_throttled_periods, last.cgroup_throttled_periods)
    if last.cgroup_quota_cores is None or periods is None or throttled is None:
        return None
    return min(1.0, throttled / periods) if periods > 0 else 0.0


def _throttled_ms(first: TelemetrySample, last: TelemetrySample, answered: float) -> float | None:
    stood_s = _grown(first.cgroup_throttled_s, last.cgroup_throttled_s)
    if last.cgroup_quota_cores is None or stood_s is None:
        return None
    return stood_s * 1000.0 / answered


def _quota_lasts_ms(first: TelemetrySample, last: TelemetrySample) -> float | None:
    """A server that keeps `busy` cores busy until its quota q of a period P is used up has so many cores
    stand still for the rest: busy x P - q x P, which is what the kernel counts."""
    periods = _grown_int(first.cgroup_throttled_periods, last.cgroup_throttled_periods)
    stood_s = _grown(first.cgroup_throttled_s, last.cgroup_throttled_s)
    quota, period_s = last.cgroup_quota_cores, last.cgroup_period_s
    if not periods or stood_s is None or quota is None or period_s is None:
        return None
    busy = quota + stood_s / (periods * period_s)
    return 1000.0 * period_s * quota / busy


def _others_in_quota(
    first: TelemetrySample,
    last: TelemetrySample,
    server_cpu_s: float | None,
    probe_cores: float,
    seconds: float,
) -> float | None:
    """Cores' worth of the quota that neither the server nor anything of sweeper's used."""
    used = _grown(first.cgroup_cpu_s, last.cgroup_cpu_s)
    if used is None or server_cpu_s is None:
        return None
    client = _grown(first.cgroup_client_cpu_s, last.cgroup_client_cpu_s)
    sweeper = _grown(first.cgroup_sweeper_cpu_s, last.cgroup_sweeper_cpu_s)
    probe_s = 0.0 if sweeper is None else probe_cores * seconds  # it is sweeper's child, and where that is
    return max(0.0, (used - server_cpu_s - (client or 0.0) - (sweeper or 0.0) - probe_s) / seconds)


def _most(counts: Iterable[int | None]) -> int | None:
    return max((count for count in counts if count is not None), default=None)


def _grown(first: float | None, last: float | None) -> float | None:
    return None if first is None or last is None else last - first


def _grown_int(first: int | None, last: int | None) -> int | None:
    return None if first is None or last is None else last - first


def _rate(first: float | None, last: float | None, seconds: float) -> float | None:
    grown = _grown(first, last)
    return None if grown is None else grown / seconds


def _busiest(first: TelemetrySample, last: TelemetrySample, seconds: float) -> float | None:
    """Cores that the busiest of the load generator's processes kept busy; it may have begun in between."""
    if first.client_process_cpu_s is None or last.client_process_cpu_s is None:
        return None
    before = dict(first.client_process_cpu_s)
    grown = [cpu_s - before.get(pid, 0.0) for pid, cpu_s in last.client_process_cpu_s]
    return max(grown, default=0.0) / seconds


def _others(
    first: TelemetrySample,
    last: TelemetrySample,
    server_cpu_s: float | None,
    probe_cores: float,
    seconds: float,
) -> float | None:
    """Cores kept busy by anything but the server, the load generator and our probe."""
    busy = _grown(first.host_busy_cpu_s, last.host_busy_cpu_s)
    client = _grown(first.client_cpu_s, last.client_cpu_s)
    if busy is None or client is None or server_cpu_s is None:
        return None
    return max(0.0, (busy - server_cpu_s - client) / seconds - probe_cores)
