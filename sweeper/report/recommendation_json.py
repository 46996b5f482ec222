"""`recommendation.json`: a Recommendation as a JSON object and back, schema version 1.

The keys are a promise to readers: new ones are added at the end, none is renamed or dropped within a schema
version. Figures that are unknown are null; there is no NaN or Infinity in it (RFC 8259 has none).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from sweeper.errors import StoreError
from sweeper.records import (
    Candidate,
    Configuration,
    Confirmation,
    Confirmed,
    Evidence,
    Finding,
    Interval,
    Objective,
    Recommendation,
    Severity,
    Status,
)

SCHEMA_VERSION = 1
PARAMETER = "DRUM_FASTAPI_EXECUTOR_WORKERS"
LATENCY_KEYS = ("mean", "p50", "p95", "p99")

T = TypeVar("T")


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
        "confirmation": None if rec.confirmation is None else _confirmation_object(rec.confirmation),
    }
    return {key: _plain(value) for key, value in document.items()}


def _confirmation_object(confirmation: Confirmation) -> dict[str, object]:
    """The `low` and `high` of open-loop figures are the least and the most of the runs."""
    return {
        "arrivals_per_s": confirmation.arrivals_per_s,
        "share": confirmation.share,
        "configurations": [_confirmed_object(one) for one in confirmation.configurations],
        "sentence": confirmation.sentence,
    }


def _confirmed_object(one: Confirmed) -> dict[str, object]:
    return {
        "workers": one.configuration.workers,
        "model_threads": one.configuration.model_threads,
        "processes": one.configuration.processes,
        "runs": one.runs,
        "measured_runs": one.measured_runs,
        "failed_runs": one.failed_runs,
        "fell_behind_runs": one.fell_behind_runs,
        "suspect": one.suspect,
        "codes": one.codes,
        "completed_per_s": _interval_object(one.completed_per_s),
        "latency_ms": _latencies_object(one.latency_ms),
        "error_rate": one.error_rate,
        "kept_up": one.kept_up,
        "p99_is_lower_bound": one.p99_is_lower_bound,
        "closed_rps": _interval_object(one.closed_rps),
        "closed_latency_ms": _latencies_object(one.closed_latency_ms),
    }


def _latencies_object(latency_ms: Mapping[str, Interval]) -> dict[str, object]:
    latencies = {name: _interval_object(interval) for name, interval in latency_ms.items()}
    known = {name: interval for name, interval in latencies.items() if interval is not None}
    return dict.fromkeys(LATENCY_KEYS) | known


def _candidate_object(candidate: Candidate) -> dict[str, object]:
    return {
        "workers": candidate.configuration.workers,
        "runs": candidate.runs,
        "eliminated_after": candidate.eliminated_after,
        "rps": _interval_object(candidate.rps),
        "latency_ms": _latencies_object(candidate.latency_ms),
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


def _interval_object(interval: Interval | None) -> dict[str, float | None] | None:
    if interval is None or not math.isfinite(interval.mean):
        return None
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


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
        confirmation=_take(document, "confirmation", _maybe(_confirmation), default=None),
    )


def _confirmation(data: object) -> Confirmation:
    confirmation = _object(data, "the confirmation")
    return Confirmation(
        arrivals_per_s=_take(confirmation, "arrivals_per_s", _number),
        share=_take(confirmation, "share", _number),
        configurations=_take(confirmation, "configurations", _tuple_of(_confirmed)),
        sentence=_take(confirmation, "sentence", _text),
    )


def _confirmed(data: object) -> Confirmed:
    one = _object(data, "a confirmed configuration")
    return Confirmed(
        configuration=Configuration(
            workers=_take(one, "workers", _whole),
            model_threads=_take(one, "model_threads", _whole),
            processes=_take(one, "processes", _whole),
        ),
        runs=_take(one, "runs", _whole),
        measured_runs=_take(one, "measured_runs", _whole),
        failed_runs=_take(one, "failed_runs", _whole),
        fell_behind_runs=_take(one, "fell_behind_runs", _whole),
        suspect=_take(one, "suspect", _flag),
        codes=_take(one, "codes", _tuple_of(_text)),
        completed_per_s=_take(one, "completed_per_s", _maybe(_interval)),
        latency_ms=_take(one, "latency_ms", _latencies),
        error_rate=_take(one, "error_rate", _maybe(_number)),
        kept_up=_take(one, "kept_up", _maybe(_flag)),
        p99_is_lower_bound=_take(one, "p99_is_lower_bound", _flag),
        closed_rps=_take(one, "closed_rps", _maybe(_interval)),
        closed_latency_ms=_take(one, "closed_latency_ms", _latencies),
    )


def _candidate(data: object) -> Candidate:
    candidate = _object(data, "a candidate")
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
        latency_ms=_take(candidate, "latency_ms", _latencies),
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


def _latencies(data: object) -> dict[str, Interval]:
    latencies = _mapping(data)
    return {
        name: interval
        for name in latencies
        if (interval := _take(latencies, name, _maybe(_interval))) is not None
    }


def _interval(data: object) -> Interval:
    interval = _object(data, "an interval")
    return Interval(
        mean=_take(interval, "mean", _number),
        low=_take(interval, "low", _maybe(_number)),
        high=_take(interval, "high", _maybe(_number)),
    )


_MISSING: Any = object()


def _take(data: Mapping[str, object], key: str, read: Callable[[object], T], default: T = _MISSING) -> T:
    """`read(data[key])`; keys added after version 1 was first written have a default."""
    if key not in data:
        if default is _MISSING:
            raise StoreError(f"the recommendation is damaged: {key} is missing")
        return default
    try:
        return read(data[key])
    except (TypeError, ValueError, OverflowError):
        raise StoreError(f"the recommendation is damaged: {key} cannot be {data[key]!r}") from None


def _object(data: object, what: str) -> dict[str, object]:
    if not isinstance(data, dict):
        raise StoreError(f"{what} must be a JSON object, not {data!r}")
    return data


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _evidence(value: object) -> Evidence:
    evidence: dict[str, float | int | str | bool | None] = {}
    for key, item in _mapping(value).items():
        if not isinstance(item, str | bool | int | float | None):
            raise TypeError
        evidence[key] = item
    return evidence


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _number(value: object) -> float:
    """JSON has one kind of number, so 1 may stand for 1.0; Python's parser lets NaN through, we do not."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _maybe(read: Callable[[object], T]) -> Callable[[object], T | None]:
    return lambda value: None if value is None else read(value)


def _tuple_of(read: Callable[[object], T]) -> Callable[[object], tuple[T, ...]]:
    def read_all(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise TypeError
        return tuple(read(item) for item in value)

    return read_all
