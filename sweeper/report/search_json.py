"""The search in `recommendation.json`: every trial, the front and the finalists."""

from __future__ import annotations

from sweeper.answers import Search, Trial
from sweeper.records import Objective
from sweeper.report.json_fields import (
    configuration,
    configuration_object,
    flag,
    json_object,
    mapping,
    maybe,
    number,
    take,
    text,
    tuple_of,
    whole,
)


def search_object(search: Search) -> dict[str, object]:
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


def read_search(data: object) -> Search:
    search = json_object(data, "the search")
    return Search(
        objectives=take(search, "objectives", tuple_of(lambda value: Objective(text(value)))),
        wanted=take(search, "wanted", whole),
        space_size=take(search, "space_size", whole),
        trials=take(search, "trials", tuple_of(_trial)),
        front=take(search, "front", tuple_of(whole)),
        finalists=take(search, "finalists", tuple_of(lambda value: configuration(mapping(value)))),
        complete=take(search, "complete", flag),
    )


def _trial(data: object) -> Trial:
    trial = json_object(data, "a trial")
    constraints = take(trial, "constraints", mapping)
    return Trial(
        number=take(trial, "number", whole),
        configuration=configuration(trial),
        runs=take(trial, "runs", whole),
        measured_runs=take(trial, "measured_runs", whole),
        values=take(trial, "values", tuple_of(number)),
        p99_ms=take(trial, "p99_ms", maybe(number)),
        error_rate=take(trial, "error_rate", maybe(number)),
        constraints={name: take(constraints, name, number) for name in constraints},
        stopped=take(trial, "stopped", text),
        rps=take(trial, "rps", maybe(number), default=None),
    )
