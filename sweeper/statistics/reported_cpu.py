"""CPU of a server elsewhere over a window, from what it reported itself some time before each sample."""

from __future__ import annotations

from sweeper.records.observations import TelemetrySample

LEAST_SHARE = 0.5
"""Of the time between two samples, that must lie between the reports they have."""


def reported_cpu_s(first: TelemetrySample, last: TelemetrySample) -> float | None:
    """CPU seconds between two samples, at the rate between the last reports before them. A report that comes
    late is of a time a little before; under a steady load the rate is the same.

    None where there are no reports, or they came too seldom to say.
    """
    if first.server_reported_at_s is None or last.server_reported_at_s is None:
        return None
    if first.server_reported_cpu_s is None or last.server_reported_cpu_s is None:
        return None
    seconds, between_s = last.at_s - first.at_s, last.server_reported_at_s - first.server_reported_at_s
    if between_s <= 0 or between_s < LEAST_SHARE * seconds:
        return None
    return (last.server_reported_cpu_s - first.server_reported_cpu_s) * seconds / between_s
