"""Why: processor time, switches, waiting and memory by configuration, and the scalability law as a guide."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from sweeper.records.configuration import Configuration
from sweeper.records.run import RunFigures
from sweeper.records.wording import three_digits, workers
from sweeper.report.html.drawing import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    VERMILION,
    Positions,
    drawing,
    level,
    points,
)
from sweeper.report.html.elements import Element, Figure, Figures, Section, Table, Text, cells, number
from sweeper.report.html.page_data import RecommendationData
from sweeper.report.html.throughput import run_dots
from sweeper.statistics.scalability import Scalability, fit


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of a run."""

    name: str
    of: Callable[[RunFigures], float | None]
    """None where the machine cannot give it."""
    colour: str = BLUE
    """Of the means and the line through them."""
    dots: str = SKY
    """The colour of the single runs."""
    symbol: str = "diamond"
    """Of the means: it tells the line from another one in the same drawing."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing: a figure, or two of one kind, against the configurations."""

    name: str
    """Of the drawing on the page."""
    title: str
    unit: str
    """Of the axis."""
    lines: tuple[Line, ...]


def _megabytes(figures: RunFigures) -> float | None:
    return None if figures.peak_rss_bytes is None else figures.peak_rss_bytes / 1e6


PANELS = (
    Panel(
        "cores", "Processor cores kept busy by the server", "cores", (Line("cores", lambda f: f.cpu_cores),)
    ),
    Panel(
        "cpu",
        "Processor time per request",
        "CPU ms per request",
        (Line("CPU", lambda f: f.cpu_ms_per_request),),
    ),
    Panel(
        "switches",
        "Context switches per request",
        "switches per request",
        (
            Line("voluntary (waiting)", lambda f: f.voluntary_switches_per_request),
            Line(
                "involuntary (preempted)",
                lambda f: f.involuntary_switches_per_request,
                VERMILION,
                ORANGE,
                "square",
            ),
        ),
    ),
    Panel(
        "delay",
        "Run delay: able to run, waiting for a core",
        "ms per request",
        (Line("run delay", lambda f: f.run_delay_ms_per_request),),
    ),
    Panel(
        "throttled",
        "Throttling: the CPU quota is used up, and threads wait",
        "ms per request, summed over the cores",
        (Line("throttled", lambda f: f.throttled_ms_per_request),),
    ),
    Panel("memory", "Memory at its peak", "MB", (Line("memory", _megabytes),)),
)


def causes(data: RecommendationData) -> Section | None:
    cause = data.recommendation.cause
    if not any(data.runs_of(c.configuration) for c in data.candidates):
        return None
    positions = Positions(c.configuration for c in data.candidates)
    parts: list[Element] = []
    if cause is not None:
        parts.append(Text(cause.summary))
    drawn = [_figure(panel, data, positions) for panel in PANELS]
    figures = [figure for figure in drawn if figure is not None]
    scaling = _scaling(data, positions)
    if scaling is not None:
        figures.append(scaling)
    parts.append(Figures(tuple(figures)))
    return Section("why", "Why", "Why", tuple(parts))


