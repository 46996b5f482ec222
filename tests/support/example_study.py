"""The example study of the repository: its answer as it was recorded, long words and all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sweeper.records.answer import (
    Candidate,
    Cause,
    CauseClause,
    Confirmation,
    Confirmed,
    HostSpeedUse,
    Interval,
    Recommendation,
    Status,
)
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding, Severity, read_code
from sweeper.records.run import Objective

EXAMPLE = Path(__file__).parents[2] / "studies" / "example-xgboost"


def recorded_recommendation() -> Recommendation:
    """From recommendation.json, but for the figures of its causes."""
    found = json.loads((EXAMPLE / "recommendation.json").read_text("utf-8"))
    own = ("tolerance", "confidence", "blocks", "elapsed_s", "reason", "residual_deviation", "environment")
    return Recommendation(
        study=found["study"],
        status=Status(found["status"]),
        configuration=_configuration(found["configuration"]),
        tied=tuple(found["tied"]),
        smaller_unsettled=tuple(found["smaller_unsettled"]),
        objective=Objective(found["objective"]),
        covariates=tuple(found["covariates"]),
        candidates=tuple(_candidate(item) for item in found["candidates"]),
        findings=tuple(
            Finding(read_code(item["code"]), Severity(item["severity"]), item["message"], item["evidence"])
            for item in found["findings"]
        ),
        complete=found["complete"],
        host_speed=HostSpeedUse(**found["host_speed"]),
        cause=_cause(found["cause"]),
        confirmation=Confirmation(
            **{
                **found["confirmation"],
                "configurations": tuple(_confirmed(item) for item in found["confirmation"]["configurations"]),
            }
        ),
        **{name: found[name] for name in own},
    )


def _configuration(item: dict[str, Any]) -> Configuration:
    """Takes its part out of `item`."""
    parameters = tuple(item.pop("parameters", {}).items())
    return Configuration(item.pop("workers"), item.pop("model_threads"), item.pop("processes"), parameters)


def _intervals(item: dict[str, Any]) -> dict[str, Any]:
    return {name: None if one is None else Interval(**one) for name, one in item.items()}


def _candidate(item: dict[str, Any]) -> Candidate:
    configuration, latency_ms = _configuration(item), _intervals(item.pop("latency_ms"))
    intervals = _intervals({name: item.pop(name) for name in ("rps", "relative_to_best")})
    return Candidate(configuration=configuration, latency_ms=latency_ms, **intervals, **item)


def _confirmed(item: dict[str, Any]) -> Confirmed:
    configuration, codes = _configuration(item), tuple(item.pop("codes"))
    latencies = {name: _intervals(item.pop(name)) for name in ("latency_ms", "closed_latency_ms")}
    intervals = _intervals({name: item.pop(name) for name in ("completed_per_s", "closed_rps")})
    return Confirmed(
        configuration=configuration, codes=codes, **{"server_p99_ms": None, **latencies, **intervals, **item}
    )


def _cause(item: dict[str, Any]) -> Cause:
    clauses = tuple(
        CauseClause(clause["code"], tuple(clause["workers"]), clause["text"]) for clause in item["clauses"]
    )
    compared_with = _configuration(item["compared_with"])
    return Cause(**{**item, "compared_with": compared_with, "clauses": clauses, "figures": ()})
