"""What the decision goes by: how far each configuration is behind the best other one, with its limits."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from sweeper.answers import Candidate, Interval
from sweeper.report.html.candidates import behind, state
from sweeper.report.html.material import Material
from sweeper.report.html.parts import Figure, Table, cells, number
from sweeper.report.html.positions import Positions
from sweeper.report.html.style import GREEN, GREY, ORANGE, SHADE, VERMILION, drawing, points

KINDS = {
    "acceptable": ("as good as the best", GREEN, "circle"),
    "unsettled": ("not settled", ORANGE, "diamond"),
    "excluded": ("excluded", VERMILION, "x"),
}
ROOM = 4.0  # times the tolerance: what is further behind is named at the edge
ROW_PX = 34


def gaps(material: Material) -> Figure | None:
    """None where there is no limit to show, as before the second block."""
    known = [(c, gap) for c in material.candidates if (gap := c.relative_to_best) is not None]
    if not any(gap.low is not None for _, gap in known):
        return None
    positions = Positions(material.configurations)
    rows = {c.configuration: float(place) for place, (c, _) in enumerate(reversed(known))}
    tolerance = material.recommendation.tolerance
    close = [gap.high or gap.mean for c, gap in known if c.state != "excluded"]
    far = min(1.0, max(ROOM * tolerance, *(1.1 * high for high in close), 0.0))
    shown = [(c, gap) for c, gap in known if gap.mean <= far * 0.95]
    traces = [
        trace
        for kind in KINDS
        if (trace := _points(kind, [(c, gap) for c, gap in shown if c.state == kind], rows, far)) is not None
    ]
    beyond = [(c, gap) for c, gap in known if gap.mean > far * 0.95]
    if beyond:
        traces.append(_beyond(beyond, rows, far))
    edge = {"type": "line", "xref": "x", "yref": "paper", "x0": tolerance * 100, "x1": tolerance * 100}
    good = {"type": "rect", "xref": "x", "yref": "paper", "x0": 0, "x1": tolerance * 100, "layer": "below"}
    note = {
        "xref": "x", "yref": "paper", "x": tolerance * 100, "y": 0.02, "xanchor": "left", "yanchor": "bottom",
        "text": f" tolerance {tolerance * 100:g}%", "showarrow": False, "font": {"size": 12},
    }  # fmt: skip
    return Figure(
        name="gaps",
        title="How far behind the best",
        wide=True,
        drawing=drawing(
            traces,
            x={
                "title": {"text": "behind the best other one (%)"},
                "range": [-0.015 * far * 100, far * 102],
            },
            y={
                "tickvals": points(list(rows.values())),
                "ticktext": [positions.in_line(configuration) for configuration in rows],
                "range": [-0.6, len(rows) - 0.4],
                "showgrid": False,
                "title": {"text": "workers" if positions.by_count else positions.abbreviations},
            },
            height=150 + ROW_PX * len(rows),
            shapes=[
                {**good, "y0": 0, "y1": 1, "fillcolor": SHADE, "line": {"width": 0}},
                {**edge, "y0": 0, "y1": 1, "line": {"color": GREY, "width": 1.5, "dash": "dash"}},
            ],
            annotations=[note],
        ),
        says="How far behind the best other one: "
        + "; ".join(f"{positions.names.full(c.configuration)} {behind(gap)}" for c, gap in known)
        + f". Within {tolerance:.0%} counts as equally good.",
        caption="Each line is the range in which the gap to the best lies, all comparisons considered at "
        "once. Wholly left of the tolerance: as good as the best. Wholly right of it: worse. Across it: not "
        "settled. The answer is the smallest that is as good and keeps the limits for errors and p99.",
        table=Table(
            "gaps-figures",
            ("workers" if positions.by_count else "configuration", "behind the best (limits)", "state"),
            tuple(
                (
                    *cells(positions.names.short(c.configuration)),
                    number(gap.mean, behind(gap)),
                    *cells(state(c, material)),
                )
                for c, gap in known
            ),
            right=frozenset({1}),
        ),
    )


def _points(
    kind: str, own: list[tuple[Candidate, Interval]], rows: dict[Any, float], far: float
) -> go.Scatter | None:
    """An unknown upper end goes as far as the drawing does."""
    if not own:
        return None
    name, colour, symbol = KINDS[kind]
    highs = [far if gap.high is None else gap.high for _, gap in own]
    return go.Scatter(
        x=points([gap.mean * 100 for _, gap in own]),
        y=points([rows[c.configuration] for c, _ in own]),
        mode="markers",
        name=name,
        marker={"symbol": symbol, "size": 11, "color": colour},
        error_x={
            "type": "data", "symmetric": False, "thickness": 2.5, "width": 6, "color": colour,
            "array": points([(high - gap.mean) * 100 for high, (_, gap) in zip(highs, own, strict=True)]),
            "arrayminus": points([(gap.mean - (gap.low or 0.0)) * 100 for _, gap in own]),
        },
        text=[behind(gap) for _, gap in own],
        hovertemplate="%{text}<extra>%{fullData.name}</extra>",
    )  # fmt: skip


def _beyond(own: list[tuple[Candidate, Interval]], rows: dict[Any, float], far: float) -> go.Scatter:
    """Further behind than is worth the room: at the edge, with the figure."""
    return go.Scatter(
        x=points([far * 100 for _ in own]),
        y=points([rows[c.configuration] for c, _ in own]),
        mode="markers+text",
        name="beyond the axis",
        marker={"symbol": "triangle-right", "size": 12, "color": VERMILION},
        text=[f"{behind(gap)}  " for _, gap in own],
        textposition="middle left",
        cliponaxis=False,
        hoverinfo="skip",
    )
