"""Both servers of a comparison under each load, and under stress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from sweeper.analysis.scenarios.case_figures import figure
from sweeper.analysis.scenarios.outcome import Outcome
from sweeper.analysis.scenarios.stress import Limit, Step
from sweeper.records.finding import Verdict
from sweeper.records.run import RunRecord
from sweeper.records.wording import capitalised, limit_ms, megabytes_alone, three_digits, users
from sweeper.report.html.drawing import BLUE, GREY, VERMILION, drawing, level, log_axis, points
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
from sweeper.report.html.page_data import ScenarioData
from sweeper.report.text.scenarios import stress_line
from sweeper.report.text.tables import ratio, with_limits

COLOURS, SYMBOLS = (BLUE, VERMILION), ("circle", "square")
"""Of the first server and of the second."""


@dataclass(frozen=True, slots=True)
class ServerQuantity:
    """What is drawn and listed of both servers."""

    figure: str
    """Its name among the figures of a case."""
    title: str
    unit: str
    """Of the axis; empty for a plain number per request."""
    show: Callable[[float], str]
    scale: float = 1.0
    """From the figure's own unit to that of the axis."""

    @property
    def name(self) -> str:
        """Part of its ids on the page."""
        return self.figure.replace("_", "-")


QUANTITIES = (
    ServerQuantity("p50_ms", "Median latency", "ms", three_digits),
    ServerQuantity("p99_ms", "99th percentile of latency", "ms", three_digits),
    ServerQuantity("rps", "Throughput", "requests/s", "{:,.1f}".format),
    ServerQuantity("cpu_ms_per_request", "CPU per request", "ms", "{:.1f}".format),
    ServerQuantity("peak_rss_bytes", "Peak memory", "MB", megabytes_alone, scale=1e-6),
    ServerQuantity("switches_per_request", "Context switches per request", "", "{:,.1f}".format),
)
BESIDE = 1.05
"""How far, as a ratio, the two servers are drawn apart at the same number of users."""


def loads(data: ScenarioData) -> Section | None:
    seen = data.outcome
    if not any(cell.figures for load in seen.loads for cell in load.cells):
        return None
    figures = tuple(figure for what in QUANTITIES if (figure := _figure(data, what)) is not None)
    said = (
        "Each dot is one run of a fresh server; the larger marks are means with "
        f"{seen.terms.confidence:.0%} intervals over blocks. Drift of the host moves all dots of a block "
        "together, so the ratios in the tables are more certain than the intervals suggest. CPU, memory and "
        "switches are those of all the server's processes."
    )
    return Section("loads", "Loads", "Under each load", (Text(said), Figures(figures)))


def _figure(data: ScenarioData, what: ServerQuantity) -> Figure | None:
    seen = data.outcome
    traces = [
        trace
        for index, server in enumerate(seen.terms.servers)
        for trace in _traces(data, what, server, index)
    ]
    if not traces:
        return None
    users = sorted({load.users for load in seen.loads})
    return Figure(
        name=what.name,
        title=what.title,
        drawing=drawing(
            traces,
            x={
                "title": {"text": "users"}, "type": "log", "tickvals": users,
                "ticktext": [f"{count:,}" for count in users],
            },
            y={"title": {"text": what.unit or "per request"}, "rangemode": "tozero"},
            height=360,
        ),
        says=f"{what.title}: {_in_words(seen, what)}",
        table=_table(seen, what),
    )  # fmt: skip


def _traces(data: ScenarioData, what: ServerQuantity, server: str, index: int) -> list[Any]:
    """The runs of one server, and their means."""
    means = [
        (load.users, found)
        for load in data.outcome.loads
        for cell in load.cells
        if cell.case.server == server and (found := cell.figures.get(what.figure)) is not None
    ]
    if not means:
        return []
    runs = [r for r in data.records if _counts(r, server) and _value(r, what) is not None]
    colour, symbol, shift = COLOURS[index], SYMBOLS[index], BESIDE if index else 1 / BESIDE
    below = [(found.mean - (found.low or found.mean)) * what.scale for _, found in means]
    above = [((found.high or found.mean) - found.mean) * what.scale for _, found in means]
    return [
        go.Scatter(
            x=points([r.plan.case.users * shift for r in runs if r.plan.case is not None]),
            y=points([(_value(r, what) or 0.0) * what.scale for r in runs]),
            mode="markers", showlegend=False, text=[r.plan.run_id for r in runs],
            marker={
                "symbol": symbol, "size": 6, "opacity": 0.55,
                "color": [colour if r.verdict is Verdict.VALID else GREY for r in runs],
            },
            hovertemplate=f"%{{text}}<br>%{{y:,.4g}} {what.unit}<extra></extra>",
        ),
        go.Scatter(
            x=points([users * shift for users, _ in means]),
            y=points([found.mean * what.scale for _, found in means]),
            mode="lines+markers", name=server, line={"color": colour, "width": 2},
            marker={"symbol": symbol, "size": 10, "color": colour},
            error_y={
                "type": "data", "symmetric": False, "color": colour, "thickness": 1.4, "width": 5,
                "array": points(above), "arrayminus": points(below),
            },
            hovertemplate=f"{server}<br>%{{y:,.4g}} {what.unit}<extra></extra>",
        ),
    ]  # fmt: skip


