"""`recommendation.json`: a Recommendation as a JSON object and back, schema version 1.

The keys are a promise to readers: new ones are added at the end, none is renamed or dropped within a schema
version. Figures that are unknown are null; there is no NaN or Infinity in it (RFC 8259 has none).
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sweeper.answers import Candidate, HostSpeedUse, Recommendation, Status
from sweeper.errors import StoreError
from sweeper.records import Configuration, Finding, Objective, Severity
from sweeper.report.cause_json import cause_object, read_cause
from sweeper.report.confirmation_json import confirmation_object, read_confirmation
from sweeper.report.json_fields import (
    configuration,
    configuration_object,
    evidence,
    finding_object,
    flag,
    interval,
    interval_object,
    json_object,
    latencies,
    latencies_object,
    mapping,
    maybe,
    number,
    take,
    text,
    tuple_of,
    whole,
)
from sweeper.report.search_json import read_search, search_object
from sweeper.runtime_parameters import POOL_SIZE, SERVER_PROCESSES

SCHEMA_VERSION = 1


def runtime_parameters(rec: Recommendation) -> dict[str, int | str]:
    """What a deployment is to be given, by name; empty unless the study recommends something.

    Processes are DRUM's own default where they are 1, and not named then.
    """
    answer = rec.configuration
    if answer is None or rec.status not in (Status.RECOMMENDED, Status.PROVISIONAL):
        return {}
    processes = {} if answer.processes == 1 else {SERVER_PROCESSES: answer.processes}
    return {POOL_SIZE: answer.workers, **processes, **dict(answer.parameters)}


def to_json(rec: Recommendation) -> str:
    """The text of recommendation.json."""
    return json.dumps(to_json_dict(rec), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_json_dict(rec: Recommendation) -> dict[str, Any]:
    """The object of recommendation.json: keys in the order of the schema, plain JSON types only."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "study": rec.study,
        "status": rec.status.value,
        "workers": rec.workers,
        "tied": rec.tied,
        "smaller_unsettled": rec.smaller_unsettled,
        "objective": rec.objective.value,
        "tolerance": rec.tolerance,
        "confidence": rec.confidence,
        "blocks": rec.blocks,
        "elapsed_s": rec.elapsed_s,
        "reason": rec.reason,
        "residual_deviation": rec.residual_deviation,
        "covariates": rec.covariates,
        "candidates": [_candidate_object(candidate) for candidate in rec.candidates],
        "findings": [finding_object(finding) for finding in rec.findings],
        "environment": rec.environment,
        "runtime_parameters": runtime_parameters(rec),
        "complete": rec.complete,
        "blocks_needed": rec.blocks_needed,
        "host_speed": None if rec.host_speed is None else dataclasses.asdict(rec.host_speed),
        "cause": None if rec.cause is None else cause_object(rec.cause),
        "confirmation": None if rec.confirmation is None else confirmation_object(rec.confirmation),
        "configuration": None if rec.configuration is None else configuration_object(rec.configuration),
        "search": None if rec.search is None else search_object(rec.search),
        "launcher": rec.launcher,
    }
    return {key: _plain(value) for key, value in document.items()}


def _candidate_object(candidate: Candidate) -> dict[str, object]:
    return {
        "workers": candidate.configuration.workers,
        "runs": candidate.runs,
        "eliminated_after": candidate.eliminated_after,
        "rps": interval_object(candidate.rps),
        "latency_ms": latencies_object(candidate.latency_ms),
        "error_rate": candidate.error_rate,
        "cpu_cores": candidate.cpu_cores,
        "rss_bytes": candidate.rss_bytes,
        "voluntary_switches_per_request": candidate.voluntary_switches_per_request,
        "involuntary_switches_per_request": candidate.involuntary_switches_per_request,
        "run_delay_ms_per_request": candidate.run_delay_ms_per_request,
        "model_threads": candidate.configuration.model_threads,
        "processes": candidate.configuration.processes,
        "state": candidate.state,
        "failed_runs": candidate.failed_runs,
        "suspect_runs": candidate.suspect_runs,
        "relative_to_best": interval_object(candidate.relative_to_best),
        "cpu_ms_per_request": candidate.cpu_ms_per_request,
        "p99_is_lower_bound": candidate.p99_is_lower_bound,
        "parameters": dict(candidate.configuration.parameters),
        "blocks": candidate.blocks,
        "why": candidate.why,
    }


def _plain(value: object) -> object:
    """`value` in plain JSON types: numpy's numbers as Python's, what is not finite as null, else its text."""
    match value:
        case None | bool() | int() | str():
            return value
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case np.generic():
            return _plain(value.item())
        case float():
            return value if math.isfinite(value) else None
        case _:
            return str(value)


