"""What all drawings have in common: colours, axes, and where configurations stand on them.

The colours of the page around them are in page.css.
"""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from sweeper.records.configuration import Configuration
from sweeper.records.run import FloatArray
from sweeper.records.wording import Names

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, GREY = "#CC79A7", "#56B4E9", "#8A8F98"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SHADE = "rgba(0, 158, 115, 0.16)"
"""Behind what is as good as the best."""
DROPPED = "rgba(138, 143, 152, 0.18)"
"""Behind the warm-up."""
GROUNDS = {
    "light": {"ink": "#1b1f24", "grid": "#e3e6ea", "line": "#8a9099", "paper": "#ffffff"},
    "dark": {"ink": "#e4e7eb", "grid": "#31373e", "line": "#7d848d", "paper": "#1b1f24"},
}
IN_THE_DARK = {BLUE: SKY, SKY: BLUE}
"""On a dark ground the lighter of the two is the one that stands out."""

JITTER = 0.16
"""How far a run is drawn from its configuration, as a share of the least distance between two of these."""
LABELS_APART = 0.045
"""At least, as a share of the axis."""
CROWDED = 25.0
"""Largest ÷ smallest value, beyond which a log axis has room for labels at powers of ten only."""


class Positions:
    """`by_count` says that they differ in workers only, so that the axis is one of numbers (log2)."""

    def __init__(self, configurations: Iterable[Configuration]) -> None:
        self._all = sorted(set(configurations))
        self.names = Names(self._all)
        self.by_count = self.names.kind == "count"
        places = [math.log2(c.workers) if self.by_count else float(i) for i, c in enumerate(self._all)]
        self._at = dict(zip(self._all, places, strict=True))
        gaps = [b - a for a, b in itertools.pairwise(places)]
        self.gap = min([*gaps, 1.0])

    def at(self, configuration: Configuration) -> float:
        return self._at[configuration]

    def spread(self, configuration: Configuration, index: int, count: int) -> float:
        """The place of the `index`-th of `count` points, side by side."""
        if count < 2:
            return self.at(configuration)
        return self.at(configuration) + self.gap * JITTER * (2 * index / (count - 1) - 1)

    @property
    def title(self) -> str:
        return "workers (log scale)" if self.by_count else f"configuration ({self.abbreviations})"

    @property
    def heading(self) -> str:
        """Of a table's column of them."""
        return "workers" if self.by_count else "configuration"

    @property
    def abbreviations(self) -> str:
        known = ["w: workers"]
        known += ["thr: model threads"] if any(c.model_threads != 1 for c in self._all) else []
        known += ["proc: processes"] if any(c.processes != 1 for c in self._all) else []
        return ", ".join(known)

    @property
    def ends(self) -> tuple[float, float]:
        return self.at(self._all[0]) - 0.5 * self.gap, self.at(self._all[-1]) + 0.5 * self.gap

    def axis(self) -> dict[str, Any]:
        ends = self.ends
        shown = [self._all[i] for i in thinned(list(self._at.values()))]
        return {
            "title": {"text": self.title},
            "tickvals": [self.at(c) for c in shown],
            "ticktext": [self.label(c) for c in shown],
            "range": list(ends),
            "showgrid": False,
        }

    def in_line(self, configuration: Configuration) -> str:
        return self.label(configuration).replace("<br>", " ")

    def label(self, configuration: Configuration) -> str:
        """In two or three short lines where it is more than a count."""
        if self.by_count:
            return str(configuration.workers)
        parts = [f"{configuration.workers} w"]
        if configuration.model_threads != 1:
            parts.append(f"{configuration.model_threads} thr")
        if configuration.processes != 1:
            parts.append(f"{configuration.processes} proc")
        parts += [html.escape(f"{short(name)} {value}") for name, value in configuration.parameters]
        return "<br>".join(parts)


def thinned(places: Sequence[float]) -> list[int]:
    """Indices of ascending places that leave each other room for a label, the last one always."""
    if not places:
        return []
    apart = LABELS_APART * (places[-1] - places[0])
    shown = [0]
    for index, place in enumerate(places):
        if place - places[shown[-1]] >= apart and index > 0:
            shown.append(index)
    last = len(places) - 1
    if shown[-1] != last:
        shown[-1:] = [last] if len(shown) > 1 else [0, last]
    return shown


def short(parameter: str) -> str:
    """`DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH` as `queue depth`."""
    words = parameter.removeprefix("DRUM_").removeprefix("FASTAPI_").removeprefix("EXECUTOR_")
    return words.replace("_", " ").lower()


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
