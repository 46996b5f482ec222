"""What a picture needs of one run's raw requests: a record of bounded size, however many they were."""

from __future__ import annotations

from dataclasses import dataclass

from sweeper.records import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class RunTrace:
    """One run over time, and how its latencies are distributed.

    `at_s`, `rps` and `mean_latency_ms` have shape (bins,): the middles of bins of `bin_s` seconds, counted
    from where the window begins (what is negative is warm-up, and was dropped), the requests that completed
    without failure in each, per second, and the mean latency of those that completed (NaN: none did).

    `shares` and `latency_ms` have shape (points,): for each share of the requests started in the window, the
    latency that it stayed within. NaN where that is beyond the last request, or one that never finished.
    """

    run_id: str
    warmup_s: float
    window_s: float
    bin_s: float
    at_s: FloatArray
    rps: FloatArray
    mean_latency_ms: FloatArray
    shares: FloatArray
    latency_ms: FloatArray
    requests: int
    never_finished: int
