"""Run records to and from plain JSON values."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any

from sweeper.errors import StoreError
from sweeper.records import (
    Case,
    Configuration,
    Finding,
    LatencyFigures,
    RunFigures,
    RunPlan,
    RunRecord,
    Severity,
    Verdict,
)

OTHERWISE = {"processes": "server_processes"}
"""Figures whose name a setting of the configuration has, and what they are called beside it."""


def figures_to_json(figures: RunFigures | None) -> str | None:
    return None if figures is None else json.dumps(dataclasses.asdict(figures), allow_nan=False)


def figures_from_json(text: str | None) -> RunFigures | None:
    if text is None:
        return None
    values: dict[str, Any] = json.loads(text)
    values["latency"] = LatencyFigures(**values["latency"])
    return RunFigures(**values)


def findings_to_json(findings: tuple[Finding, ...]) -> str:
    return json.dumps([finding_to_plain(finding) for finding in findings], allow_nan=False)


def finding_to_plain(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        "evidence": {name: _finite(value) for name, value in finding.evidence.items()},
    }


def _finite(value: float | int | str | bool | None) -> float | int | str | bool | None:
    """JSON has no NaN and no infinity: as evidence they are unavailable, not a reason to lose a run."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def findings_from_json(text: str) -> tuple[Finding, ...]:
    return tuple(
        Finding(item["code"], Severity(item["severity"]), item["message"], item["evidence"])
        for item in json.loads(text)
    )


def _planned(plan: RunPlan) -> dict[str, Any]:
    """The first columns of a run, in the database as in `runs.csv`."""
    return {
        "run_id": plan.run_id,
        "block": plan.block,
        "position": plan.position,
        "workers": plan.configuration.workers,
        "model_threads": plan.configuration.model_threads,
        "processes": plan.configuration.processes,
        "sentinel": plan.sentinel,
    }


def flat(record: RunRecord) -> dict[str, Any]:
    """One row of `runs.csv`: names as in the records, the latency's own figures as `latency_*`."""
    plan = record.plan
    row: dict[str, Any] = {
        **_planned(plan),
        "verdict": record.verdict.value,
        "findings": " ".join(finding.code for finding in record.findings),
        "started_at": record.started_at,
        "elapsed_s": round(record.elapsed_s, 3),
        "arrivals_per_s": plan.arrivals_per_s,
        "search": plan.search,
        "parameters": " ".join(f"{name}={value}" for name, value in plan.configuration.parameters),
        "host": record.host,
        "attempt": plan.attempt,
        **_case(plan),
    }
    names = [field.name for field in dataclasses.fields(RunFigures) if field.name != "latency"]
    latency = [field.name for field in dataclasses.fields(LatencyFigures)]
    figures = record.figures
    row.update({OTHERWISE.get(name, name): getattr(figures, name) if figures else None for name in names})
    row.update({f"latency_{name}": getattr(figures.latency, name) if figures else None for name in latency})
    return row


def row_of(record: RunRecord) -> dict[str, Any]:
    """The columns of `sweeper_runs`, but for the study's name."""
    plan = record.plan
    parameters = plan.configuration.parameters
    return {
        **_planned(plan),
        "verdict": record.verdict.value,
        "started_at": record.started_at,
        "elapsed_s": record.elapsed_s,
        "figures": figures_to_json(record.figures),
        "findings": findings_to_json(record.findings),
        "fingerprint": record.fingerprint,
        "arrivals_per_s": plan.arrivals_per_s,
        "search": plan.search,
        "parameters": json.dumps(dict(parameters)) if parameters else None,
        "attempt": plan.attempt,
        "host": record.host,
        **_case(plan),
    }


def _case(plan: RunPlan) -> dict[str, Any]:
    case = plan.case
    return {
        "scenario": None if case is None else case.scenario,
        "server": None if case is None else case.server,
        "users": None if case is None else case.users,
    }


def _case_of(row: Any) -> Case | None:
    scenario = getattr(row, "scenario", None)
    return None if scenario is None else Case(scenario, row.server, row.users)


def _parameters_from_json(text: str | None) -> tuple[tuple[str, int | str], ...]:
    return tuple(json.loads(text).items()) if text else ()


def plan_of(row: Any) -> RunPlan:
    """The plan of a stored row with the columns of `sweeper_runs`; older tables lack the last ones."""
    parameters = _parameters_from_json(getattr(row, "parameters", None))
    return RunPlan(
        run_id=row.run_id,
        block=row.block,
        position=row.position,
        configuration=Configuration(row.workers, row.model_threads, row.processes, parameters),
        sentinel=bool(row.sentinel),
        arrivals_per_s=getattr(row, "arrivals_per_s", None),
        search=bool(getattr(row, "search", None)),
        attempt=getattr(row, "attempt", None) or 0,
        case=_case_of(row),
    )


def record_of(row: Any) -> RunRecord:
    """A stored row as it was. Raises StoreError where somebody else has written to it."""
    try:
        return _record_of(row)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"run {row.run_id} of study '{row.study}' is damaged: {error!r}; bring the database back from a "
            "copy, or measure again under another --study"
        ) from error


def _record_of(row: Any) -> RunRecord:
    return RunRecord(
        plan=plan_of(row),
        verdict=Verdict(row.verdict),
        started_at=row.started_at,
        elapsed_s=row.elapsed_s,
        figures=figures_from_json(row.figures),
        findings=findings_from_json(row.findings),
        fingerprint=row.fingerprint,
        host=getattr(row, "host", None) or "",
    )


def plans_to_json(plans: Sequence[RunPlan]) -> str:
    """Of a claim, in order."""
    return json.dumps([dataclasses.asdict(plan) for plan in plans], allow_nan=False)


def plans_from_json(text: str) -> tuple[RunPlan, ...]:
    found = []
    for item in json.loads(text):
        configuration = item.pop("configuration")
        parameters = tuple((name, value) for name, value in configuration.pop("parameters"))
        case = item.pop("case", None)
        found.append(
            RunPlan(
                configuration=Configuration(**configuration, parameters=parameters),
                case=None if case is None else Case(**case),
                **item,
            )
        )
    return tuple(found)
