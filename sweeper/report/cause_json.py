"""The cause in `recommendation.json`: why the answer wins, with the figures that say so."""

from __future__ import annotations

import dataclasses

from sweeper.answers import Cause, CauseClause, CauseFigures
from sweeper.report.json_fields import (
    configuration,
    configuration_object,
    flag,
    interval,
    interval_object,
    json_object,
    mapping,
    maybe,
    number,
    take,
    text,
    tuple_of,
    whole,
)

_WHOLE = ("runs", "native_threads", "max_concurrency")
_READ_APART = ("configuration", "relative", *_WHOLE)


def cause_object(cause: Cause) -> dict[str, object]:
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


def read_cause(data: object) -> Cause:
    """The record behind the object. Raises StoreError for a damaged one."""
    found = json_object(data, "the cause")
    return Cause(
        summary=take(found, "summary", text),
        compared_with=take(found, "compared_with", lambda value: configuration(mapping(value))),
        answered=take(found, "answered", flag),
        server_cores=take(found, "server_cores", maybe(number)),
        cores_shared=take(found, "cores_shared", flag),
        clauses=take(found, "clauses", tuple_of(_clause)),
        figures=take(found, "figures", tuple_of(_figures)),
    )


def _clause(data: object) -> CauseClause:
    found = json_object(data, "a clause of the cause")
    return CauseClause(
        code=take(found, "code", text),
        workers=take(found, "workers", tuple_of(whole)),
        text=take(found, "text", text),
    )


def _figures(data: object) -> CauseFigures:
    found = json_object(data, "a configuration's figures of the cause")
    relative = take(found, "relative", mapping)
    unknown = maybe(number)
    return CauseFigures(
        configuration=configuration(found),
        runs=take(found, "runs", whole),
        native_threads=take(found, "native_threads", whole),
        max_concurrency=take(found, "max_concurrency", maybe(whole)),
        relative={name: take(relative, name, interval) for name in relative},
        **{
            field.name: take(found, field.name, unknown)
            for field in dataclasses.fields(CauseFigures)
            if field.name not in _READ_APART
        },
    )
