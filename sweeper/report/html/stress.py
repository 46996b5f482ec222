"""The stress: throughput and p99 of both servers as users are added, and where each one's limit is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go

from sweeper.report.html.loads import COLOURS, SYMBOLS
from sweeper.report.html.material import Compared
from sweeper.report.html.parts import Cell, Figure, Figures, Part, Section, Table, Text, cells, number
from sweeper.report.html.style import drawing, level, log_axis, points
from sweeper.report.scenarios import stress_line
from sweeper.report.text import milliseconds
from sweeper.scenarios.stress import Limit, Step


def stress(material: Compared) -> Section | None:
    seen = material.outcome
    if not seen.stress:
        return None
    sentences = [stress_line(one).removeprefix("stress: ") for one in seen.stress]
    parts: list[Part] = [Text(f"{text[:1].upper()}{text[1:]}") for text in sentences]
    figures = [
        found
        for name, title, unit, value in (
            ("stress-rps", "Throughput under stress", "requests/s", lambda step: step.rps),
            ("stress-p99", "99th percentile under stress", "ms", lambda step: step.p99_ms),
        )
        if (found := _figure(material, name, title, unit, value)) is not None
    ]
    if figures:
        parts.append(Figures(tuple(figures)))
    parts.append(_table(material))
    return Section("stress", "Stress", "As many as they bear", tuple(parts))


def _figure(
    material: Compared, name: str, title: str, unit: str, value: Callable[[Step], float | None]
) -> Figure | None:
    seen, traces, users, words = material.outcome, [], [], []
    for index, one in enumerate(seen.stress):
        steps = sorted((s for s in one.steps if value(s) is not None), key=lambda step: step.users)
        users += [step.users for step in steps]
        if steps:
            traces.append(_trace(steps, [value(step) for step in steps], one.server, unit, index))
            last = steps[-1]
            words.append(f"{one.server} from {steps[0].users} to {last.users} users")
    if not traces:
        return None
    y: dict[str, Any] = {"title": {"text": unit}, "rangemode": "tozero"}
    slo = seen.terms.slo_p99_ms
    if name == "stress-p99" and slo is not None:
        traces.append(level(slo, f"SLO: {slo:g} ms", [min(users), max(users)]))
    return Figure(
        name=name,
        title=title,
        drawing=drawing(traces, x=log_axis("users", users), y=y, height=340),
        says=f"{title}: {'; '.join(words)}. The figures are in the table below.",
        caption=(
            "Open marks: more than the server could take, or than the load generator could make; the table "
            "says which."
        ),
    )


def _trace(steps: list[Step], values: list[float | None], server: str, unit: str, index: int) -> Any:
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


def _table(material: Compared) -> Table:
    rows = [
        cells(
            one.server.value,
            Cell(f"{step.users:,}", step.users),
            "yes" if step.limit is None else "unknown" if step.limit is Limit.CLIENT else "no",
            number(step.rps, None if step.rps is None else f"{step.rps:,.1f}"),
            number(step.p99_ms, None if step.p99_ms is None else milliseconds(step.p99_ms)),
            number(step.error_rate, None if step.error_rate is None else f"{step.error_rate:.1%}"),
            step.why,
        )
        for one in material.outcome.stress
        for step in one.steps
    ]
    return Table(
        "steps",
        ("server", "users", "taken", "requests/s", "p99 ms", "errors", "why not"),
        tuple(rows),
        right=frozenset({1, 3, 4, 5}),
        sortable=True,
    )
