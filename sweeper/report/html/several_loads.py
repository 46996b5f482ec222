"""Several loads: what each says of each configuration, as a figure and the table of the terminal."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from sweeper.records.answer import SeveralLoads, UnderLoad
from sweeper.records.configuration import Configuration
from sweeper.records.wording import loads_in_words
from sweeper.report.html.drawing import DASHES, SERIES, Positions, drawing, points
from sweeper.report.html.elements import Element, Figure, Figures, Section, Table, TableCell, Text, cells
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
