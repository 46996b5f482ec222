"""The picture: throughput and p99 of every run against the configurations, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from sweeper.answers import Candidate, Interval
from sweeper.records import RunFigures, RunRecord, Verdict
from sweeper.report.html.material import Material
from sweeper.report.html.parts import Cell, Figure, Figures, Section, Table, Text, cells, number
from sweeper.report.html.positions import Positions
from sweeper.report.html.style import BLUE, GREY, SHADE, SKY, VERMILION, drawing, level, points
from sweeper.report.run_lines import stage
from sweeper.report.text import milliseconds, with_limits

FEWEST_BLOCKS = 3
"""As in the table: two blocks do give an interval, but one as wide as the figure itself."""


def picture(material: Material) -> Section | None:
    if not any(record.figures is not None for record in material.decisive):
        return None
    positions = Positions(c.configuration for c in material.candidates)
    figures = (
        _figure(
            material, positions, "throughput", "Throughput", "requests/s", lambda f: f.rps, lambda c: c.rps
        ),
        _figure(
            material, positions, "p99", "99th percentile of latency", "ms",
            lambda f: f.latency.p99_ms, lambda c: c.latency_ms.get("p99"),
        ),
    )  # fmt: skip
    said = (
        "Each dot is one run: a fresh server, warmed up, loaded, measured. The diamonds are their means with "
        f"{material.recommendation.confidence:.0%} intervals over blocks; shaded is what cannot be told from "
        "the best, or is shown to be as good. Drift of the host moves all dots of a block together, so that "
        "differences are surer than the intervals look."
    )
    return Section("picture", "Picture", "The picture", (Text(said), Figures(figures)))


def _figure(
    material: Material,
    positions: Positions,
    name: str,
    title: str,
    unit: str,
    of_run: Callable[[RunFigures], float],
    of_candidate: Callable[[Candidate], Interval | None],
) -> Figure:
    traces = [
        *run_dots(material, positions, of_run, unit),
        _means(material, positions, of_candidate, unit),
    ]
    chosen = next((c for c in material.candidates if c.configuration == material.answer), None)
    if chosen is not None and (mean := of_candidate(chosen)) is not None:
        traces.append(
            go.Scatter(
                x=[positions.at(chosen.configuration)], y=points([mean.mean]), mode="markers",
                name="the answer", hoverinfo="skip",
                marker={"symbol": "circle-open", "size": 20, "color": VERMILION, "line": {"width": 2.5}},
            )
        )  # fmt: skip
    y: dict[str, Any] = {"title": {"text": f"p99 ({unit})" if name == "p99" else unit}, "rangemode": "tozero"}
    if name == "p99" and material.slo_p99_ms is not None:
        traces.append(level(material.slo_p99_ms, f"SLO: {material.slo_p99_ms:g} ms", positions.ends))
    return Figure(
        name=name,
        title=title,
        drawing=drawing(traces, x=positions.axis(), y=y, height=400, shapes=_tied(material, positions)),
        says=_in_words(material, positions, title, unit, of_candidate),
        table=_table(material, positions, name, unit, of_run, of_candidate),
    )


def run_dots(
    material: Material,
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
        for candidate in material.candidates:
            own = material.runs_of(candidate.configuration, valid=False)
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


def _means(
    material: Material, positions: Positions, of: Callable[[Candidate], Interval | None], unit: str
) -> go.Scatter:
    known = [(c, interval) for c in material.candidates if (interval := of(c)) is not None]
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
        hovertemplate=f"mean %{{y:,.4g}} {unit}<extra></extra>",
    )  # fmt: skip


def _tied(material: Material, positions: Positions) -> list[dict[str, Any]]:
    """Shades for those that are not excluded."""
    return [
        {
            "type": "rect", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "layer": "below",
            "x0": positions.at(c.configuration) - 0.45 * positions.gap,
            "x1": positions.at(c.configuration) + 0.45 * positions.gap,
            "fillcolor": SHADE, "line": {"width": 0},
        }
        for c in material.candidates
        if c.state != "excluded" and c.relative_to_best is not None
    ]  # fmt: skip


def _in_words(
    material: Material,
    positions: Positions,
    title: str,
    unit: str,
    of: Callable[[Candidate], Interval | None],
) -> str:
    known = [(c, interval) for c in material.candidates if (interval := of(c)) is not None]
    figures = ", ".join(
        f"{positions.names.full(c.configuration)} {milliseconds(interval.mean)}" for c, interval in known
    )
    return f"{title} ({unit}) by configuration: {figures}."


def _table(
    material: Material,
    positions: Positions,
    name: str,
    unit: str,
    of_run: Callable[[RunFigures], float],
    of: Callable[[Candidate], Interval | None],
) -> Table:
    rows = []
    verdicts = [Verdict.VALID]
    if any(r.verdict is Verdict.SUSPECT and r.figures is not None for r in material.decisive):
        verdicts.append(Verdict.SUSPECT)
    for candidate in material.candidates:
        own = material.runs_of(candidate.configuration, valid=False)
        interval = of(candidate)
        rows.append(
            (
                *cells(positions.names.short(candidate.configuration)),
                number(interval.mean if interval else None, _spread(interval, candidate.blocks)),
                *(Cell(_listed(own, verdict, of_run)) for verdict in verdicts),
            )
        )
    kind = "workers" if positions.by_count else "configuration"
    columns = (kind, f"{unit}: mean (interval)", *(f"{verdict.value} runs" for verdict in verdicts))
    return Table(f"{name}-figures", columns, tuple(rows), right=frozenset({1}))


def _listed(runs: Sequence[RunRecord], verdict: Verdict, of_run: Callable[[RunFigures], float]) -> str:
    values = [of_run(r.figures) for r in runs if r.verdict is verdict and r.figures is not None]
    return ", ".join(milliseconds(value) for value in values) or "-"


def _spread(interval: Interval | None, blocks: int) -> str | None:
    if interval is None:
        return None
    return (
        milliseconds(interval.mean) if blocks < FEWEST_BLOCKS else with_limits(interval, milliseconds, " to ")
    )
