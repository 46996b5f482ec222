"""Every run over time: throughput and mean latency, second by second, with the warm-up that was dropped."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from sweeper.records import FloatArray, RunRecord, Verdict
from sweeper.report.html.latency import absence
from sweeper.report.html.material import Material
from sweeper.report.html.parts import Cell, Figure, Figures, Folded, Part, Section, Table, Text, cells, number
from sweeper.report.html.positions import Positions
from sweeper.report.html.style import BLUE, DROPPED, GREY, VERMILION, drawing, points
from sweeper.report.run_lines import stage
from sweeper.report.text import milliseconds
from sweeper.traces import RunTrace

MOST_RUNS = 240
"""Drawn of all; each takes some kilobytes of the page."""
MOST_OPEN = 6
"""Drawings of configurations that are shown at once, the rest on demand."""


def series(material: Material) -> Section | None:
    drawn = [record for record in material.records if record.plan.run_id in material.traces]
    if not drawn:
        return None
    # Those that decide first, should there be too many.
    ranked = sorted(drawn, key=lambda r: (r.plan.search, r.plan.arrivals_per_s is not None))[:MOST_RUNS]
    parts: list[Part] = [
        Text(
            "Each line is one run, second by second; 0 is where its window begins. What is shaded is "
            "warm-up: it was dropped. Suspect runs are dashed."
        )
    ]
    decisive = [r for r in ranked if r in material.decisive]
    figures = _by_configuration(decisive, material, "run")
    parts.append(Figures(tuple(figures[:MOST_OPEN])))
    folded = [("More configurations", figures[MOST_OPEN:])]
    opened = [r for r in ranked if r.plan.arrivals_per_s is not None]
    folded.append(("Runs of the confirmation, in open loop", _by_configuration(opened, material, "open")))
    searched = [r for r in ranked if r.plan.search]
    folded.append(("Runs of the search", _by_configuration(searched, material, "search")))
    parts += [Folded(title, (Figures(tuple(own)),)) for title, own in folded if own]
    if len(drawn) > len(ranked):
        parts.append(
            Text(f"Of {len(drawn)} runs {len(ranked)} are drawn; all are in the table below.", "note")
        )
    said = absence(material)
    if said:
        parts.append(Text(said, "note"))
    return Section("series", "Over time", "Every run over time", tuple(parts))


def _by_configuration(records: Sequence[RunRecord], material: Material, kind: str) -> list[Figure]:
    configurations = sorted({record.configuration for record in records})
    if not configurations:
        return []
    positions = Positions([*material.configurations, *configurations])
    return [
        _figure(
            f"{kind}-{index}",
            positions.names.full(configuration),
            [(r, material.traces[r.plan.run_id]) for r in records if r.configuration == configuration],
        )
        for index, configuration in enumerate(configurations)
    ]


def _figure(name: str, title: str, runs: Sequence[tuple[RunRecord, RunTrace]]) -> Figure:
    traces = []
    for record, trace in runs:
        suspect = record.verdict is not Verdict.VALID
        line = {
            "color": VERMILION if suspect else BLUE,
            "width": 1.3,
            "dash": "dash" if suspect else "solid",
        }
        label = f"{record.plan.run_id}, {stage(record.plan)}" + (", suspect" if suspect else "")
        x = points(trace.at_s, 5)
        for values, axis, unit in (
            (trace.rps, "y", "requests/s"),
            (trace.mean_latency_ms, "y2", "ms"),
        ):
            traces.append(
                go.Scatter(
                    x=x, y=points(values, 3), yaxis=axis, mode="lines", line=line, opacity=0.75,
                    name=label,
                    hovertemplate=f"%{{x:.1f}} s: %{{y:,.4g}} {unit}<extra>%{{fullData.name}}</extra>",
                )
            )  # fmt: skip
    first = min(-trace.warmup_s for _, trace in runs)
    last = max(trace.window_s for _, trace in runs)
    shade = {
        "type": "rect", "xref": "x", "yref": "paper", "x0": first, "x1": 0, "y0": 0, "y1": 1,
        "fillcolor": DROPPED, "line": {"width": 0}, "layer": "below",
    }  # fmt: skip
    edge = {
        "type": "line", "xref": "x", "yref": "paper", "x0": 0, "x1": 0, "y0": 0, "y1": 1,
        "line": {"color": GREY, "width": 1.5, "dash": "dot"},
    }  # fmt: skip
    note = {
        "xref": "x", "yref": "paper", "x": first, "y": 1, "xanchor": "left", "yanchor": "bottom",
        "text": "warm-up, dropped", "showarrow": False, "font": {"size": 11},
    }  # fmt: skip
    return Figure(
        name=f"series-{name}",
        title=title,
        drawing=drawing(
            traces,
            x={"title": {"text": "seconds from the window's start"}, "range": [first, last], "anchor": "y2"},
            y={"title": {"text": "requests/s"}, "domain": [0.55, 1], "rangemode": "tozero"},
            yaxis2={"title": {"text": "mean ms"}, "domain": [0, 0.42], "rangemode": "tozero", "anchor": "x"},
            height=360,
            legend=False,
            margin={"t": 26},
            shapes=[shade, edge],
            annotations=[note],
        ),
        says=_in_words(title, runs),
        table=_table(name, runs),
    )


def _in_words(title: str, runs: Sequence[tuple[RunRecord, RunTrace]]) -> str:
    rates = [record.figures.rps for record, _ in runs if record.figures is not None]
    warmups = [trace.warmup_s for _, trace in runs]
    return (
        f"{title}: {len(runs)} run{'' if len(runs) == 1 else 's'} over time, each with a warm-up of "
        f"{min(warmups):.1f} to {max(warmups):.1f} s dropped; {min(rates):.1f} to {max(rates):.1f} "
        f"requests/s, median {statistics.median(rates):.1f}."
    )


def _table(name: str, runs: Sequence[tuple[RunRecord, RunTrace]]) -> Table:
    rows = []
    for record, trace in runs:
        half = trace.at_s > trace.window_s / 2
        first, second = trace.rps[(trace.at_s > 0) & ~half], trace.rps[half]
        rows.append(
            (
                *cells(record.plan.run_id, record.verdict.value),
                number(trace.warmup_s, f"{trace.warmup_s:.1f}"),
                number(trace.window_s, f"{trace.window_s:.1f}"),
                *(_mean(part) for part in (first, second)),
                _mean(trace.mean_latency_ms[trace.at_s > 0]),
            )
        )
    columns = (
        "run", "verdict", "warm-up s", "window s", "requests/s, first half", "second half", "mean latency ms",
    )  # fmt: skip
    return Table(f"series-{name}-figures", columns, tuple(rows), right=frozenset(range(2, 7)))


def _mean(values: FloatArray) -> Cell:
    known = values[np.isfinite(values)]
    return (
        number(float(known.mean()), milliseconds(float(known.mean()))) if len(known) else number(None, None)
    )
