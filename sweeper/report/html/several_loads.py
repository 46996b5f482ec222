"""Several loads: what each says of each configuration, and p99 against the rate at which requests arrived."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from sweeper.records.answer import SeveralLoads, UnderLoad
from sweeper.records.configuration import Configuration
from sweeper.records.run import StepSeen
from sweeper.records.wording import limit_ms, loads_in_words, three_digits
from sweeper.report.html.drawing import DASHES, SERIES, Positions, drawing, level, points
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
from sweeper.report.text.several_loads import cell, headings, legend, objective_of, unit
from sweeper.report.text.tables import varied


def several_loads(data: RecommendationData) -> Section | None:
    """None in a study of one load."""
    loads = data.recommendation.loads
    if loads is None:
        return None
    every = loads_in_words([one.load for one in loads.under], at_random=loads.at_random)
    parts: list[Element] = [
        Text(
            f"Each block measures each value under each load: {every}. A value can be the answer only if "
            "it is good under every load. The other sections of this page show the runs under the largest "
            "load."
        ),
        _table(data, loads),
    ]
    picture = _figure(data, loads)
    if picture is not None:
        parts.insert(1, Figures((picture,)))
    return Section("loads", "Loads", "The answer under each load", tuple(parts))


def _table(data: RecommendationData, loads: SeveralLoads) -> Table:
    parts = varied(data.configurations)
    rows = tuple(
        (
            *cells(*(str(part(configuration)) for part in parts.values())),
            *(_cell(data, one, configuration) for one in loads.under),
        )
        for configuration in data.configurations
    )
    columns = (*parts, *headings(loads))
    return Table(
        name="loads-table",
        columns=columns,
        rows=rows,
        right=frozenset(range(len(columns))),
        marked=frozenset(i for i, c in enumerate(data.configurations) if c == data.answer),
        caption=f"{unit(data.recommendation.objective)}. {legend(data.recommendation)}",
    )


def _cell(data: RecommendationData, under: UnderLoad, configuration: Configuration) -> TableCell:
    found = objective_of(under.candidate(configuration), data.recommendation.objective)
    text = cell(under, configuration, data.recommendation)
    return TableCell(text, None if found is None else found.mean)


def _figure(data: RecommendationData, loads: SeveralLoads) -> Figure | None:
    """The objective by load, a line for each configuration; None without a valid run."""
    positions, objective = Positions(data.configurations), data.recommendation.objective
    traces, rows = [], []
    for index, configuration in enumerate(data.configurations):
        known = [
            (one.load, found)
            for one in loads.under
            if (found := objective_of(one.candidate(configuration), objective)) is not None
        ]
        if not known:
            continue
        colour, dash = SERIES[index % len(SERIES)], DASHES[index // len(SERIES) % len(DASHES)]
        traces.append(
            go.Scatter(
                x=points([load for load, _ in known]),
                y=points([found.mean for _, found in known]),
                mode="lines+markers", name=positions.names.full(configuration),
                line={"color": colour, "width": 2, "dash": dash},
                error_y={
                    "type": "data", "symmetric": False, "color": colour, "thickness": 1.4, "width": 5,
                    "array": points([(found.high or found.mean) - found.mean for _, found in known]),
                    "arrayminus": points([found.mean - (found.low or found.mean) for _, found in known]),
                },
                hovertemplate=f"%{{y:,.4g}} {unit(objective)}<extra>%{{fullData.name}}</extra>",
            )
        )  # fmt: skip
        rows += [
            cells(positions.names.short(configuration), f"{load:g}", f"{found.mean:,.1f}")
            for load, found in known
        ]
    if not traces:
        return None
    what = "requests/s at random" if loads.at_random else "users"
    axis: dict[str, Any] = {
        "title": {"text": f"{what} (log scale)"}, "type": "log",
        "tickvals": [one.load for one in loads.under], "ticktext": [f"{one.load:g}" for one in loads.under],
    }  # fmt: skip
    own = [
        f"{heading}: {positions.names.full(one.configuration) if one.configuration else 'none'}"
        for heading, one in zip(headings(loads), loads.under, strict=True)
    ]
    return Figure(
        name="loads",
        title=f"{unit(objective)} under each load",
        wide=True,
        drawing=drawing(
            traces, x=axis, y={"title": {"text": unit(objective)}, "rangemode": "tozero"}, height=380
        ),
        says=f"{unit(objective)} by load, a line for each value. The answer under each load alone: "
        f"{'; '.join(own)}.",
        caption="Lines join the means under each load, with intervals. Compare the values under one load; "
        "the answer is the smallest value that is good under all of them.",
        table=Table(
            "loads-figures",
            (positions.heading, what, unit(objective)),
            tuple(rows),
            right=frozenset({1, 2}),
        ),
    )


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
        caption=f"Dots are single rates of single runs; what is above {HIGHEST:g} times the SLO, or never "
        "answered, is drawn there. The capacity of a run is where its own dots cross the line, without the "
        "luck of its arrivals.",
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
