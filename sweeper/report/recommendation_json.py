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

from sweeper.errors import StoreError
from sweeper.records import (
    Candidate,
    Configuration,
    Finding,
    HostSpeedUse,
    Objective,
    Recommendation,
    Severity,
    Status,
)
from sweeper.report.cause_json import cause_object, read_cause
from sweeper.report.json_fields import evidence as _evidence
from sweeper.report.json_fields import flag as _flag
from sweeper.report.json_fields import interval as _interval
from sweeper.report.json_fields import interval_object as _interval_object
from sweeper.report.json_fields import json_object as _object
from sweeper.report.json_fields import mapping as _mapping
from sweeper.report.json_fields import maybe as _maybe
from sweeper.report.json_fields import number as _number
from sweeper.report.json_fields import take as _take
from sweeper.report.json_fields import text as _text
from sweeper.report.json_fields import tuple_of as _tuple_of
from sweeper.report.json_fields import whole as _whole

SCHEMA_VERSION = 1
PARAMETER = "DRUM_FASTAPI_EXECUTOR_WORKERS"
LATENCY_KEYS = ("mean", "p50", "p95", "p99")


def pasteable_workers(rec: Recommendation) -> int | None:
    """The worker count a deployment may be given; None unless the study recommends one."""
    return rec.workers if rec.status in (Status.RECOMMENDED, Status.PROVISIONAL) else None


def to_json(rec: Recommendation) -> str:
    """The text of recommendation.json."""
    return json.dumps(to_json_dict(rec), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_json_dict(rec: Recommendation) -> dict[str, Any]:
    """The object of recommendation.json: keys in the order of the schema, plain JSON types only."""
    workers = pasteable_workers(rec)
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
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity.value,
                "message": finding.message,
                "evidence": finding.evidence,
            }
            for finding in rec.findings
        ],
        "environment": rec.environment,
        "runtime_parameters": {} if workers is None else {PARAMETER: workers},
        "complete": rec.complete,
        "blocks_needed": rec.blocks_needed,
        "host_speed": None if rec.host_speed is None else dataclasses.asdict(rec.host_speed),
        "cause": None if rec.cause is None else cause_object(rec.cause),
    }
    return {key: _plain(value) for key, value in document.items()}


def _candidate_object(candidate: Candidate) -> dict[str, object]:
    latencies = {name: _interval_object(interval) for name, interval in candidate.latency_ms.items()}
    known = {name: interval for name, interval in latencies.items() if interval is not None}
    return {
        "workers": candidate.configuration.workers,
        "runs": candidate.runs,
        "eliminated_after": candidate.eliminated_after,
        "rps": _interval_object(candidate.rps),
        "latency_ms": dict.fromkeys(LATENCY_KEYS) | known,
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
        "relative_to_best": _interval_object(candidate.relative_to_best),
        "cpu_ms_per_request": candidate.cpu_ms_per_request,
        "p99_is_lower_bound": candidate.p99_is_lower_bound,
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
    document = _object(data, "the recommendation")
    found = document.get("schema_version")
    if found != SCHEMA_VERSION or isinstance(found, bool):
        raise StoreError(
            f"the recommendation has schema_version {found!r}, and this version of sweeper reads "
            f"{SCHEMA_VERSION}: report the study again with the sweeper that wrote it"
        )
    return Recommendation(
        study=_take(document, "study", _text),
        status=_take(document, "status", lambda value: Status(_text(value))),
        workers=_take(document, "workers", _maybe(_whole)),
        tied=_take(document, "tied", _tuple_of(_whole)),
        smaller_unsettled=_take(document, "smaller_unsettled", _tuple_of(_whole)),
        objective=_take(document, "objective", lambda value: Objective(_text(value))),
        tolerance=_take(document, "tolerance", _number),
        confidence=_take(document, "confidence", _number),
        blocks=_take(document, "blocks", _whole),
        elapsed_s=_take(document, "elapsed_s", _number),
        reason=_take(document, "reason", _text),
        residual_deviation=_take(document, "residual_deviation", _maybe(_number)),
        covariates=_take(document, "covariates", _tuple_of(_text)),
        candidates=_take(document, "candidates", _tuple_of(_candidate)),
        findings=_take(document, "findings", _tuple_of(_finding)),
        environment=_take(document, "environment", _mapping),
        complete=_take(document, "complete", _flag, default=True),
        blocks_needed=_take(document, "blocks_needed", _maybe(_whole), default=None),
        host_speed=_take(document, "host_speed", _maybe(_host_speed), default=None),
        cause=_take(document, "cause", _maybe(read_cause), default=None),
    )


def _host_speed(data: object) -> HostSpeedUse:
    use = _object(data, "host_speed")
    numbers = [field.name for field in dataclasses.fields(HostSpeedUse) if field.name not in ("used", "why")]
    return HostSpeedUse(
        used=_take(use, "used", _flag),
        why=_take(use, "why", _text),
        **{name: _take(use, name, _maybe(_number)) for name in numbers},
    )


def _candidate(data: object) -> Candidate:
    candidate = _object(data, "a candidate")
    latencies = _take(candidate, "latency_ms", _mapping)
    return Candidate(
        configuration=Configuration(
            workers=_take(candidate, "workers", _whole),
            model_threads=_take(candidate, "model_threads", _whole, default=1),
            processes=_take(candidate, "processes", _whole, default=1),
        ),
        runs=_take(candidate, "runs", _whole),
        failed_runs=_take(candidate, "failed_runs", _whole, default=0),
        suspect_runs=_take(candidate, "suspect_runs", _whole, default=0),
        eliminated_after=_take(candidate, "eliminated_after", _maybe(_whole)),
        state=_take(candidate, "state", _text, default=""),
        rps=_take(candidate, "rps", _maybe(_interval)),
        latency_ms={
            name: interval
            for name in latencies
            if (interval := _take(latencies, name, _maybe(_interval))) is not None
        },
        relative_to_best=_take(candidate, "relative_to_best", _maybe(_interval), default=None),
        error_rate=_take(candidate, "error_rate", _maybe(_number)),
        cpu_cores=_take(candidate, "cpu_cores", _maybe(_number)),
        cpu_ms_per_request=_take(candidate, "cpu_ms_per_request", _maybe(_number), default=None),
        rss_bytes=_take(candidate, "rss_bytes", _maybe(_whole)),
        voluntary_switches_per_request=_take(candidate, "voluntary_switches_per_request", _maybe(_number)),
        involuntary_switches_per_request=_take(
            candidate, "involuntary_switches_per_request", _maybe(_number)
        ),
        run_delay_ms_per_request=_take(candidate, "run_delay_ms_per_request", _maybe(_number)),
        p99_is_lower_bound=_take(candidate, "p99_is_lower_bound", _flag, default=False),
    )


def _finding(data: object) -> Finding:
    finding = _object(data, "a finding")
    return Finding(
        code=_take(finding, "code", _text),
        severity=_take(finding, "severity", lambda value: Severity(_text(value))),
        message=_take(finding, "message", _text),
        evidence=_take(finding, "evidence", _evidence),
    )
