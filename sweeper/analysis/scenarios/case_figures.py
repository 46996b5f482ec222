"""What each server gave under each load, and the ratio of the two, over blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sweeper.records.answer import Interval
from sweeper.records.finding import Verdict
from sweeper.records.run import Case, RunFigures, RunRecord, valid_figures, valid_runs
from sweeper.records.scenarios import Scenario, Terms
from sweeper.statistics.client_share import client_bound, widened
from sweeper.statistics.intervals import over_runs
from sweeper.statistics.named_figures import FIGURES, of_all

FEWEST_FOR_P99 = 100
"""Requests in a run below which its p99 is just one of the slowest two."""

COMPARED = (
    "rps", "p50_ms", "p95_ms", "p99_ms", "mean_ms", "cpu_cores", "cpu_ms_per_request", "peak_rss_bytes",
    "switches_per_request", "run_delay_ms_per_request",
)  # fmt: skip
"""The figures that are compared, by name."""


def figure(name: str, run: RunFigures) -> float | None:
    """One of `COMPARED`; None where a run cannot say."""
    if name == "p99_ms" and run.latency.samples < FEWEST_FOR_P99:
        return None
    return FIGURES[name](run)


@dataclass(frozen=True, slots=True)
class CaseFigures:
    """One server under one load."""

    case: Case
    runs: int  # valid ones
    suspect_runs: int
    failed_runs: int
    # by name: geometric mean over the valid runs, with limits from the second run on
    figures: Mapping[str, Interval]
    requests: int  # that the latencies of these runs rest on
    error_rate: float | None  # failed ÷ completed, over these runs; None: nothing completed
    p99_is_lower_bound: bool  # because requests never finished


def cells(records: Sequence[RunRecord], terms: Terms) -> tuple[CaseFigures, ...]:
    """Of the scenarios that go by blocks, in their order."""
    found = {record.plan.case for record in records if record.plan.case is not None}
    return tuple(
        _cell(Case(scenario, server, users), records, terms.confidence)
        for scenario in (Scenario.SINGLE, Scenario.CONCURRENT)
        for users in terms.users(scenario)
        for server in terms.servers
        if Case(scenario, server, users) in found
    )


def _cell(case: Case, records: Sequence[RunRecord], confidence: float) -> CaseFigures:
    own = [record for record in records if record.plan.case == case]
    valid = valid_figures(own)
    answered = sum(figures.completed for figures in valid)
    return CaseFigures(
        case=case,
        runs=len(valid),
        suspect_runs=sum(1 for record in own if record.verdict is Verdict.SUSPECT),
        failed_runs=sum(1 for record in own if record.verdict is Verdict.FAILED),
        figures={
            name: found
            for name in COMPARED
            if (found := over_runs(of_all(partial(figure, name), valid), confidence)) is not None
        },
        requests=sum(figures.latency.samples for figures in valid),
        error_rate=sum(figures.failed for figures in valid) / answered if answered else None,
        p99_is_lower_bound=any(figures.latency.censored for figures in valid),
    )


def ratio(
    name: str, scenario: Scenario, users: int, records: Sequence[RunRecord], terms: Terms, error: float
) -> Interval | None:
    """First server ÷ second in the blocks where both have a valid run, each limit wrong with probability
    `error`. None where there is no such block."""
    values: list[dict[int, float]] = []
    bounds: list[float] = []
    for server in terms.servers:
        case = Case(scenario, server, users)
        own = valid_runs(record for record in records if record.plan.case == case)
        found = {record.plan.block: figure(name, figures) for record, figures in own}
        bounds.append(client_bound((figures for _, figures in own), name))
        values.append({b: v for b, v in found.items() if v is not None and v > 0 and math.isfinite(v)})
    first, second = values
    seen = over_runs([first[block] / second[block] for block in sorted(first.keys() & second)], 1 - 2 * error)
    return widened(seen, name, *bounds)
