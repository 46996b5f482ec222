"""Checks on the measurement itself: what a run's figures are worth, and why."""

from __future__ import annotations

from collections.abc import Iterable

from sweeper.checks import (
    accounting,
    answers,
    disturbances,
    load_generator,
    pool,
    server,
    steadiness,
    turns,
)
from sweeper.checks.thresholds import Limits, RunContext
from sweeper.records.finding import Effect, Finding, Verdict
from sweeper.records.run import RunFigures
from sweeper.statistics.figures import Measurement


def verdict(findings: Iterable[Finding]) -> Verdict:
    """What they make of their run."""
    effects = {finding.effect for finding in findings}
    if Effect.FAILING in effects:
        return Verdict.FAILED
    return Verdict.SUSPECT if Effect.SUSPECT in effects else Verdict.VALID


def run_findings(
    measurement: Measurement, figures: RunFigures, context: RunContext, limits: Limits | None = None
) -> tuple[Finding, ...]:
    """Every remark one finished run deserves."""
    limits = limits or Limits()
    log = measurement.requests
    damage = accounting.damaged_log(log, context)
    if damage is not None:
        return (damage,)  # the missing records may be the cause of any other finding
    checks = (
        answers.errors(log, figures, context),  # first: all else may be for that
        accounting.accounting(log, context),
        pool.gated(figures, context, limits),
        pool.size_not_applied(figures, context, limits),
        pool.size_unverified(figures, context, limits),
        pool.not_used(context),
        pool.user_limited(figures, context, limits),
        answers.first_upload_failed(measurement.answer),
        answers.answers_unverified(measurement.answer),
        answers.too_long(log),
        answers.short_answers(measurement, context, limits),
        load_generator.task_crashed(log, context),
        load_generator.users_ended(log, context),
        load_generator.requests_elsewhere(log, context),
        load_generator.client_saturated(figures, context, limits),
        load_generator.littles_law(figures, context, limits)
        or load_generator.left_waiting(measurement, context, limits),
        steadiness.steady_state(measurement, context),
        steadiness.falling_behind(measurement, context, limits),
        steadiness.drifting(measurement, limits),
        steadiness.stalled(measurement, figures, limits),
        turns.no_turns(context),
        turns.outside_waits(measurement, figures, limits),
        turns.outside_clock(measurement, figures, context, limits),
        server.server_clock(measurement, limits),
        pool.thread_leak(measurement, figures, context, limits),
        server.metrics_unavailable(measurement, figures),
        disturbances.throttled(figures),
        disturbances.quota_changed(measurement, context),
        disturbances.quota_shared(figures, limits),
        disturbances.load_in_quota(figures),
        disturbances.steal(figures, context, limits),
        disturbances.pressure(figures, context, limits),
        accounting.censored(figures),
        server.killed(context),
    )
    return tuple(finding for finding in checks if finding is not None)
