"""The picture: throughput and p99 of every run against the configurations, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from sweeper.records.answer import Candidate, Interval
from sweeper.records.finding import Verdict
from sweeper.records.run import Objective, RunFigures, RunRecord
from sweeper.records.wording import limit_ms, three_digits
from sweeper.report.html.drawing import BLUE, GREY, SHADE, SKY, VERMILION, Positions, drawing, level, points
from sweeper.report.html.elements import Figure, Figures, Section, Table, TableCell, Text, cells, limited
from sweeper.report.html.p99_by_rate import p99_by_rate
from sweeper.report.html.page_data import RecommendationData
from sweeper.report.text.live import stage
from sweeper.report.text.tables import FEWEST_BLOCKS, with_limits


@dataclass(frozen=True, slots=True)
class RunQuantity:
    """What is drawn of every run, with the means of the candidates."""

    name: str
    """Of the drawing on the page."""
    title: str
    unit: str
    of_run: Callable[[RunFigures], float]
    of_candidate: Callable[[Candidate], Interval | None]
    """The mean with its limits; None: no run has it."""


THROUGHPUT = RunQuantity("throughput", "Throughput", "requests/s", lambda f: f.rps, lambda c: c.rps)
P99 = RunQuantity(
    "p99",
    "99th percentile of latency",
    "ms",
    lambda f: f.latency.p99_ms,
    lambda c: c.latency_ms.get("p99"),
)


CAPACITY = RunQuantity(
    "capacity",
    "Capacity within the SLO",
    "requests/s",
    lambda f: f.capacity.rps if f.capacity is not None else 0.0,
    lambda c: c.capacity_rps,
)


def picture(data: RecommendationData) -> Section | None:
    if not any(record.figures is not None for record in data.decisive):
        return None
    positions = Positions(c.configuration for c in data.candidates)
    if data.recommendation.objective is Objective.CAPACITY:
        drawn = [_figure(data, positions, CAPACITY), p99_by_rate(data, positions)]
    else:
        drawn = [_figure(data, positions, THROUGHPUT), _figure(data, positions, P99)]
    figures = tuple(figure for figure in drawn if figure is not None)
    said = (
        "Each dot is one run: a fresh server, warmed up, loaded, measured. The diamonds are their means with "
        f"{data.recommendation.confidence:.0%} intervals over blocks. The shaded configurations cannot be "
        "told apart from the best, or are shown to be as good. Drift of the host moves all dots of a block "
        "together, so differences are more certain than the intervals suggest."
    )
    return Section("picture", "Picture", "The picture", (Text(said), Figures(figures)))


def _figure(data: RecommendationData, positions: Positions, what: RunQuantity) -> Figure:
    traces = [
        *run_dots(data, positions, what.of_run, what.unit),
        _means(data, positions, what),
    ]
    chosen = next((c for c in data.candidates if c.configuration == data.answer), None)
    if chosen is not None and (mean := what.of_candidate(chosen)) is not None:
        traces.append(
            go.Scatter(
                x=[positions.at(chosen.configuration)], y=points([mean.mean]), mode="markers",
                name="the answer", hoverinfo="skip",
                marker={"symbol": "circle-open", "size": 20, "color": VERMILION, "line": {"width": 2.5}},
            )
        )  # fmt: skip
    unit = f"p99 ({what.unit})" if what is P99 else what.unit
    if what is P99 and data.slo_p99_ms is not None:
        traces.append(level(data.slo_p99_ms, f"SLO: {limit_ms(data.slo_p99_ms)}", positions.ends))
    return Figure(
        name=what.name,
        title=what.title,
        drawing=drawing(
            traces,
            x=positions.axis(),
            y={"title": {"text": unit}, "rangemode": "tozero"},
            height=400,
            shapes=_tied(data, positions),
        ),
        says=_in_words(data, positions, what),
        table=_table(data, positions, what),
    )


def run_dots(
    data: RecommendationData,
    positions: Positions,
    of_run: Callable[[RunFigures], float | None],
    unit: str,
    *,
    colour: str = SKY,
    legend: bool = True,
) -> list[Any]:
    """Valid runs as dots, suspect ones as crosses."""
    found = []
    for verdict, symbol, tint, label in (
        (Verdict.VALID, "circle", colour, "one run"),
        (Verdict.SUSPECT, "x-thin-open", GREY, "suspect run"),
    ):
        xs, ys, texts = [], [], []
        for candidate in data.candidates:
            own = data.runs_of(candidate.configuration, valid=False)
            for index, record in enumerate(own):
                value = of_run(record.figures) if record.figures is not None else None
                if record.verdict is verdict and value is not None:
                    xs.append(positions.spread(candidate.configuration, index, len(own)))
                    ys.append(value)
                    texts.append(_hover(record))
        if xs:
            found.append(
                go.Scatter(
                    x=points(xs), y=points(ys), mode="markers", name=label, text=texts, showlegend=legend,
                    marker={"symbol": symbol, "size": 7, "color": tint, "line": {"width": 1, "color": tint}},
                    hovertemplate=f"%{{text}}<br>%{{y:,.4g}} {unit}<extra></extra>",
                )
            )  # fmt: skip
    return found


def _hover(record: RunRecord) -> str:
    return f"{record.plan.run_id}, {stage(record.plan)}"


def _means(data: RecommendationData, positions: Positions, what: RunQuantity) -> go.Scatter:
    known = [(c, interval) for c in data.candidates if (interval := what.of_candidate(c)) is not None]
    ups, downs = [], []
    for candidate, interval in known:
        sure = candidate.blocks >= FEWEST_BLOCKS
        ups.append(interval.high - interval.mean if sure and interval.high is not None else 0.0)
        downs.append(interval.mean - interval.low if sure and interval.low is not None else 0.0)
    return go.Scatter(
        x=points([positions.at(c.configuration) for c, _ in known]),
        y=points([interval.mean for _, interval in known]),
        error_y={
            "type": "data", "symmetric": False, "array": points(ups), "arrayminus": points(downs),
            "thickness": 2.5, "width": 7, "color": BLUE,
        },
        mode="lines+markers",
        line={"color": BLUE, "width": 1.5},
        marker={"symbol": "diamond", "size": 10, "color": BLUE},
        name="mean and interval",
        hovertemplate=f"mean %{{y:,.4g}} {what.unit}<extra></extra>",
    )  # fmt: skip


def _tied(data: RecommendationData, positions: Positions) -> list[dict[str, Any]]:
    """Shades for those that are not excluded."""
    return [
        {
            "type": "rect", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "layer": "below",
            "x0": positions.at(c.configuration) - 0.45 * positions.gap,
            "x1": positions.at(c.configuration) + 0.45 * positions.gap,
            "fillcolor": SHADE, "line": {"width": 0},
        }
        for c in data.candidates
        if c.state != "excluded" and c.relative_to_best is not None
    ]  # fmt: skip


def _in_words(data: RecommendationData, positions: Positions, what: RunQuantity) -> str:
    known = [(c, interval) for c in data.candidates if (interval := what.of_candidate(c)) is not None]
    figures = ", ".join(
        f"{positions.names.full(c.configuration)} {three_digits(interval.mean)}" for c, interval in known
    )
    return f"{what.title} ({what.unit}) by configuration: {figures}."


def _table(data: RecommendationData, positions: Positions, what: RunQuantity) -> Table:
    rows = []
    verdicts = [Verdict.VALID]
    if any(r.verdict is Verdict.SUSPECT and r.figures is not None for r in data.decisive):
        verdicts.append(Verdict.SUSPECT)
    for candidate in data.candidates:
        own = data.runs_of(candidate.configuration, valid=False)
        interval = what.of_candidate(candidate)
        rows.append(
            (
                *cells(positions.names.short(candidate.configuration)),
                limited(interval, _spread(interval, candidate.blocks)),
                *(TableCell(_listed(own, verdict, what)) for verdict in verdicts),
            )
        )
    columns = (
        positions.heading,
        f"{what.unit}: mean (interval)",
        *(f"{verdict.value} runs" for verdict in verdicts),
    )
    return Table(f"{what.name}-figures", columns, tuple(rows), right=frozenset({1}))


def _listed(runs: Sequence[RunRecord], verdict: Verdict, what: RunQuantity) -> str:
    values = [what.of_run(r.figures) for r in runs if r.verdict is verdict and r.figures is not None]
    return ", ".join(three_digits(value) for value in values) or "-"


def _spread(interval: Interval | None, blocks: int) -> str | None:
    if interval is None:
        return None
    return (
        three_digits(interval.mean) if blocks < FEWEST_BLOCKS else with_limits(interval, three_digits, " to ")
    )
