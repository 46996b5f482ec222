"""Runs to and from the rows of the table `sweeper_runs`, whose figures and findings are JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sweeper.errors import StoreError
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding, Severity, Verdict, read_code
from sweeper.records.run import Case, RunFigures, RunPlan, RunRecord
from sweeper.records.safe_text import is_name
from sweeper.store import row_values as values


@dataclasses.dataclass(frozen=True, slots=True)
class _StoredFinding:
    code: str
    severity: str
    message: str
    evidence: dict[str, float | int | str | bool | None]


_FIGURES = TypeAdapter(RunFigures)
_FINDINGS = TypeAdapter(list[_StoredFinding])
_PLANS = TypeAdapter(list[RunPlan])


def figures_to_json(figures: RunFigures | None) -> str | None:
    return None if figures is None else json.dumps(dataclasses.asdict(figures), allow_nan=False)


def figures_from_json(text: str | None) -> RunFigures | None:
    """Figures of other versions that this one does not know are passed over. Raises ValueError for anything
    else that is not what was written."""
    if text is None:
        return None
    try:
        figures = _FIGURES.validate_json(values.text(text, "figures"), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"figures{' of ' if where else ''}{where}: {first['msg']}") from None
    values.finite(dataclasses.astuple(figures), "figures")
    if figures.capacity is not None and not figures.capacity.rps > 0:
        raise ValueError(f"figures of capacity.rps: {figures.capacity.rps} must be above 0")
    return figures


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
    """Raises ValueError likewise."""
    try:
        return tuple(
            Finding(read_code(item.code), Severity(item.severity), item.message, item.evidence)
            for item in _FINDINGS.validate_json(values.checked_json(text, "findings"), strict=True)
        )
    except ValidationError as error:
        raise ValueError(f"findings: {error.errors()[0]['msg']}") from None


def plan_columns(plan: RunPlan) -> dict[str, Any]:
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


def row_of(record: RunRecord) -> dict[str, Any]:
    """The columns of `sweeper_runs`, but for the study's name."""
    plan = record.plan
    parameters = plan.configuration.parameters
    return {
        **plan_columns(plan),
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
        **case_columns(plan),
        "expected_rps": plan.expected_rps,
        "load": plan.load,
    }


def case_columns(plan: RunPlan) -> dict[str, Any]:
    """Of a run of `sweeper scenarios`, likewise."""
    found = plan.case
    return {
        "scenario": None if found is None else found.scenario,
        "server": None if found is None else found.server,
        "users": None if found is None else found.users,
    }


def _case_of(row: Any) -> Case | None:
    scenario = getattr(row, "scenario", None)
    if scenario is None:
        return None
    return Case(
        values.text(scenario, "scenario", 64),
        values.text(row.server, "server", 64),
        values.whole(row.users, "users", 0),
    )


def _parameters_from_json(text: str | None) -> tuple[tuple[str, int | str], ...]:
    found = values.parsed_object(text, "parameters") if text else {}
    if not all(type(value) in (int, str) for value in found.values()):
        raise ValueError("parameters must be whole numbers and words")
    return tuple(found.items())


def plan_of(row: Any) -> RunPlan:
    """The plan of a stored row with the columns of `sweeper_runs`; older tables lack the last ones. Raises
    ValueError for an impossible value."""
    parameters = _parameters_from_json(getattr(row, "parameters", None))
    late = ("arrivals_per_s", "expected_rps", "load")
    arrivals, expected, load = (getattr(row, name, None) for name in late)
    return RunPlan(
        run_id=values.name(row.run_id, "run_id"),
        block=values.whole(row.block, "block", 0),
        position=values.whole(row.position, "position", 0),
        configuration=Configuration(
            values.whole(row.workers, "workers", 1),
            values.whole(row.model_threads, "model_threads", 1),
            values.whole(row.processes, "processes", 1),
            parameters,
        ),
        sentinel=values.flag(row.sentinel, "sentinel"),
        arrivals_per_s=None if arrivals is None else values.number(arrivals, "arrivals_per_s"),
        search=values.flag(getattr(row, "search", None) or 0, "search"),
        attempt=values.whole(getattr(row, "attempt", None) or 0, "attempt", 0),
        case=_case_of(row),
        expected_rps=None if expected is None else values.number(expected, "expected_rps"),
        load=None if load is None else values.number(load, "load"),
    )


def record_of(row: Any) -> RunRecord:
    """A stored row as it was. Raises StoreError where somebody else has written to it."""
    try:
        return checked_record(row)
    except ValueError as error:
        known = row.run_id if is_name(row.run_id) else ascii(row.run_id)
        raise StoreError(
            f"run {known} of study '{row.study}' is damaged: {error}; bring the database back from a copy, "
            "or measure again under another --study"
        ) from error


def checked_record(row: Any) -> RunRecord:
    """Raises ValueError for what is no row of a run."""
    try:
        return _record_of(row)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from error


def _record_of(row: Any) -> RunRecord:
    return RunRecord(
        plan=plan_of(row),
        verdict=Verdict(row.verdict),
        started_at=values.text(row.started_at, "started_at", 100),
        elapsed_s=values.number(row.elapsed_s, "elapsed_s"),
        figures=figures_from_json(row.figures),
        findings=findings_from_json(row.findings),
        fingerprint=values.text(row.fingerprint, "fingerprint", 200),
        host=values.name(host, "host") if (host := getattr(row, "host", None)) else "",
    )


def plans_to_json(plans: Sequence[RunPlan]) -> str:
    """Of a claim, in order."""
    return json.dumps([dataclasses.asdict(plan) for plan in plans], allow_nan=False)


def plans_from_json(text: str) -> tuple[RunPlan, ...]:
    """Raises ValueError for anything else."""
    try:
        plans = _PLANS.validate_json(values.text(text, "plan"), strict=True)
    except ValidationError as error:
        raise ValueError(f"plan: {error.errors()[0]['msg']}") from None
    for plan in plans:
        values.name(plan.run_id, "run_id")
    return tuple(plans)