def _counts(record: RunRecord, server: str) -> bool:
    case = record.plan.case
    return case is not None and case.server == server and case.scenario != "stress"


def _value(record: RunRecord, what: ServerQuantity) -> float | None:
    return None if record.figures is None else figure(what.figure, record.figures)


def _in_words(seen: Outcome, what: ServerQuantity) -> str:
    texts = []
    for load in seen.loads:
        own = [
            f"{cell.case.server} {what.show(cell.figures[what.figure].mean)}"
            for cell in load.cells
            if what.figure in cell.figures
        ]
        if own:
            texts.append(f"under {users(load.users)} {', '.join(own)}")
    return "; ".join(texts) + "."


def _table(seen: Outcome, what: ServerQuantity) -> Table:
    first, second = seen.terms.servers
    rows = []
    for load in seen.loads:
        by_server = {cell.case.server: cell.figures.get(what.figure) for cell in load.cells}
        shown = [with_limits(by_server.get(server), what.show, " to ") for server in (first, second)]
        relative = with_limits(load.ratios.get(what.figure), ratio, " to ")
        rows.append(cells(load.scenario.value, str(load.users), *shown, relative))
    return Table(
        f"{what.name}-table",
        ("scenario", "users", first.value, second.value, f"{first} ÷ {second}"),
        tuple(rows),
        right=frozenset({1, 2, 3, 4}),
        caption=f"{what.title}, with intervals over blocks.",
    )


def stress(data: ScenarioData) -> Section | None:
    seen = data.outcome
    if not seen.stress:
        return None
    sentences = [stress_line(one).removeprefix("stress: ") for one in seen.stress]
    parts: list[Element] = [Text(capitalised(text)) for text in sentences]
    figures = [
        found
        for name, title, unit, value in (
            ("stress-rps", "Throughput under stress", "requests/s", lambda step: step.rps),
            ("stress-p99", "99th percentile under stress", "ms", lambda step: step.p99_ms),
        )
        if (found := _stress_figure(data, name, title, unit, value)) is not None
    ]
    if figures:
        parts.append(Figures(tuple(figures)))
    parts.append(_steps_table(data))
    return Section("stress", "Stress", "How many users each server can handle", tuple(parts))


def _stress_figure(
    data: ScenarioData, name: str, title: str, unit: str, value: Callable[[Step], float | None]
) -> Figure | None:
    seen, traces, users, words = data.outcome, [], [], []
    for index, one in enumerate(seen.stress):
        steps = sorted((s for s in one.steps if value(s) is not None), key=lambda step: step.users)
        users += [step.users for step in steps]
        if steps:
            traces.append(_stress_trace(steps, [value(step) for step in steps], one.server, unit, index))
            last = steps[-1]
            words.append(f"{one.server} from {steps[0].users} to {last.users} users")
    if not traces:
        return None
    y: dict[str, Any] = {"title": {"text": unit}, "rangemode": "tozero"}
    slo = seen.terms.slo_p99_ms
    if name == "stress-p99" and slo is not None:
        traces.append(level(slo, f"SLO: {limit_ms(slo)}", [min(users), max(users)]))
    return Figure(
        name=name,
        title=title,
        drawing=drawing(traces, x=log_axis("users", users), y=y, height=340),
        says=f"{title}: {'; '.join(words)}. The figures are in the table below.",
        caption=(
            "Open marks: a load that was too much for the server or for the load generator; the table "
            "says which."
        ),
    )


def _stress_trace(steps: list[Step], values: list[float | None], server: str, unit: str, index: int) -> Any:
    symbol = SYMBOLS[index]
    return go.Scatter(
        x=points([step.users for step in steps], 6), y=points(values), mode="lines+markers", name=server,
        line={"color": COLOURS[index], "width": 1.6},
        marker={
            "size": 9, "color": COLOURS[index],
            "symbol": [symbol if step.limit is None else f"{symbol}-open" for step in steps],
        },
        hovertemplate=f"{server}<br>%{{x:,}} users<br>%{{y:,.4g}} {unit}<extra></extra>",
    )  # fmt: skip


def _steps_table(data: ScenarioData) -> Table:
    rows = [
        cells(
            one.server.value,
            TableCell(f"{step.users:,}", step.users),
            "yes" if step.limit is None else "unknown" if step.limit is Limit.CLIENT else "no",
            number(step.rps, ",.1f"),
            number(step.p99_ms, three_digits),
            number(step.error_rate, ".1%"),
            step.why,
        )
        for one in data.outcome.stress
        for step in one.steps
    ]
    return Table(
        "steps",
        ("server", "users", "within limits", "requests/s", "p99 ms", "errors", "limit reached"),
        tuple(rows),
        right=frozenset({1, 3, 4, 5}),
        sortable=True,
    )