def _figure(panel: Panel, data: RecommendationData, positions: Positions) -> Figure | None:
    traces, columns, said = [], [], []
    for line in panel.lines:
        means = _means(line, data)
        if not means:
            continue
        columns.append((line, means))
        several = len(panel.lines) > 1
        first = line is panel.lines[0]
        traces += run_dots(data, positions, line.of, panel.unit, colour=line.dots, legend=first)
        known = [c for c in data.configurations if c in means]
        traces.append(
            go.Scatter(
                x=points([positions.at(c) for c in known]), y=points([means[c] for c in known]),
                mode="lines+markers", name=line.name if several else "mean",
                line={"color": line.colour, "width": 2},
                marker={"symbol": line.symbol, "size": 9, "color": line.colour},
                hovertemplate=f"mean %{{y:,.4g}} {panel.unit}<extra></extra>",
            )
        )  # fmt: skip
        figures = ", ".join(f"{positions.names.full(c)} {three_digits(means[c])}" for c in known)
        said.append(f"{line.name if several else panel.title} ({panel.unit}): {figures}.")
    if not columns:
        return None
    cause = data.recommendation.cause
    if panel.name == "cores" and cause is not None and cause.server_cores is not None:
        traces.append(level(cause.server_cores, f"all {cause.server_cores:g} cores", positions.ends, GREY))
    rows = tuple(
        (
            *cells(positions.names.short(c)),
            *(number(means.get(c), three_digits) for _, means in columns),
        )
        for c in data.configurations
    )
    headings = tuple(panel.unit if len(columns) == 1 else f"{line.name}, {panel.unit}" for line, _ in columns)
    return Figure(
        name=panel.name,
        title=panel.title,
        drawing=drawing(
            traces,
            x=positions.axis(),
            y={"title": {"text": panel.unit}, "rangemode": "tozero"},
            height=340,
        ),
        says=" ".join(said),
        table=Table(
            f"{panel.name}-figures",
            (positions.heading, *headings),
            rows,
            right=frozenset(range(1, len(headings) + 1)),
        ),
    )


def _means(line: Line, data: RecommendationData) -> dict[Configuration, float]:
    """Over the valid runs of each configuration, where all of them have the figure."""
    found = {}
    for configuration in data.configurations:
        values = [line.of(r.figures) for r in data.runs_of(configuration) if r.figures is not None]
        known = [value for value in values if value is not None]
        if known and len(known) == len(values):
            found[configuration] = statistics.fmean(known)
    return found


def _scaling(data: RecommendationData, positions: Positions) -> Figure | None:
    """Where only the workers differ, and there are enough counts."""
    if not positions.by_count:
        return None
    rps = {c.configuration.workers: c.rps.mean for c in data.candidates if c.rps is not None}
    law = fit(rps)
    if law is None:
        return None
    counts = sorted(rps)
    curve = np.geomspace(counts[0], counts[-1], 80)
    traces = [
        go.Scatter(
            x=points(np.log2(curve)), y=points(law.rps(curve)), mode="lines", name="fitted law",
            line={"color": GREEN, "width": 2.5}, hovertemplate="law: %{y:,.4g} requests/s<extra></extra>",
        ),
        go.Scatter(
            x=points([math.log2(count) for count in counts]), y=points([rps[count] for count in counts]),
            mode="markers", name="measured mean", marker={"symbol": "diamond", "size": 9, "color": BLUE},
            hovertemplate="measured: %{y:,.4g} requests/s<extra></extra>",
        ),
        go.Scatter(
            x=points(np.log2(curve)), y=points(law.gamma * curve), mode="lines",
            name="if it scaled perfectly", hoverinfo="skip",
            line={"color": GREY, "width": 1.5, "dash": "dot"},
        ),
    ]  # fmt: skip
    top = max(*rps.values(), *law.rps(curve)) * 1.15
    rows = tuple(
        (
            *cells(str(count)),
            number(rps[count], ".1f"),
            number(float(law.rps(np.array([float(count)]))[0]), ".1f"),
        )
        for count in counts
    )
    return Figure(
        name="scalability",
        title="Universal Scalability Law, as a guide",
        drawing=drawing(
            traces, x=positions.axis(), y={"title": {"text": "requests/s"}, "range": [0, top]}, height=340
        ),
        says=f"Throughput by workers with the fitted law. {_law_in_words(law)}",
        caption=f"{_law_in_words(law)} The answer does not use this law.",
        table=Table("scalability-figures", ("workers", "measured", "law"), rows, right=frozenset({1, 2})),
    )


def _law_in_words(law: Scalability) -> str:
    peak = law.peak_workers
    where = "never falls" if peak is None or peak > 1e4 else f"is highest at {workers(round(max(peak, 1.0)))}"
    return (
        f"By the fitted law, one worker alone gives {three_digits(law.gamma)} requests/s, and throughput "
        f"{where}. Sigma, the share of the work that waits for something shared, is {law.sigma:.1%}. Kappa, "
        f"the cost of keeping each pair of workers in step, is {law.kappa:.3%}. The measured means differ "
        f"from the law by {law.deviation:.1%}."
    )
