"""Every run: over time, with the warm-up that was dropped, and as a row of a table that can be sorted."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from sweeper.records.finding import Finding, Severity, Verdict
from sweeper.records.observations import RunTrace
from sweeper.records.run import Bound, FloatArray, RunFigures, RunKind, RunRecord
from sweeper.records.wording import counted, duration, megabytes_alone, tally, three_digits
from sweeper.report.html.drawing import BLUE, DROPPED, GREY, VERMILION, Positions, drawing, points
from sweeper.report.html.elements import (
    Element,
    Figure,
    Figures,
    Folded,
    Remarks,
    Section,
    Table,
    TableCell,
    Text,
    cells,
    number,
)
from sweeper.report.html.latency import absence
from sweeper.report.html.page_data import PageData, RecommendationData
from sweeper.report.text.live import stage
from sweeper.report.text.recommendation import severest_first
from sweeper.report.text.tables import varied

DECISIVE_FIRST = (RunKind.BLOCK, RunKind.SCENARIO, RunKind.OPEN_LOOP, RunKind.SEARCH)
MOST_RUNS = 240
"""Drawn of all; each takes some kilobytes of the page."""
MOST_OPEN = 6
"""Drawings of configurations that are shown at once, the rest on demand."""


def over_time(data: RecommendationData) -> Section | None:
    drawn = [record for record in data.records if record.plan.run_id in data.traces]
    if not drawn:
        return None
    # Those that decide first, should there be too many.
    ranked = sorted(drawn, key=lambda r: DECISIVE_FIRST.index(r.plan.kind))[:MOST_RUNS]
    parts: list[Element] = [
        Text(
            "Each line is one run, second by second; 0 is where its window begins. The shaded part is "
            "warm-up, which is dropped. Suspect runs are dashed."
        )
    ]
    decisive = [r for r in ranked if r in data.decisive]
    figures = _by_configuration(decisive, data, "run")
    parts.append(Figures(tuple(figures[:MOST_OPEN])))
    folded = [("More configurations", figures[MOST_OPEN:])]
    opened = [r for r in ranked if r.plan.kind is RunKind.OPEN_LOOP]
    folded.append(("Runs of the confirmation, in open loop", _by_configuration(opened, data, "open")))
    searched = [r for r in ranked if r.plan.kind is RunKind.SEARCH]
    folded.append(("Runs of the search", _by_configuration(searched, data, "search")))
    parts += [Folded(title, (Figures(tuple(own)),)) for title, own in folded if own]
    if len(drawn) > len(ranked):
        parts.append(
            Text(f"{len(ranked)} of {len(drawn)} runs are drawn; all are in the table below.", "note")
        )
    said = absence(data)
    if said:
        parts.append(Text(said, "note"))
    return Section("series", "Over time", "Every run over time", tuple(parts))


def _by_configuration(records: Sequence[RunRecord], data: RecommendationData, kind: str) -> list[Figure]:
    configurations = sorted({record.configuration for record in records})
    if not configurations:
        return []
    positions = Positions([*data.configurations, *configurations])
    return [
        _figure(
            f"{kind}-{index}",
            positions.names.full(configuration),
            [(r, data.traces[r.plan.run_id]) for r in records if r.configuration == configuration],
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
        table=_halves_table(name, runs),
    )


def _in_words(title: str, runs: Sequence[tuple[RunRecord, RunTrace]]) -> str:
    rates = [record.figures.rps for record, _ in runs if record.figures is not None]
    warmups = [trace.warmup_s for _, trace in runs]
    return (
        f"{title}: {counted(len(runs), 'run')} over time, each with a warm-up of "
        f"{min(warmups):.1f} to {max(warmups):.1f} s dropped; {min(rates):.1f} to {max(rates):.1f} "
        f"requests/s, median {statistics.median(rates):.1f}."
    )


def _halves_table(name: str, runs: Sequence[tuple[RunRecord, RunTrace]]) -> Table:
    rows = []
    for record, trace in runs:
        half = trace.at_s > trace.window_s / 2
        first, second = trace.rps[(trace.at_s > 0) & ~half], trace.rps[half]
        rows.append(
            (
                *cells(record.plan.run_id, record.verdict.value),
                number(trace.warmup_s, ".1f"),
                number(trace.window_s, ".1f"),
                *(_mean_cell(part) for part in (first, second)),
                _mean_cell(trace.mean_latency_ms[trace.at_s > 0]),
            )
        )
    columns = (
        "run", "verdict", "warm-up s", "window s", "requests/s, first half", "second half", "mean latency ms",
    )  # fmt: skip
    return Table(f"series-{name}-figures", columns, tuple(rows), right=frozenset(range(2, 7)))


def _mean_cell(values: FloatArray) -> TableCell:
    known = values[np.isfinite(values)]
    return number(float(known.mean()) if len(known) else None, three_digits)


COLUMNS = (
    "requests/s", "p50 ms", "p95 ms", "p99 ms", "errors", "CPU ms/req", "switches/req", "memory MB",
    "warm-up s",
)  # fmt: skip
ORDER = {Verdict.VALID: 0, Verdict.SUSPECT: 1, Verdict.FAILED: 2}


def runs(data: PageData) -> Section:
    if not data.records:
        return Section("runs", "Runs", "Every run", (Text("No run has been made yet.", "note"),))
    counts = Counter(record.verdict for record in data.records)
    said = tally({verdict: counts[verdict] for verdict in Verdict})
    lead = (
        f"{counted(len(data.records), 'run')}, begun "
        f"{_days(data.records)}: {said}. Only valid runs count. Of these, only the runs of blocks "
        "decide, not the runs of a search or in open loop. A click on a heading sorts the table."
    )
    parts: list[Element] = [Text(lead), _runs_table(data)]
    remarks = _remarks(data.records)
    if remarks:
        parts.append(Remarks(remarks))
    return Section("runs", "Runs", "Every run", tuple(parts))


def _runs_table(data: PageData) -> Table:
    parts = _parts(data.records)
    several = len({record.host for record in data.records}) > 1
    climbs = any(
        record.figures is not None and record.figures.capacity is not None for record in data.records
    )
    rows = []
    for order, record in enumerate(data.records):
        rows.append(
            (
                TableCell(record.plan.run_id, order),
                TableCell(stage(record.plan) + (", A/A" if record.plan.sentinel else ""), order),
                *(_value(part(record)) for part in parts.values()),
                TableCell(record.verdict.value, ORDER[record.verdict], record.verdict.value),
                *([_capacity_cell(record.figures)] if climbs else []),
                *_figure_cells(record.figures),
                TableCell(" ".join(f.code for f in record.findings), kind="findings"),
                *([TableCell(record.host)] if several else []),
                TableCell(record.started_at[11:19], order),
                TableCell(duration(record.elapsed_s), record.elapsed_s),
            )
        )
    columns = (
        "run", "stage", *parts, "verdict", *(["capacity"] if climbs else []), *COLUMNS, "findings",
        *(["host"] if several else []), "begun (UTC)", "took",
    )  # fmt: skip
    numbers = frozenset(i for i, name in enumerate(columns) if name in (*parts, "capacity", *COLUMNS, "took"))
    return Table("runs-table", columns, tuple(rows), right=numbers, sortable=True)


def _parts(records: Sequence[RunRecord]) -> Mapping[str, Callable[[RunRecord], object]]:
    """What tells runs apart: server and users in scenarios, else what their configurations differ by."""
    if any(record.plan.kind is RunKind.SCENARIO for record in records):
        return {
            "server": lambda r: r.plan.case.server if r.plan.case else None,
            "users": lambda r: r.plan.case.users if r.plan.case else None,
        }
    found = varied([record.configuration for record in records])
    if any(record.plan.load is not None for record in records):
        found_under = {"load": lambda r: "" if r.plan.load is None else f"{r.plan.load:g}"}
        return {
            **{name: lambda r, part=part: part(r.configuration) for name, part in found.items()},  # type: ignore[misc]
            **found_under,
        }
    return {name: lambda r, part=part: part(r.configuration) for name, part in found.items()}  # type: ignore[misc]


def _days(records: Sequence[RunRecord]) -> str:
    days = sorted({record.started_at[:10] for record in records})
    return f"on {days[0]}" if len(days) == 1 else f"from {days[0]} to {days[-1]}"


def _value(value: object) -> TableCell:
    return TableCell(str(value), value if isinstance(value, int) else None)


def _capacity_cell(figures: RunFigures | None) -> TableCell:
    if figures is None or figures.capacity is None:
        return TableCell("-")
    sign = {Bound.EXACT: "", Bound.AT_LEAST: "≥ ", Bound.AT_MOST: "≤ "}[figures.capacity.bound]
    return number(figures.capacity.rps, lambda rps: f"{sign}{rps:.1f}")


def _figure_cells(figures: RunFigures | None) -> tuple[TableCell, ...]:
    if figures is None:
        return cells(*(["-"] * len(COLUMNS)))
    latency = figures.latency
    return (
        number(figures.rps, ".1f"),
        number(latency.p50_ms, three_digits),
        number(latency.p95_ms, three_digits),
        number(latency.p99_ms, lambda ms: ("≥ " if latency.censored else "") + three_digits(ms)),
        number(figures.error_rate, ".1%"),
        number(figures.cpu_ms_per_request, ".1f"),
        number(figures.switches_per_request, ".1f"),
        number(figures.peak_rss_bytes, megabytes_alone),
        number(figures.warmup_s, ".1f"),
    )


def _remarks(records: tuple[RunRecord, ...]) -> tuple[tuple[str, str, str], ...]:
    """One for each code, worst first, with the message of the first run that it makes suspect, if any."""
    found = [(record, finding) for record in records for finding in record.findings]
    found.sort(key=lambda pair: pair[1].severity is Severity.INFO)
    count = Counter(finding.code for _, finding in found)
    first: dict[str, tuple[RunRecord, Finding]] = {}
    for record, finding in found:
        first.setdefault(finding.code, (record, finding))
    remarks = []
    for finding in severest_first(finding for _, finding in first.values()):
        record = first[finding.code][0]
        where = f"{counted(count[finding.code], 'run')}, the first {record.plan.run_id}"
        remarks.append((finding.severity.value, finding.code, f"{where}: {finding.message}"))
    return tuple(remarks)
