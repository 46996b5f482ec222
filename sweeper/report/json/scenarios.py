"""Two servers compared, as a JSON object; keys are only ever added."""

from __future__ import annotations

from collections.abc import Mapping

from sweeper.analysis.scenarios.case_figures import CaseFigures
from sweeper.analysis.scenarios.expectations import Hypothesis
from sweeper.analysis.scenarios.outcome import Load, Outcome
from sweeper.analysis.scenarios.stress import Stressed
from sweeper.records.answer import Interval
from sweeper.report.json.values import configuration_object, finding_object, interval_object

SCHEMA_VERSION = 1


def outcome_object(seen: Outcome) -> dict[str, object]:
    """Ratios are the first of `servers` ÷ the second."""
    terms = seen.terms
    return {
        "schema_version": SCHEMA_VERSION,
        "study": seen.study,
        "complete": seen.complete,
        "servers": [server.value for server in terms.servers],
        "configurations": {
            server.value: configuration_object(found) for server, found in terms.configurations.items()
        },
        "workload": terms.workload.value,
        "confidence": terms.confidence,
        "tolerance": terms.tolerance,
        "blocks": {scenario.value: count for scenario, count in seen.blocks.items()},
        "elapsed_s": round(seen.elapsed_s, 3),
        "hypotheses": [_hypothesis(one) for one in seen.hypotheses],
        "loads": [_load(one) for one in seen.loads],
        "stress": [_stressed(one) for one in seen.stress],
        "findings": [finding_object(finding) for finding in seen.findings],
        "environment": dict(seen.environment),
    }


def _hypothesis(one: Hypothesis) -> dict[str, object]:
    expectation = one.expectation
    return {
        "code": expectation.code,
        "claim": expectation.claim,
        "verdict": one.verdict.value,
        "figure": expectation.figure,
        "direction": expectation.direction.value,
        "tests": [
            {
                "scenario": test.scenario.value,
                "users": test.users,
                "ratio": interval_object(test.ratio),
                "verdict": test.verdict.value,
            }
            for test in one.tests
        ],
    }


def _load(one: Load) -> dict[str, object]:
    return {
        "scenario": one.scenario.value,
        "users": one.users,
        "servers": [_cell(cell) for cell in one.cells],
        "ratios": _intervals(one.ratios),
    }


def _cell(cell: CaseFigures) -> dict[str, object]:
    return {
        "server": cell.case.server,
        "runs": cell.runs,
        "suspect_runs": cell.suspect_runs,
        "failed_runs": cell.failed_runs,
        "requests": cell.requests,
        "error_rate": cell.error_rate,
        "p99_is_lower_bound": cell.p99_is_lower_bound,
        "figures": _intervals(cell.figures),
    }


def _intervals(found: Mapping[str, Interval]) -> dict[str, object]:
    return {name: interval_object(interval) for name, interval in found.items()}


def _stressed(one: Stressed) -> dict[str, object]:
    return {
        "server": one.server.value,
        "last_good_users": one.last_good,
        "first_bad_users": one.first_bad,
        "limit": None if one.limit is None else one.limit.value,
        "why": one.why or None,
        "most_rps": one.most_rps,
        "steps": [
            {
                "users": step.users,
                "good": step.limit is None,
                "limit": None if step.limit is None else step.limit.value,
                "rps": step.rps,
                "p99_ms": step.p99_ms,
                "error_rate": step.error_rate,
            }
            for step in one.steps
        ],
    }
