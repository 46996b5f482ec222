"""What does a request wait for while neither its server nor the load generator has anything to do?

A server that computes uses CPU for as long as somebody waits for its answer, or waits for a core, also where
a quota keeps all its threads from running. Whatever is left of the time in which a request is under way, it
waits for something outside: an upstream, a database, a timer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sweeper.records.observations import RequestLog, TelemetrySample
from sweeper.records.run import FloatArray


@dataclass(frozen=True, slots=True)
class OutsideWaits:
    """Of requests that come one at a time, over some seconds."""

    requests: int  # under way at some time of these seconds
    under_way_s: float  # at least one request was
    outside_s: float  # of that: neither server nor load generator worked or waited for a core

    @property
    def share(self) -> float:
        return self.outside_s / self.under_way_s

    @property
    def of_a_request_ms(self) -> float:
        """At least: some requests began before, or end later."""
        return 1000.0 * self.outside_s / self.requests

    def gained_share(self, turn_s: float) -> float:
        """By how much throughput comes out too high in turns: a wait that a pause begins in is over when it
        ends, and on average half of it was left."""
        return self.share * (self.of_a_request_ms / 2000.0) / turn_s


def outside_waits(log: RequestLog, first: TelemetrySample, last: TelemetrySample) -> OutsideWaits | None:
    """Between two samples; None where no request was under way then, or the kernel does not tell enough."""
    before_s, after_s = _worked_s(first), _worked_s(last)
    if before_s is None or after_s is None:
        return None
    ends_s = np.where(np.isfinite(log.latency_ms), log.finished_s, np.inf)
    inside = (log.started_s < last.at_s) & (ends_s > first.at_s)
    requests, seconds = int(np.count_nonzero(inside)), last.at_s - first.at_s
    if not requests:
        return None
    under_way_s = _covered_s(
        np.maximum(log.started_s[inside], first.at_s), np.minimum(ends_s[inside], last.at_s)
    )
    client_s = (last.client_cpu_s or 0.0) - (first.client_cpu_s or 0.0)
    late_s = float(np.nansum(log.client_late_ms[inside])) / 1000.0
    outside_s = under_way_s - (after_s - before_s) - client_s * under_way_s / seconds - late_s
    return OutsideWaits(requests, under_way_s, max(0.0, outside_s))


def _worked_s(sample: TelemetrySample) -> float | None:
    """How long its threads have worked or waited for a core; None where the kernel does not tell."""
    user_s, system_s, delay_s = (
        sample.server_user_cpu_s,
        sample.server_system_cpu_s,
        sample.server_run_delay_s,
    )
    return None if user_s is None or system_s is None or delay_s is None else user_s + system_s + delay_s


def _covered_s(starts_s: FloatArray, ends_s: FloatArray) -> float:
    """By at least one of the intervals, in order of start; there must be one."""
    furthest_s = np.maximum.accumulate(ends_s)
    before_s = np.concatenate(([starts_s[0]], furthest_s[:-1]))
    return float(np.maximum(0.0, furthest_s - np.maximum(starts_s, before_s)).sum())
