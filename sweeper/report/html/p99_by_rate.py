"""p99 against the rate at which requests arrived, for each configuration, with the SLO as a line."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import plotly.graph_objects as go

from sweeper.records.configuration import Configuration
from sweeper.records.run import StepSeen
from sweeper.records.wording import limit_ms, three_digits
from sweeper.report.html.drawing import DASHES, SERIES, Positions, drawing, level, points
from sweeper.report.html.elements import Figure, Table, cells, number
from sweeper.report.html.page_data import RecommendationData

HIGHEST = 4.0
"""Of the drawing, in SLOs: a queue that overflows has no end."""


def p99_by_rate(data: RecommendationData, positions: Positions) -> Figure | None:
    """A dot for each rate of each valid run, and a line through the means of each configuration. None without
    a valid run."""
    slo_ms = data.slo_p99_ms or 0.0
    traces, said, rows = [], [], []
    highest_rate = 0.0
    for number_, configuration in enumerate(data.configurations):
        steps = _steps(data, configuration)
        if not steps:
            continue
        colour, dash = SERIES[number_ % len(SERIES)], DASHES[number_ // len(SERIES) % len(DASHES)]
        name = positions.names.full(configuration)
        seen = [(step, _drawn_ms(step, slo_ms)) for climb in steps for step in climb]
        highest_rate = max(highest_rate, *(step.arrivals_per_s for step, _ in seen))
        traces.append(
            go.Scatter(
                x=points([step.arrivals_per_s for step, _ in seen]), y=points([ms for _, ms in seen]),
                mode="markers", showlegend=False, marker={"color": colour, "size": 5, "opacity": 0.5},
                hovertemplate="%{x:,.1f} requests/s: p99 %{y:,.4g} ms<extra></extra>",
            )
        )  # fmt: skip
        means = [_mean(place, slo_ms) for place in zip(*steps, strict=False)]
        traces.append(
            go.Scatter(
                x=points([rate for rate, _ in means]), y=points([ms for _, ms in means]), mode="lines",
                name=name, line={"color": colour, "dash": dash, "width": 2},
                hovertemplate=f"{name}<br>%{{x:,.1f}} requests/s: p99 %{{y:,.4g}} ms<extra></extra>",
            )
        )  # fmt: skip
        said.append(
            f"{name} " + ", ".join(f"{three_digits(ms)} ms at {rate:.1f} requests/s" for rate, ms in means)
        )
        rows += [
            (*cells(positions.names.short(configuration)), number(rate, ".1f"), number(ms, three_digits))
            for rate, ms in means
        ]
    if not traces:
        return None
    traces.append(level(slo_ms, f"SLO: {limit_ms(slo_ms)}", (0.0, 1.05 * highest_rate)))
    return Figure(
        name="p99-by-rate",
        title="99th percentile of latency against the rate of arrivals",
        drawing=drawing(
            traces,
            x={"title": {"text": "requests/s that arrive at random"}, "rangemode": "tozero"},
            y={"title": {"text": "p99 (ms)"}, "range": [0, 1.05 * HIGHEST * slo_ms]},
            height=400,
        ),
        says="p99 (ms), mean over the runs, at each rate of a climb: " + "; ".join(said) + ".",
        caption=f"Each dot is one rate of one run. A p99 above {HIGHEST:g} times the SLO, or unknown "
        "because more than 1% of the requests failed or never finished, is drawn at the top. The capacity of "
        "a run is where its dots cross the line, corrected for chance in its arrivals.",
        table=Table(
            "p99-by-rate-figures",
            (positions.heading, "requests/s", "p99 ms"),
            tuple(rows),
            right=frozenset({1, 2}),
        ),
    )


def _steps(data: RecommendationData, configuration: Configuration) -> list[tuple[StepSeen, ...]]:
    """Of each valid run, in order of its rates."""
    return [
        record.figures.capacity.steps
        for record in data.runs_of(configuration)
        if record.figures is not None and record.figures.capacity is not None
    ]


def _drawn_ms(step: StepSeen, slo_ms: float) -> float:
    return HIGHEST * slo_ms if step.p99_ms is None else min(step.p99_ms, HIGHEST * slo_ms)


def _mean(place: Sequence[StepSeen], slo_ms: float) -> tuple[float, float]:
    """The rate and the p99 of one place in the climbs."""
    return (
        statistics.fmean(step.arrivals_per_s for step in place),
        statistics.fmean(_drawn_ms(step, slo_ms) for step in place),
    )
