"""What a run shows of its server: the clock it goes by, what it reports of itself, how it ended."""

from __future__ import annotations

import numpy as np
from scipy import stats

from sweeper.checks.thresholds import Limits, RunContext
from sweeper.records.finding import Finding, FindingCode, Severity
from sweeper.records.run import RunFigures
from sweeper.statistics.figures import Measurement


def server_clock(measurement: Measurement, limits: Limits) -> Finding | None:
    """Of the requests that end right after a pause more fail than of the others, before the window too.

    A server that fails by itself fails at any time of a turn.
    """
    log = measurement.requests
    ended = np.isfinite(log.latency_ms) & (log.started_s >= measurement.users_on_s)
    finished_s, failed = log.finished_s[ended], log.failed[ended]
    if not measurement.resumed_s or not failed.any():
        return None
    began_s = np.array([-np.inf, *measurement.resumed_s])
    since_s = finished_s - began_s[np.searchsorted(began_s, finished_s, side="right") - 1]
    failures = int(failed.sum())

    def soon(after_s: float) -> tuple[float, int, float]:
        """Failures so soon after a pause: how likely as many are by chance, how many, how many to expect."""
        near = since_s < after_s
        seen, share = int(np.count_nonzero(failed & near)), float(near.mean())
        return float(stats.binom.sf(seen - 1, failures, share)), seen, failures * share

    by_chance, seen, expected = min(soon(after_s) for after_s in limits.after_pause_s)
    share = (seen - expected) / len(failed)
    if share <= limits.failed_after_pauses or by_chance >= limits.clock_by_chance:
        return None
    return Finding(
        FindingCode.SERVER_CLOCK,
        Severity.WARNING,
        f"{seen} of {failures} failed requests failed at the start of a turn ({expected:.0f} by chance): "
        "the server uses a clock that keeps running while sweeper stops the server for other runs, such as a "
        "time limit for idle connections, or a supervisor's time limit for its workers; if half of the runs "
        "of a block or two runs of one value show this, sweeper makes the next runs one after another, as "
        "with --no-interleave",
        {"failed": failures, "as_a_turn_began": seen, "expected": expected, "share": share},
    )


TOO_SELDOM = "the page with its CPU time was answered too seldom within the window"


def metrics_unavailable(measurement: Measurement, figures: RunFigures) -> Finding | None:
    why = measurement.unreported
    reported = any(sample.server_reported_cpu_s is not None for sample in measurement.samples)
    if why is None and reported and figures.cpu_cores is None:
        why = TOO_SELDOM
    if why is None:
        return None
    return Finding(
        FindingCode.METRICS_UNAVAILABLE,
        Severity.WARNING,
        f"the server did not report the CPU time or the memory of its process for the whole window, so they "
        f"are unavailable: {why}; have one process answer there, with process_cpu_seconds_total and "
        "process_resident_memory_bytes, or leave out --metrics-path",
        {"why": why, "cpu_cores": figures.cpu_cores, "rss_bytes": figures.rss_bytes},
    )


def killed(context: RunContext) -> Finding | None:
    """Its figures are worth as much: they were taken before."""
    seconds = context.killed_after_s
    if seconds is None:
        return None
    return Finding(
        FindingCode.SERVER_KILLED,
        Severity.WARNING,
        f"the server, or a process that it started, did not end within {seconds:.0f} s of SIGTERM, so "
        "sweeper killed it: in a deployment, too, the server may lose unfinished work; let it end sooner",
        {"waited_s": seconds},
    )
