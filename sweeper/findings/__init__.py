"""Checks on the measurement itself: what a run's figures are worth, and why (protocol.md, section 4)."""

from __future__ import annotations

from collections.abc import Iterable

from sweeper.findings import client, pool, threads, turns, validity
from sweeper.findings.limits import Limits, RunContext
from sweeper.records import Finding, RunFigures, Verdict
from sweeper.statistics.figures import Measurement

__all__ = ["Limits", "RunContext", "run_findings", "verdict"]

FAILING = frozenset(
    {"accounting", "server-died", "server-did-not-start", "load-died", "pool-size-not-applied", "no-requests"}
)
SUSPICIOUS = frozenset(
    {
        "client-saturated",
        "littles-law",
        "no-steady-state",
        "drift",
        "throttled",
        "steal",
        "pressure",
        "stalled",
        "outside-waits",
    }
)


def verdict(findings: Iterable[Finding]) -> Verdict:
    codes = {finding.code for finding in findings}
    if codes & FAILING:
        return Verdict.FAILED
    return Verdict.SUSPECT if codes & SUSPICIOUS else Verdict.VALID


def run_findings(
    measurement: Measurement, figures: RunFigures, context: RunContext, limits: Limits | None = None
) -> tuple[Finding, ...]:
    """Every remark one finished run deserves."""
    limits = limits or Limits()
    log = measurement.requests
    damage = validity.damaged_log(log, context)
    if damage is not None:
        return (damage,)  # whatever else it looks like may be for want of what was lost
    checks = (
        validity.accounting(log, context),
        pool.size_not_applied(figures, context, limits),
        pool.size_unverified(figures, context),
        pool.user_limited(figures, context, limits),
        validity.errors(figures, context),
        client.client_saturated(figures, context, limits),
        validity.littles_law(figures, context, limits),
        validity.steady_state(measurement, context),
        validity.falling_behind(measurement, context, limits),
        validity.drifting(measurement, limits),
        validity.stalled(measurement, figures),
        turns.outside_waits(measurement, figures, limits),
        threads.thread_leak(measurement, context, limits),
        validity.throttled(figures),
        validity.steal(figures, limits),
        validity.pressure(figures, context, limits),
        validity.censored(figures),
    )
    return tuple(finding for finding in checks if finding is not None)