def from_json_dict(data: object) -> Recommendation:
    """The record behind a recommendation.json; raises StoreError for another version or a damaged one.

    Unknown keys are passed over, so that a file with additions still loads.
    """
    document = json_object(data, "the recommendation")
    found = document.get("schema_version")
    if found != SCHEMA_VERSION or isinstance(found, bool):
        raise StoreError(
            f"the recommendation has schema_version {found!r}, and this version of sweeper reads "
            f"{SCHEMA_VERSION}: report the study again with the sweeper that wrote it"
        )
    return Recommendation(
        study=take(document, "study", text),
        status=take(document, "status", lambda value: Status(text(value))),
        configuration=_answer(document),
        tied=take(document, "tied", tuple_of(whole)),
        smaller_unsettled=take(document, "smaller_unsettled", tuple_of(whole)),
        objective=take(document, "objective", lambda value: Objective(text(value))),
        tolerance=take(document, "tolerance", number),
        confidence=take(document, "confidence", number),
        blocks=take(document, "blocks", whole),
        elapsed_s=take(document, "elapsed_s", number),
        reason=take(document, "reason", text),
        residual_deviation=take(document, "residual_deviation", maybe(number)),
        covariates=take(document, "covariates", tuple_of(text)),
        candidates=take(document, "candidates", tuple_of(_candidate)),
        findings=take(document, "findings", tuple_of(_finding)),
        environment=take(document, "environment", mapping),
        complete=take(document, "complete", flag, default=True),
        blocks_needed=take(document, "blocks_needed", maybe(whole), default=None),
        host_speed=take(document, "host_speed", maybe(_host_speed), default=None),
        cause=take(document, "cause", maybe(read_cause), default=None),
        confirmation=take(document, "confirmation", maybe(read_confirmation), default=None),
        search=take(document, "search", maybe(read_search), default=None),
        launcher=take(document, "launcher", text, default="fastapi"),
    )


def _answer(document: Mapping[str, object]) -> Configuration | None:
    """Files of the first sweepers name its worker count only."""
    workers = take(document, "workers", maybe(whole))
    if workers is None or "configuration" not in document:
        return None if workers is None else Configuration(workers)
    return configuration(take(document, "configuration", mapping))


def _host_speed(data: object) -> HostSpeedUse:
    use = json_object(data, "host_speed")
    numbers = [field.name for field in dataclasses.fields(HostSpeedUse) if field.name not in ("used", "why")]
    return HostSpeedUse(
        used=take(use, "used", flag),
        why=take(use, "why", text),
        **{name: take(use, name, maybe(number)) for name in numbers},
    )


def _candidate(data: object) -> Candidate:
    candidate = json_object(data, "a candidate")
    return Candidate(
        configuration=configuration(candidate, default=1),
        runs=take(candidate, "runs", whole),
        failed_runs=take(candidate, "failed_runs", whole, default=0),
        suspect_runs=take(candidate, "suspect_runs", whole, default=0),
        eliminated_after=take(candidate, "eliminated_after", maybe(whole)),
        state=take(candidate, "state", text, default=""),
        rps=take(candidate, "rps", maybe(interval)),
        latency_ms=take(candidate, "latency_ms", latencies),
        relative_to_best=take(candidate, "relative_to_best", maybe(interval), default=None),
        error_rate=take(candidate, "error_rate", maybe(number)),
        cpu_cores=take(candidate, "cpu_cores", maybe(number)),
        cpu_ms_per_request=take(candidate, "cpu_ms_per_request", maybe(number), default=None),
        rss_bytes=take(candidate, "rss_bytes", maybe(whole)),
        voluntary_switches_per_request=take(candidate, "voluntary_switches_per_request", maybe(number)),
        involuntary_switches_per_request=take(candidate, "involuntary_switches_per_request", maybe(number)),
        run_delay_ms_per_request=take(candidate, "run_delay_ms_per_request", maybe(number)),
        p99_is_lower_bound=take(candidate, "p99_is_lower_bound", flag, default=False),
        blocks=take(candidate, "blocks", whole, default=0),
        why=take(candidate, "why", text, default=""),
    )


def _finding(data: object) -> Finding:
    finding = json_object(data, "a finding")
    return Finding(
        code=take(finding, "code", text),
        severity=take(finding, "severity", lambda value: Severity(text(value))),
        message=take(finding, "message", text),
        evidence=take(finding, "evidence", evidence),
    )
