"""What each server gave under each load, and the ratio of the two, over blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sweeper.answers import Interval
from sweeper.records import Case, RunFigures, RunRecord, Verdict
from sweeper.scenarios.terms import Scenario, Terms
from sweeper.statistics.intervals import over_runs

FEWEST_FOR_P99 = 100
"""Requests in a run below which its p99 is just one of the slowest two."""

FIGURES: Mapping[str, Callable[[RunFigures], float | None]] = {
    "rps": lambda run: run.rps,
    "p50_ms": lambda run: run.latency.p50_ms,
    "p95_ms": lambda run: run.latency.p95_ms,
    "p99_ms": lambda run: run.latency.p99_ms if run.latency.samples >= FEWEST_FOR_P99 else None,
    "mean_ms": lambda run: run.latency.mean_ms,
    "cpu_cores": lambda run: run.cpu_cores,
    "cpu_ms_per_request": lambda run: run.cpu_ms_per_request,
    "peak_rss_bytes": lambda run: float(run.peak_rss_bytes),
    "switches_per_request": lambda run: (
        run.voluntary_switches_per_request + run.involuntary_switches_per_request
    ),
    "run_delay_ms_per_request": lambda run: run.run_delay_ms_per_request,
}
"""Of the whole tree of the server's processes; None where a run cannot say."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One server under one load. `figures` are geometric means over its valid runs, with limits from the
    second run on; `requests` are all that these runs' latencies rest on."""

    case: Case
    runs: int
    suspect_runs: int
    failed_runs: int
    figures: Mapping[str, Interval]
    requests: int
    error_rate: float | None
    p99_is_lower_bound: bool


def cells(records: Sequence[RunRecord], terms: Terms) -> tuple[Cell, ...]:
    """Of the scenarios that go by blocks, in their order."""
    found = {record.plan.case for record in records if record.plan.case is not None}
    return tuple(
        _cell(Case(scenario, server, users), records, terms.confidence)
        for scenario in (Scenario.SINGLE, Scenario.CONCURRENT)
        for users in terms.users(scenario)
        for server in terms.servers
        if Case(scenario, server, users) in found
    )


def _cell(case: Case, records: Sequence[RunRecord], confidence: float) -> Cell:
    own = [record for record in records if record.plan.case == case]
    valid = [r.figures for r in own if r.verdict is Verdict.VALID and r.figures is not None]
    answered = sum(figures.completed for figures in valid)
    return Cell(
        case=case,
        runs=len(valid),
        suspect_runs=sum(1 for record in own if record.verdict is Verdict.SUSPECT),
        failed_runs=sum(1 for record in own if record.verdict is Verdict.FAILED),
        figures={
            name: found
            for name, figure in FIGURES.items()
            if (found := over_runs(_known(figure, valid), confidence)) is not None
        },
        requests=sum(figures.latency.samples for figures in valid),
        error_rate=sum(figures.failed for figures in valid) / answered if answered else None,
        p99_is_lower_bound=any(figures.latency.censored for figures in valid),
    )


def _known(figure: Callable[[RunFigures], float | None], runs: Sequence[RunFigures]) -> list[float]:
    """Of every run, or of none: a mean over those that happen to have it would be of something else."""
    values = [figure(run) for run in runs]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []


def ratio(
    name: str, scenario: Scenario, users: int, records: Sequence[RunRecord], terms: Terms, error: float
) -> Interval | None:
    """First server ÷ second in the blocks where both have a valid run, each limit wrong with probability
    `error`. None where there is no such block."""
    values: list[dict[int, float]] = []
    for server in terms.servers:
        case = Case(scenario, server, users)
        own = [r for r in records if r.plan.case == case and r.verdict is Verdict.VALID]
        found = {r.plan.block: FIGURES[name](r.figures) for r in own if r.figures is not None}
        values.append({b: v for b, v in found.items() if v is not None and v > 0 and math.isfinite(v)})
    first, second = values
    return over_runs([first[block] / second[block] for block in sorted(first.keys() & second)], 1 - 2 * error)
