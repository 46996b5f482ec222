"""How latencies are distributed: the share answered within a time, and the tail on a log axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from sweeper.records.configuration import Configuration
from sweeper.records.observations import RunTrace
from sweeper.records.run import FloatArray, Objective
from sweeper.records.wording import counted, limit_ms, plural, three_digits
from sweeper.report.html.drawing import DASHES, SERIES, Positions, drawing, level, log_axis, points
from sweeper.report.html.elements import (
    Element,
    Figure,
    Figures,
    Section,
    Table,
    TableCell,
    Text,
    cells,
    number,
)
from sweeper.report.html.page_data import RecommendationData

MOST_LINES = 7
"""As many as there are colours; the others can be switched on in the legend."""
LEAST_MS = 1e-3
"""What is taken for a latency of nothing, which has no logarithm."""
NO_VALID_RUN = "No run is valid, and this section shows only latencies of valid runs."
TAIL = (0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)


@dataclass(frozen=True, slots=True)
class Distribution:
    """The latencies of the valid runs of one configuration."""

    configuration: Configuration
    runs: int
    """How many."""
    shares: FloatArray
    """Shape (points,): shares of the requests, 0 to 1, ascending."""
    mean: FloatArray
    """Shape (points,): ms within which that share was answered, the geometric mean over the runs; NaN where
    not all of them reach that far."""
    never_finished: int
    """Requests of all runs."""

    def at(self, share: float) -> float | None:
        value = float(self.mean[int(np.argmin(np.abs(self.shares - share)))])
        return value if np.isfinite(value) else None


def latency(data: RecommendationData) -> Section | None:
    """None where runs climb through several rates: their latencies are of all of these together."""
    if data.recommendation.objective is Objective.CAPACITY:
        return None
    found = [d for c in data.configurations if (d := _distribution(c, data)) is not None]
    if not found:
        return None if not data.decisive else Section(
            "latency", "Latency", "Latency distributions", (Text(absence(data) or NO_VALID_RUN, "note"),)
        )  # fmt: skip
    positions = Positions(data.configurations)
    parts: list[Element] = [
        Text(
            "Latencies of the requests started in the windows of the valid runs. Each line is the geometric "
            "mean over the runs of one configuration, so that every run counts alike."
        ),
        Figures((_ecdf(found, positions, data), _tail(found, positions, data))),
    ]
    never = sum(d.never_finished for d in found)
    if never:
        parts.append(
            Text(
                f"{never:,} {plural(never, 'request')} never finished, and "
                f"{plural(never, 'counts', 'count')} as slower than all others.",
                "note",
            )
        )
    said = absence(data)
    if said:
        parts.append(Text(said, "note"))
    return Section("latency", "Latency", "Latency distributions", tuple(parts))


NAMED = 20  # runs


def absence(data: RecommendationData) -> str:
    """What is not drawn because its raw requests cannot be read here."""
    if not data.absent:
        return ""
    hosts = sorted({r.host for r in data.records if r.plan.run_id in data.absent and r.host})
    where = f" (made on {', '.join(hosts)})" if hosts else ""
    first = next(iter(data.absent.values()))
    some = ", ".join(list(data.absent)[:NAMED]) + (", …" if len(data.absent) > NAMED else "")
    return (
        f"The raw requests of {counted(len(data.absent), 'run')} ({some}){where} are not on this machine or "
        f"cannot be read, so the pictures leave them out: {data.how_to_bring_files}. The first: {first}."
    )


def _distribution(configuration: Configuration, data: RecommendationData) -> Distribution | None:
    ids = [record.plan.run_id for record in data.runs_of(configuration)]
    own: list[RunTrace] = [data.traces[run_id] for run_id in ids if run_id in data.traces]
    if not own or not any(trace.requests for trace in own):
        return None
    stack = np.vstack([trace.latency_ms for trace in own])
    mean = np.exp(np.log(np.maximum(stack, LEAST_MS)).mean(axis=0))
    if not np.isfinite(mean).any():
        return None
    return Distribution(
        configuration=configuration,
        runs=len(own),
        shares=own[0].shares,
        mean=mean,
        never_finished=sum(trace.never_finished for trace in own),
    )


def _first(found: Sequence[Distribution], data: RecommendationData) -> set[Configuration]:
    """Those shown at once: the answer, the reference, then the others in order."""
    wanted = [c for c in (data.answer, data.reference) if c is not None]
    ranked = [*wanted, *(d.configuration for d in found if d.configuration not in wanted)]
    return set(ranked[:MOST_LINES])


def _lines(
    found: Sequence[Distribution], positions: Positions, data: RecommendationData, *, tail: bool
) -> list[go.Scatter]:
    shown = _first(found, data)
    traces = []
    for index, one in enumerate(found):
        known = np.isfinite(one.mean)
        shares, values = one.shares[known], one.mean[known]
        is_answer = one.configuration == data.answer
        beyond = points(1 - shares, 5)
        percent = [f"{share * 100:.6g}%" for share in shares]
        traces.append(
            go.Scatter(
                x=beyond if tail else points(values),
                y=points(values) if tail else points(shares * 100),
                text=percent,
                mode="lines",
                name=positions.names.full(one.configuration) + (" (the answer)" if is_answer else ""),
                line={
                    "color": SERIES[index % len(SERIES)],
                    "dash": DASHES[index % len(DASHES)],
                    "width": 3.5 if is_answer else 2,
                },
                visible=True if one.configuration in shown else "legendonly",
                hovertemplate="%{text} within "
                + ("%{y:,.4g}" if tail else "%{x:,.4g}")
                + " ms<extra>%{fullData.name}</extra>",
            )
        )
    return traces


def _ecdf(found: Sequence[Distribution], positions: Positions, data: RecommendationData) -> Figure:
    return Figure(
        name="ecdf",
        title="Answered within",
        drawing=drawing(
            _lines(found, positions, data, tail=False),
            x=log_axis("latency (ms, log scale)", _reach(found)),
            y={"title": {"text": "share of requests (%)"}, "range": [0, 101]},
            height=400,
        ),
        says="Cumulative distribution of latency by configuration. " + _in_words(found, positions, 0.5),
        table=_table(found, positions, "ecdf-figures", (0.1, 0.25, 0.5, 0.75, 0.9)),
    )


def _tail(found: Sequence[Distribution], positions: Positions, data: RecommendationData) -> Figure:
    reached = [float(d.shares[np.isfinite(d.mean)].max(initial=0.5)) for d in found]
    ticks = [share for share in TAIL if share <= max(reached) + 1e-9]
    beyond = max(1 - max(reached), 1e-7)
    traces = _lines(found, positions, data, tail=True)
    if data.slo_p99_ms is not None:
        traces.append(level(data.slo_p99_ms, f"SLO of p99: {limit_ms(data.slo_p99_ms)}", (1.0, beyond)))
    return Figure(
        name="tail",
        title="The slowest requests",
        drawing=drawing(
            traces,
            x={
                "title": {"text": "percentile (log scale)"},
                "type": "log",
                "range": [0, float(np.log10(beyond))],
                "tickvals": [round(1 - share, 7) for share in ticks],
                "ticktext": [f"p{share * 100:.5g}" for share in ticks],
            },
            y=log_axis("latency (ms, log scale)", _reach(found)),
            height=400,
        ),
        says="Percentiles of latency by configuration, up to the tail. " + _in_words(found, positions, 0.99),
        table=_table(found, positions, "tail-figures", tuple(sorted({*ticks, 0.95}))),
    )


def _reach(found: Sequence[Distribution]) -> list[float]:
    return [float(value) for one in found for value in one.mean[np.isfinite(one.mean)]]


def _in_words(found: Sequence[Distribution], positions: Positions, share: float) -> str:
    said = [
        f"{positions.names.full(d.configuration)} {three_digits(value)} ms"
        for d in found
        if (value := d.at(share)) is not None
    ]
    return f"p{share * 100:g}: {', '.join(said)}."


def _table(
    found: Sequence[Distribution], positions: Positions, name: str, shares: tuple[float, ...]
) -> Table:
    rows = []
    for one in found:
        values = [one.at(share) for share in shares]
        rows.append(
            (
                *cells(positions.names.short(one.configuration)),
                TableCell(str(one.runs), one.runs),
                *(number(value, three_digits) for value in values),
            )
        )
    columns = (positions.heading, "runs", *(f"p{share * 100:.5g} ms" for share in shares))
    return Table(name, columns, tuple(rows), right=frozenset(range(1, len(columns))))
