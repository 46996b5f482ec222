"""Does the server keep the threads it has, or does it make more and more of them?"""

from __future__ import annotations

import itertools

from sweeper.findings.limits import Limits, RunContext
from sweeper.records import Finding, Severity
from sweeper.statistics.figures import Measurement

FEWEST_STEPS = 4


def thread_leak(measurement: Measurement, context: RunContext, limits: Limits) -> Finding | None:
    """A thread count that grows in every third of the window, never falls, and exceeds the pool.

    A pool that fills does so in the warm-up, since all users are on at once; a server with a thread for
    each request has a count that goes up and down. Fewer than five samples do not tell a trend.
    """
    window = measurement.window
    samples = [s for s in measurement.samples if window.start_s <= s.at_s <= window.end_s]
    counts = [sample.server_threads for sample in samples]
    steps = len(counts) - 1
    if steps < FEWEST_STEPS or len({sample.server_processes for sample in samples}) > 1:
        return None
    first, last = counts[0], counts[-1]
    thirds = [counts[round(steps * third / 3)] for third in range(4)]
    falls = any(after < before for before, after in itertools.pairwise(counts))
    pauses = any(after <= before for before, after in itertools.pairwise(thirds))
    pool = context.configuration.workers * context.configuration.processes
    if falls or pauses or last - first < limits.leaked_threads or last <= pool:
        return None
    per_s = (last - first) / (samples[-1].at_s - samples[0].at_s)
    return Finding(
        "thread-leak",
        Severity.WARNING,
        f"the server's threads grew from {first} to {last} within the window, {per_s:.1f} a second without "
        f"one ending, beyond its pool of {pool}: it will slow down the longer it serves; look in the "
        "model's code for a thread, pool or client that is made for each request and never closed",
        {"threads_first": first, "threads_last": last, "threads_per_s": per_s, "pool": pool},
    )
