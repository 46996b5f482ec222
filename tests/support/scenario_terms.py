"""Terms and runs of scenarios, made by hand."""

from __future__ import annotations

from typing import Any

from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding, FindingCode, Severity, Verdict
from sweeper.records.run import RunRecord
from sweeper.records.scenarios import Scenario, ServerKind, Terms, Workload
from tests.support.builders import figures

BOTH = (ServerKind.FASTAPI, ServerKind.GUNICORN)


def terms(**changes: Any) -> Terms:
    usual: dict[str, Any] = {
        "servers": BOTH,
        "configurations": {server: Configuration(4 if server.has_pool else 1) for server in ServerKind},
        "scenarios": tuple(Scenario),
        "workload": Workload.CPU,
        "concurrency": (10, 50),
        "looks": (3, 5),
        "confidence": 0.95,
        "tolerance": 0.05,
        "seed": 0,
        "max_users": 400,
        "max_error_rate": 0.01,
        "slo_p99_ms": None,
    }
    return Terms(**usual | changes)


def run(
    scenario: Scenario,
    server: ServerKind,
    users: int,
    block: int,
    *,
    codes: tuple[str, ...] = (),
    verdict: Verdict = Verdict.VALID,
    **changes: Any,
) -> RunRecord:
    plan = terms().planned(scenario, server, users, block, 1)
    findings = tuple(Finding(FindingCode(code), Severity.WARNING, f"this is about {code}") for code in codes)
    kept = None if verdict is Verdict.FAILED else figures(**changes)
    return RunRecord(plan, verdict, "2026-01-01T00:00:00Z", 20.0, kept, findings)


def pairs(
    scenario: Scenario, users: int, first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> list[RunRecord]:
    """A run of each server in each block, with these figures."""
    return [
        run(scenario, server, users, block, **own)
        for server, runs in zip(BOTH, (first, second), strict=True)
        for block, own in enumerate(runs, start=1)
    ]
