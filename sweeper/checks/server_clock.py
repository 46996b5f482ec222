"""Does the server go by a clock that goes on while it is stopped for the others' turns? Idle connections that
it closes, or workers that its supervisor misses, are then requests that fail as a turn begins."""

from __future__ import annotations

import numpy as np
from scipy import stats

from sweeper.checks.thresholds import Limits
from sweeper.records.finding import Finding, FindingCode, Severity
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
