"""Checks on the measurement itself: what a run's figures are worth, and why (protocol.md, section 4)."""

from __future__ import annotations

from collections.abc import Iterable

from sweeper.findings import answers, client, pool, threads, turns, users, validity
from sweeper.findings.limits import Limits, RunContext
from sweeper.records import Finding, RunFigures, Severity, Verdict
from sweeper.statistics.figures import Measurement

__all__ = ["Limits", "RunContext", "run_findings", "verdict"]

FAILING = frozenset(
    {
        "accounting",
        "server-died",
        "server-did-not-start",
        "load-died",
        "pool-size-not-applied",
        "no-predictions",
        "no-requests",
    }
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
        "short-answers",
        "task-crashed",
        "users-ended",
        "requests-elsewhere",
    }
)


def verdict(findings: Iterable[Finding]) -> Verdict:
    """What is only said for information has no say."""
    codes = {finding.code for finding in findings if finding.severity is not Severity.INFO}
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
        pool.size_unverified(figures, context, limits),
        pool.not_used(context),
        pool.user_limited(figures, context, limits),
        validity.errors(log, figures, context),
        answers.answers_unverified(measurement.answer),
        answers.short_answers(measurement, context, limits),
        users.task_crashed(log, context),
        users.users_ended(log, context),
        users.requests_elsewhere(log, context),
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
