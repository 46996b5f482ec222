"""Both servers under each load: latency, throughput, and what they cost, against the number of users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go

from sweeper.answers import Interval
from sweeper.findings import wording
from sweeper.records import RunRecord, Verdict
from sweeper.report.html.material import Compared
from sweeper.report.html.parts import Figure, Figures, Section, Table, Text, cells
from sweeper.report.html.style import BLUE, GREY, VERMILION, drawing, points
from sweeper.report.text import milliseconds, ratio, with_limits
from sweeper.scenarios.cells import FIGURES
from sweeper.scenarios.outcome import Outcome

COLOURS, SYMBOLS = (BLUE, VERMILION), ("circle", "square")
DRAWN: tuple[tuple[str, str, str, Callable[[float], str]], ...] = (
    ("p50_ms", "Median latency", "ms", milliseconds),
    ("p99_ms", "99th percentile of latency", "ms", milliseconds),
    ("rps", "Throughput", "requests/s", lambda value: f"{value:,.1f}"),
    ("cpu_ms_per_request", "CPU per request", "ms", lambda value: f"{value:.1f}"),
    ("peak_rss_bytes", "Peak memory", "MB", lambda value: f"{value / 1e6:,.0f}"),
    ("switches_per_request", "Context switches per request", "", lambda value: f"{value:,.1f}"),
)
BESIDE = 1.05
"""How far, as a ratio, the two servers are drawn apart at the same number of users."""


def loads(material: Compared) -> Section | None:
    seen = material.outcome
    if not any(cell.figures for load in seen.loads for cell in load.cells):
        return None
    figures = tuple(figure for what in DRAWN if (figure := _figure(material, *what)) is not None)
    said = (
        "Each dot is one run of a fresh server; the larger marks are means with "
        f"{seen.terms.confidence:.0%} intervals over blocks. Drift of the host moves all dots of a block "
        "together, so that the ratios in the tables are surer than the intervals look. CPU, memory and "
        "switches are those of all the server's processes."
    )
    return Section("loads", "Loads", "Under each load", (Text(said), Figures(figures)))


def _figure(
    material: Compared, name: str, title: str, unit: str, show: Callable[[float], str]
) -> Figure | None:
    seen = material.outcome
    scale = 1e-6 if name.endswith("_bytes") else 1.0
    traces: list[Any] = []
    for index, server in enumerate(seen.terms.servers):
        means = [
            (load.users, found)
            for load in seen.loads
            for cell in load.cells
            if cell.case.server == server and (found := cell.figures.get(name)) is not None
        ]
        runs = [r for r in material.records if _counts(r, server) and _value(r, name) is not None]
        shift = BESIDE if index else 1 / BESIDE
        traces += _traces(means, runs, name, unit, server, index, shift, scale)
    if not traces:
        return None
    users = sorted({load.users for load in seen.loads})
    return Figure(
        name=name.replace("_", "-"),
        title=title,
        drawing=drawing(
            traces,
            x={
                "title": {"text": "users"}, "type": "log", "tickvals": users,
                "ticktext": [f"{count:,}" for count in users],
            },
            y={"title": {"text": unit or "per request"}, "rangemode": "tozero"},
            height=360,
        ),
        says=f"{title}: {_in_words(seen, name, show)}",
        table=_table(seen, name, title, show),
    )  # fmt: skip


def _traces(
    means: list[tuple[int, Interval]],
    runs: list[RunRecord],
    name: str,
    unit: str,
    server: str,
    index: int,
    shift: float,
    scale: float,
) -> list[Any]:
    if not means:
        return []
    colour, symbol = COLOURS[index], SYMBOLS[index]
    below = [(found.mean - (found.low or found.mean)) * scale for _, found in means]
    above = [((found.high or found.mean) - found.mean) * scale for _, found in means]
    return [
        go.Scatter(
            x=points([r.plan.case.users * shift for r in runs if r.plan.case is not None]),
            y=points([(_value(r, name) or 0.0) * scale for r in runs]),
            mode="markers", showlegend=False, text=[r.plan.run_id for r in runs],
            marker={
                "symbol": symbol, "size": 6, "opacity": 0.55,
                "color": [colour if r.verdict is Verdict.VALID else GREY for r in runs],
            },
            hovertemplate=f"%{{text}}<br>%{{y:,.4g}} {unit}<extra></extra>",
        ),
        go.Scatter(
            x=points([users * shift for users, _ in means]),
            y=points([found.mean * scale for _, found in means]),
            mode="lines+markers", name=server, line={"color": colour, "width": 2},
            marker={"symbol": symbol, "size": 10, "color": colour},
            error_y={
                "type": "data", "symmetric": False, "color": colour, "thickness": 1.4, "width": 5,
                "array": points(above), "arrayminus": points(below),
            },
            hovertemplate=f"{server}<br>%{{y:,.4g}} {unit}<extra></extra>",
        ),
    ]  # fmt: skip


def _counts(record: RunRecord, server: str) -> bool:
    case = record.plan.case
    return case is not None and case.server == server and case.scenario != "stress"


def _value(record: RunRecord, name: str) -> float | None:
    return None if record.figures is None else FIGURES[name](record.figures)


def _in_words(seen: Outcome, name: str, show: Callable[[float], str]) -> str:
    texts = []
    for load in seen.loads:
        own = [
            f"{cell.case.server} {show(cell.figures[name].mean)}"
            for cell in load.cells
            if name in cell.figures
        ]
        if own:
            texts.append(f"under {wording.users(load.users)} {', '.join(own)}")
    return "; ".join(texts) + "."


def _table(seen: Outcome, name: str, title: str, show: Callable[[float], str]) -> Table:
    first, second = seen.terms.servers
    rows = []
    for load in seen.loads:
        by_server = {cell.case.server: cell.figures.get(name) for cell in load.cells}
        shown = [with_limits(by_server.get(server), show, " to ") for server in (first, second)]
        relative = with_limits(load.ratios.get(name), ratio, " to ")
        rows.append(cells(load.scenario.value, str(load.users), *shown, relative))
    return Table(
        f"{name.replace('_', '-')}-table",
        ("scenario", "users", first.value, second.value, f"{first} ÷ {second}"),
        tuple(rows),
        right=frozenset({1, 2, 3, 4}),
        caption=f"{title}, with intervals over blocks.",
    )
