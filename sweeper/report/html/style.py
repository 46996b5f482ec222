"""Colours, and what all drawings have in common.

The colours are those of Okabe and Ito, "Color Universal Design" (2008), which most colour-blind people can
tell apart; nothing is said by colour alone. Of theirs black and yellow are left out: each is lost on one of
the two grounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from sweeper.records import FloatArray

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, GREY = "#CC79A7", "#56B4E9", "#8A8F98"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SHADE = "rgba(0, 158, 115, 0.16)"
DROPPED = "rgba(138, 143, 152, 0.18)"

GROUNDS = {
    "light": {"ink": "#1b1f24", "grid": "#e3e6ea", "line": "#8a9099", "paper": "#ffffff"},
    "dark": {"ink": "#e4e7eb", "grid": "#31373e", "line": "#7d848d", "paper": "#1b1f24"},
}


CROWDED = 25.0

IN_THE_DARK = {BLUE: SKY, SKY: BLUE}
"""On a dark ground the lighter of the two is the one that stands out."""


def templates() -> dict[str, dict[str, Any]]:
    """plotly's templates, one for each colour scheme; the page's script applies the one that is due."""
    return {name: _template(**colours) for name, colours in GROUNDS.items()}


def _template(ink: str, grid: str, line: str, paper: str) -> dict[str, Any]:
    axis = {
        "gridcolor": grid, "linecolor": line, "tickcolor": line, "zeroline": False, "showline": True,
        "ticks": "outside", "ticklen": 4, "automargin": True, "title": {"standoff": 8, "font": {"size": 13}},
    }  # fmt: skip
    return {
        "layout": {
            "font": {"color": ink, "size": 13, "family": "system-ui, sans-serif"},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"bgcolor": paper, "bordercolor": line, "font": {"color": ink}},
            "legend": {
                "orientation": "h", "x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom",
                "bgcolor": "rgba(0,0,0,0)",
            },
            "margin": {"l": 56, "r": 16, "t": 12, "b": 48},
            "hovermode": "closest",
        }
    }  # fmt: skip


def drawing(
    traces: list[Any],
    *,
    x: dict[str, Any],
    y: dict[str, Any],
    height: int = 320,
    legend: bool = True,
    **layout: Any,
) -> dict[str, Any]:
    """A plotly figure as a dictionary, without the template that the page gives it."""
    figure = go.Figure(traces)
    figure.update_layout(template=None, xaxis=x, yaxis=y, height=height, showlegend=legend, **layout)
    found: dict[str, Any] = figure.to_dict()
    found["layout"].pop("template", None)
    return found


def points(values: Sequence[float | None] | FloatArray, digits: int = 4) -> list[float | None]:
    """As plain numbers of so many significant digits, None where there is none: small in the file."""
    return [
        float(f"{value:.{digits}g}") if np.isfinite(value) else None
        for value in np.asarray(values, dtype=float)
    ]


def log_axis(title: str, values: Sequence[float]) -> dict[str, Any]:
    """For positive `values`: labels at 1, 2 and 5, or at powers of ten alone where those would crowd."""
    crowded = max(values) > CROWDED * min(values)
    return {
        "title": {"text": title}, "type": "log", "dtick": 1 if crowded else "D2", "tickformat": ",~r",
        "minor": {"ticks": "outside", "dtick": "D1"} if crowded else {},
    }  # fmt: skip


def level(y: float, name: str, x: Sequence[float], colour: str = VERMILION) -> Any:
    """A horizontal line across the drawing, from `x[0]` to `x[1]`, with its name in the legend."""
    return go.Scatter(
        x=points(x), y=points([y, y], 6), mode="lines", name=name,
        line={"color": colour, "width": 1.8, "dash": "dash"}, hoverinfo="skip",
    )  # fmt: skip
