"""`recommendation.json`: a Recommendation as a JSON object, schema version 1.

The keys are a promise to readers: new ones are added at the end, none is renamed or dropped within a schema
version. Figures that are unknown are null; there is no NaN or Infinity in it (RFC 8259 has none).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sweeper.records.answer import (
    Candidate,
    Cause,
    CauseFigures,
    Confirmation,
    Confirmed,
    Economics,
    Recommendation,
    SeveralLoads,
)
from sweeper.records.search import Search, Trial
from sweeper.report.formats import runtime_parameters
from sweeper.report.json.values import configuration_object, finding_object, interval_object, latencies_object

SCHEMA_VERSION = 1


def recommendation_object(rec: Recommendation) -> dict[str, Any]:
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
        "cause": None if rec.cause is None else _cause_object(rec.cause),
        "confirmation": None if rec.confirmation is None else _confirmation_object(rec.confirmation),
        "configuration": None if rec.configuration is None else configuration_object(rec.configuration),
        "search": None if rec.search is None else _search_object(rec.search),
        "launcher": rec.launcher,
        "could_not_be_measured": [_unmeasured_object(candidate) for candidate in rec.unmeasured_candidates],
        "users": rec.users,
        "blocks_made": None if rec.blocks_made is None else dataclasses.asdict(rec.blocks_made),
        "economics": None if rec.economics is None else _economics_object(rec.economics),
        "arrivals_per_s": rec.arrivals_per_s,
    }
    if rec.loads is not None:
        document["loads"] = _loads_object(rec.loads)
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
        "throttled_share": candidate.throttled_share,
        "throttled_ms_per_request": candidate.throttled_ms_per_request,
        "capacity_rps": interval_object(candidate.capacity_rps),
    }


def _unmeasured_object(candidate: Candidate) -> dict[str, object]:
    return {
        **configuration_object(candidate.configuration),
        "why": candidate.why,
    }


def _cause_object(cause: Cause) -> dict[str, object]:
    return {
        "summary": cause.summary,
        "answered": cause.answered,
        "compared_with": configuration_object(cause.compared_with),
        "server_cores": cause.server_cores,
        "cores_shared": cause.cores_shared,
        "clauses": [dataclasses.asdict(clause) for clause in cause.clauses],
        "figures": [_figures_object(figures) for figures in cause.figures],
    }


def _figures_object(figures: CauseFigures) -> dict[str, object]:
    plain = {
        field.name: getattr(figures, field.name)
        for field in dataclasses.fields(figures)
        if field.name not in ("configuration", "relative")
    }
    ratios = {name: interval_object(ratio) for name, ratio in figures.relative.items()}
    return {
        **configuration_object(figures.configuration),
        **plain,
        "relative": {name: ratio for name, ratio in ratios.items() if ratio is not None},
    }


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
        **configuration_object(one.configuration),
        "runs": one.runs,
        "measured_runs": one.measured_runs,
        "failed_runs": one.failed_runs,
        "fell_behind_runs": one.fell_behind_runs,
        "suspect": one.suspect,
        "codes": one.codes,
        "completed_per_s": interval_object(one.completed_per_s),
        "latency_ms": latencies_object(one.latency_ms),
        "error_rate": one.error_rate,
        "kept_up": one.kept_up,
        "p99_is_lower_bound": one.p99_is_lower_bound,
        "server_p99_ms": one.server_p99_ms,
        "closed_rps": interval_object(one.closed_rps),
        "closed_latency_ms": latencies_object(one.closed_latency_ms),
    }


def _economics_object(economics: Economics) -> dict[str, object]:
    return {
        "cost_per_hour": economics.cost_per_hour,
        "plan_for_rps": economics.plan_for_rps,
        "rows_per_request": economics.rows_per_request,
        "candidates": [
            {
                **configuration_object(one.configuration),
                "cost_per_million_requests": interval_object(one.cost_per_million_requests),
                "cost_per_million_predictions": interval_object(one.cost_per_million_predictions),
                "replicas": interval_object(one.replicas),
            }
            for one in economics.candidates
        ],
    }


def _loads_object(loads: SeveralLoads) -> dict[str, object]:
    return {
        "at_random": loads.at_random,
        "disagree": loads.disagree,
        "under": [
            {
                "load": one.load,
                "configuration": None
                if one.configuration is None
                else configuration_object(one.configuration),
                "settled": one.settled,
                "blocks": one.blocks,
                "candidates": [_candidate_object(candidate) for candidate in one.candidates],
            }
            for one in loads.under
        ],
    }


def _search_object(search: Search) -> dict[str, object]:
    return {
        "objectives": [objective.value for objective in search.objectives],
        "wanted": search.wanted,
        "space_size": search.space_size,
        "complete": search.complete,
        "front": search.front,
        "finalists": [configuration_object(finalist) for finalist in search.finalists],
        "trials": [_trial_object(trial) for trial in search.trials],
    }


def _trial_object(trial: Trial) -> dict[str, object]:
    return {
        "number": trial.number,
        **configuration_object(trial.configuration),
        "runs": trial.runs,
        "measured_runs": trial.measured_runs,
        "values": trial.values,
        "p99_ms": trial.p99_ms,
        "error_rate": trial.error_rate,
        "constraints": trial.constraints,
        "stopped": trial.stopped,
        "rps": trial.rps,
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
