"""The search: what was tried, the front of throughput and p99, and which parameters matter."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from sweeper.records.configuration import values_of
from sweeper.records.run import Objective
from sweeper.records.search import Search, Trial
from sweeper.records.wording import three_digits
from sweeper.report.html.drawing import BLUE, GREEN, GREY, SKY, VERMILION, drawing, points, short, thinned
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
from sweeper.report.text.search import UNITS, figure, objectives_shown, remark, search_lines

Kinds = Sequence[tuple[str, str, str, list[Trial]]]


def search(data: RecommendationData) -> Section | None:
    found = data.recommendation.search
    if found is None:
        return None
    parts: list[Element] = [Text(line) for line in search_lines(data.recommendation)]
    measured = [trial for trial in found.trials if trial.values]
    if measured:
        figures = [
            *([front] if (front := _front(measured, found, data)) is not None else []),
            *([matter] if (matter := _importances(data)) is not None else []),
            *_slices(measured, found, data),
        ]
        parts.append(Figures(tuple(figures)))
        if not data.importances:
            parts.append(Text(_no_importances(measured), "note"))
    parts.append(_table(found))
    parts.append(
        Text(
            "The figures of trials are corrected for changes of the host. They chose the finalists, "
            "but only the "
            "finalists' blocks decide the answer.",
            "note",
        )
    )
    return Section("search", "Search", "The search", tuple(parts))


def _kinds(trials: Sequence[Trial], found: Search, data: RecommendationData) -> Kinds:
    """Name, colour and symbol for: other trials, given up, finalists, the answer."""
    kinds: dict[str, tuple[str, str, list[Trial]]] = {
        "another trial": (SKY, "circle", []),
        "given up early": (GREY, "x", []),
        "a finalist": (BLUE, "diamond", []),
        "the answer": (VERMILION, "star", []),
    }
    for trial in trials:
        name = (
            "the answer"
            if trial.configuration == data.answer
            else "a finalist"
            if trial.configuration in found.finalists
            else "given up early"
            if trial.stopped
            else "another trial"
        )
        kinds[name][2].append(trial)
    return [(name, colour, symbol, own) for name, (colour, symbol, own) in kinds.items() if own]


def _dots(kinds: Kinds, x: Any, y: Any, unit: str) -> list[go.Scatter]:
    return [
        go.Scatter(
            x=points([x(trial) for trial in own]), y=points([y(trial) for trial in own]), mode="markers",
            name=name,
            text=[html.escape(f"trial {trial.number}: {trial.configuration.label}") for trial in own],
            marker={"symbol": symbol, "size": 15 if symbol == "star" else 9, "color": colour},
            hovertemplate=f"%{{text}}<br>{unit}<extra></extra>",
        )
        for name, colour, symbol, own in kinds
    ]  # fmt: skip


def _front(measured: Sequence[Trial], found: Search, data: RecommendationData) -> Figure | None:
    known = [trial for trial in measured if trial.rps is not None and trial.p99_ms is not None]
    if not known:
        return None
    numbers = set(found.front) if len(found.objectives) > 1 else _unbeaten(known)
    front = sorted((t for t in known if t.number in numbers), key=lambda trial: trial.rps or 0.0)
    traces = [
        go.Scatter(
            x=points([trial.rps for trial in front]), y=points([trial.p99_ms for trial in front]),
            mode="lines+markers", name="the front", line={"color": GREEN, "width": 2, "shape": "vh"},
            marker={"symbol": "circle-open", "size": 17, "color": GREEN, "line": {"width": 2}},
            hoverinfo="skip",
        ),
        *_dots(
            _kinds(known, found, data), lambda trial: trial.rps, lambda trial: trial.p99_ms,
            "%{x:,.4g} requests/s, p99 %{y:,.4g} ms",
        ),
    ]  # fmt: skip
    rows = tuple(
        (
            TableCell(str(t.number), t.number),
            *cells(t.configuration.label),
            number(t.rps, ".1f"),
            number(t.p99_ms, three_digits),
        )
        for t in front
    )
    said = ", ".join(
        f"{t.configuration.label} with {t.rps or 0.0:.1f} requests/s at {three_digits(t.p99_ms or 0.0)} ms"
        for t in front
    )
    return Figure(
        name="front",
        title="Throughput against p99: the front",
        drawing=drawing(
            traces,
            x={"title": {"text": "requests/s (more is better)"}},
            y={"title": {"text": "p99 in ms (less is better)"}},
            height=420,
        ),
        says=f"Throughput against p99 of {len(known)} trials. The front, which no other trial beats in "
        f"both: {said}.",
        caption="The front: trials that no other trial within the limits beats in both.",
        table=Table(
            "front-figures",
            ("trial", "configuration", "requests/s", "p99 ms"),
            rows,
            right=frozenset({0, 2, 3}),
        ),
    )


def _unbeaten(trials: Sequence[Trial]) -> set[int]:
    """Trials on the front of throughput and p99, for a search with one objective."""
    allowed = [(t.number, t.rps or 0.0, t.p99_ms or math.inf) for t in trials if t.keeps_limits]
    return {
        own
        for own, rps, p99 in allowed
        if not any(r >= rps and p <= p99 and (r, p) != (rps, p99) for _, r, p in allowed)
    }


def _importances(data: RecommendationData) -> Figure | None:
    if not data.importances:
        return None
    names = list(next(iter(data.importances.values())))
    colours = {
        Objective.THROUGHPUT: (BLUE, ""),
        Objective.P99: (VERMILION, "/"),
        Objective.CAPACITY: (BLUE, ""),
    }
    traces = []
    for objective, shares in data.importances.items():
        colour, pattern = colours[objective]
        traces.append(
            go.Bar(
                y=[html.escape(short(name)) for name in reversed(names)],
                x=points([shares[name] * 100 for name in reversed(names)]),
                orientation="h", name=objective.value,
                marker={"color": colour, "pattern": {"shape": pattern, "fgcolor": "#ffffff"}},
                hovertemplate="%{y}: %{x:.0f}%<extra></extra>",
            )
        )  # fmt: skip
    said = "; ".join(
        f"{objective.value}: " + ", ".join(f"{short(name)} {share:.0%}" for name, share in shares.items())
        for objective, shares in data.importances.items()
    )
    rows = tuple(
        (
            *cells(short(name)),
            *(number(shares[name], ".0%") for shares in data.importances.values()),
        )
        for name in names
    )
    columns = ("parameter", *(objective.value for objective in data.importances))
    return Figure(
        name="importances",
        title="Which parameters matter",
        drawing=drawing(
            traces,
            x={"title": {"text": "share of the variation (%)"}, "range": [0, 100]},
            y={},
            height=220 + 40 * len(names),
            legend=len(data.importances) > 1,
            barmode="group",
        ),
        says=f"Importance of the parameters, as shares of the variation. {said}.",
        caption="fANOVA over the trials: from few points, so only a hint of which parameters matter.",
        table=Table("importances-figures", columns, rows, right=frozenset(range(1, len(columns)))),
    )


def _no_importances(measured: Sequence[Trial]) -> str:
    if len(_open(measured)) < 2:
        return "Only one parameter was searched, so there is no importance to compare."
    return "Too few trials have figures to say which parameters matter."


def _slices(measured: Sequence[Trial], found: Search, data: RecommendationData) -> list[Figure]:
    """The first objective against each parameter."""
    objective = found.objectives[0]
    unit = UNITS[objective]
    kinds = _kinds(measured, found, data)
    return [_slice(name, values, kinds, unit, len(measured)) for name, values in _open(measured).items()]


def _slice(name: str, values: Sequence[int | str], kinds: Kinds, unit: str, trials: int) -> Figure:
    places = _places(values)

    def x(trial: Trial) -> float:
        return places[values_of(trial.configuration)[name]]

    shown = [values[i] for i in thinned([places[value] for value in values])]
    title = short(name)
    return Figure(
        name=f"slice-{short(name).replace(' ', '-')}",
        title=f"{unit} by {title}",
        drawing=drawing(
            _dots(kinds, x, lambda trial: trial.values[0], "%{y:,.4g} " + unit),
            x={
                "title": {"text": html.escape(title)},
                "tickvals": points([places[value] for value in shown]),
                "ticktext": [html.escape(str(value)) for value in shown],
                "showgrid": False,
            },
            y={"title": {"text": unit}, "rangemode": "tozero"},
            height=360,
        ),
        says=f"{unit} of {trials} trials by {title}, each trial one point; the figures are in the table of "
        "trials below.",
    )


def _places(values: Sequence[int | str]) -> dict[int | str, float]:
    """Numbers above 0 by their logarithm, anything else side by side."""
    if all(isinstance(value, int) and value > 0 for value in values):
        return {value: math.log2(int(value)) for value in values}
    return {value: float(place) for place, value in enumerate(values)}


def _open(trials: Sequence[Trial]) -> dict[str, list[int | str]]:
    """The parameters that are not the same for all trials, with the values tried."""
    seen: dict[str, set[int | str]] = {}
    for trial in trials:
        for name, value in values_of(trial.configuration).items():
            seen.setdefault(name, set()).add(value)
    return {
        name: sorted(values, key=lambda value: (isinstance(value, str), value))
        for name, values in seen.items()
        if len(values) > 1
    }


def _table(found: Search) -> Table:
    tried = [trial for trial in found.trials if trial.runs]
    rows = []
    shown = objectives_shown(found)
    for trial in tried:
        rows.append(
            (
                TableCell(str(trial.number), trial.number),
                *cells(trial.configuration.label),
                TableCell(str(trial.runs), trial.runs),
                *(_figure(trial, objective) for objective in shown),
                number(trial.error_rate, ".1%"),
                TableCell(remark(trial, found)),
            )
        )
    units = (UNITS[objective] for objective in shown)
    columns = ("trial", "configuration", "runs", *units, "errors", "remark")
    numbers = frozenset(i for i, name in enumerate(columns) if name not in ("configuration", "remark"))
    return Table("trials-table", columns, tuple(rows), right=numbers, sortable=True)


def _figure(trial: Trial, objective: Objective) -> TableCell:
    return number(trial.figure(objective), lambda value: figure(value, objective))
