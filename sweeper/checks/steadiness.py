"""Was it one and the same all through the window: warmed up, without drift, pause or growing queue?"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sweeper.checks.thresholds import Limits, RunContext
from sweeper.records.finding import Finding, FindingCode, Severity
from sweeper.records.run import RunFigures
from sweeper.statistics.figures import Measurement, percentile
from sweeper.statistics.warmup import drift


def steady_state(measurement: Measurement, context: RunContext) -> Finding | None:
    if context.steady:
        return None
    warmup_s = measurement.window.start_s - measurement.users_on_s
    return Finding(
        FindingCode.NO_STEADY_STATE,
        Severity.WARNING,
        f"throughput or latency was not steady after {warmup_s:.1f} s of warm-up, the longest allowed; raise "
        "--warmup-cap, or look in the run's server.log for what keeps changing",
        {"warmup_s": warmup_s},
    )


def drifting(measurement: Measurement, limits: Limits) -> Finding | None:
    if measurement.climb:
        return None
    change = drift(measurement.requests, measurement.window.start_s, measurement.window.end_s)
    if change is None or abs(change) <= limits.drift:
        return None
    cause = (
        "the server was still warming up (raise --warmup)"
        if change > 0
        else "the server slows down as it serves (see the run's server.log)"
    )
    return Finding(
        FindingCode.DRIFT,
        Severity.WARNING,
        f"throughput {'rose' if change > 0 else 'fell'} by at least {abs(change):.1%} from the window's "
        f"first half to its second (limit {limits.drift:.0%}): {cause}, or the host changed speed (run again "
        "when it is quiet)",
        {"change": change},
    )


def beside_others(finding: Finding, changes: Sequence[float], limits: Limits | None = None) -> Finding:
    """A `drift`, compared with the change of throughput in the other runs of the block, which took turns in
    the same seconds. If all runs changed alike, the host caused it, and they can still be compared."""
    change, limits = finding.evidence["change"], limits or Limits()
    assert isinstance(change, float)
    if len(changes) < limits.others_to_tell_the_host:
        return finding
    of_others = statistics.median(changes)
    if of_others * change <= 0 or abs(change) - abs(of_others) > limits.drift:
        return finding
    went = "rose" if change > 0 else "fell"
    return replace(
        finding,
        severity=Severity.INFO,
        message=f"throughput {went} by at least {abs(change):.1%} from the window's first half to its "
        f"second, and by {abs(of_others):.1%} in the other runs of the block, which took turns with this "
        "one: the host changed its speed for all of them, so this run counts; if most blocks show this, "
        "all servers were still warming up (raise --warmup)",
        evidence={**finding.evidence, "change_of_others": of_others},
    )


def stalled(measurement: Measurement, figures: RunFigures, limits: Limits) -> Finding | None:
    """A gap without any completion much longer than the rest explains: a pause, not a queue. After a climb's
    last request, nothing is left to complete."""
    log, window = measurement.requests, measurement.window
    finished = log.finished_s
    until_s = min(window.end_s, float(log.started_s.max())) if measurement.climb else window.end_s
    inside = np.sort(finished[np.isfinite(finished) & (finished >= window.start_s) & (finished < until_s)])
    moments = np.concatenate(([window.start_s], inside, [until_s]))
    gaps = np.diff(moments)
    longest = float(gaps.max())
    mean_gap_s = window.duration_s / max(figures.completed, 1)
    expected = max(limits.stall_mean_gaps * mean_gap_s, limits.stall_at_least_s)
    others = float(np.partition(gaps, -2)[-2]) if len(gaps) > 1 else 0.0
    if longest <= expected or longest < limits.stall_beyond_others * others:
        return None
    return Finding(
        FindingCode.STALLED,
        Severity.WARNING,
        f"no request completed for {longest:.2f} s within the window (at most {expected:.2f} s is usual): "
        "the server or the host was stopped; look for a garbage collection, a suspended machine or another "
        "job",
        {"longest_gap_s": longest, "expected_below_s": expected},
    )


def falling_behind(measurement: Measurement, context: RunContext, limits: Limits) -> Finding | None:
    """Under open-loop load: does the queue grow all through the window?

    If arrivals exceed what the server answers by a share e, latency grows by e seconds per second; else it
    does not grow. So the queue grows if nearly all requests of the window's last third waited longer than
    nearly all of its first third. A burst ends sooner.
    """
    log, window = measurement.requests, measurement.window
    if not context.open_loop or measurement.climb:
        return None
    waited_ms = (measurement.ended_s - log.started_s) * 1000.0
    latency_ms = np.where(np.isnan(log.latency_ms), waited_ms, log.latency_ms)
    third_s = window.duration_s / 3.0
    edges = window.start_s + third_s * np.arange(4)
    thirds = [
        latency_ms[(log.started_s >= low) & (log.started_s < high)] for low, high in itertools.pairwise(edges)
    ]
    if any(len(third) == 0 for third in thirds):
        return None
    first, middle, last = (float(third.mean()) for third in thirds)
    slope = (last - first) / (2.0 * third_s)
    most = limits.nearly_all
    apart = percentile(np.sort(thirds[2]), 1 - most) > percentile(np.sort(thirds[0]), most)
    if not (apart and first < middle < last) or slope < limits.latency_grows_ms_per_s:
        return None
    return Finding(
        FindingCode.FALLING_BEHIND,
        Severity.WARNING,
        f"latency grew from {first:,.0f} ms in the window's first third to {last:,.0f} ms in its last: more "
        "requests arrived than the server answers, so the latency here only shows how long sweeper measured; "
        "in production, send the server fewer requests",
        {"first_ms": first, "last_ms": last, "grows_ms_per_s": slope},
    )
