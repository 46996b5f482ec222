"""The confirmation in `recommendation.json`: open-loop figures beside the closed-loop ones."""

from __future__ import annotations

from sweeper.answers import Confirmation, Confirmed
from sweeper.report.json_fields import (
    configuration,
    configuration_object,
    flag,
    interval,
    interval_object,
    json_object,
    latencies,
    latencies_object,
    maybe,
    number,
    take,
    text,
    tuple_of,
    whole,
)


def confirmation_object(confirmation: Confirmation) -> dict[str, object]:
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
        "closed_rps": interval_object(one.closed_rps),
        "closed_latency_ms": latencies_object(one.closed_latency_ms),
    }


def read_confirmation(data: object) -> Confirmation:
    confirmation = json_object(data, "the confirmation")
    return Confirmation(
        arrivals_per_s=take(confirmation, "arrivals_per_s", number),
        share=take(confirmation, "share", number),
        configurations=take(confirmation, "configurations", tuple_of(_confirmed)),
        sentence=take(confirmation, "sentence", text),
    )


def _confirmed(data: object) -> Confirmed:
    one = json_object(data, "a confirmed configuration")
    return Confirmed(
        configuration=configuration(one),
        runs=take(one, "runs", whole),
        measured_runs=take(one, "measured_runs", whole),
        failed_runs=take(one, "failed_runs", whole),
        fell_behind_runs=take(one, "fell_behind_runs", whole),
        suspect=take(one, "suspect", flag),
        codes=take(one, "codes", tuple_of(text)),
        completed_per_s=take(one, "completed_per_s", maybe(interval)),
        latency_ms=take(one, "latency_ms", latencies),
        error_rate=take(one, "error_rate", maybe(number)),
        kept_up=take(one, "kept_up", maybe(flag)),
        p99_is_lower_bound=take(one, "p99_is_lower_bound", flag),
        closed_rps=take(one, "closed_rps", maybe(interval)),
        closed_latency_ms=take(one, "closed_latency_ms", latencies),
    )
