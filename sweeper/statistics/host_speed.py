"""How fast the host was during a window, from what the probe timed: one figure for one run."""

from __future__ import annotations

import math
import statistics

import numpy as np

from sweeper.records.observations import SpeedLog
from sweeper.records.run import FloatArray, Window

LEAST_VISITS = 5  # to each core: fewer say nothing about a window
PIECES = ("loop_s", "gather_s", "transfer_s")
TRIMMED = 0.1  # share of the slowest visits left out: pieces that were interrupted, not a slow host


def host_speed(log: SpeedLog | None, window: Window) -> float | None:
    """Pieces of probe work per second of CPU over the window, the geometric mean of the three kinds.

    The kinds count alike, because the kind that the host slows, and that explains most, differs by the hour
    (docs/method/host-speed.md). More is faster; only ratios between runs on one host mean anything. The
    cores count alike, however often each was visited. None without a probe, or with too few visits to a core.
    """
    if log is None:
        return None
    inside = (log.at_s >= window.start_s) & (log.at_s < window.end_s)
    cores = np.unique(log.core)
    logs: list[float] = []
    for name in PIECES:
        if name == "transfer_s" and len(cores) < 2:
            continue
        taken: FloatArray = getattr(log, name)
        means = [_trimmed_mean(taken[inside & (log.core == core)]) for core in cores]
        if any(mean is None or mean <= 0 for mean in means):
            return None
        logs.append(math.log(sum(mean for mean in means if mean is not None) / len(means)))
    return math.exp(-statistics.fmean(logs))


def probe_cpu_cores(log: SpeedLog | None, window: Window) -> float | None:
    """The probe's own load on the host: cores kept busy over the window; None when it is not known."""
    if log is None:
        return None
    inside = np.flatnonzero((log.at_s >= window.start_s) & (log.at_s < window.end_s))
    if len(inside) < 2:
        return None
    first, last = inside[0], inside[-1]
    return float((log.used_cpu_s[last] - log.used_cpu_s[first]) / (log.at_s[last] - log.at_s[first]))


def _trimmed_mean(values: FloatArray) -> float | None:
    if len(values) < LEAST_VISITS:
        return None
    return float(np.sort(values)[: math.ceil(len(values) * (1 - TRIMMED))].mean())
