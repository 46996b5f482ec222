"""Open against closed loop: the answer, and the reference, where requests arrive at random."""

from __future__ import annotations

import plotly.graph_objects as go

from sweeper.records.answer import Confirmed, Interval
from sweeper.records.finding import FindingCode
from sweeper.records.run import Objective
from sweeper.records.wording import capitalised, three_digits
from sweeper.report.html.drawing import BLUE, VERMILION, Positions, drawing, log_axis, points
from sweeper.report.html.elements import (
    Figure,
    Figures,
    Section,
    Table,
    TableCell,
    Text,
    cells,
    limited,
    number,
)
from sweeper.report.html.page_data import RecommendationData

NAMES = ("p99", "p95", "p50")


def confirmation(data: RecommendationData) -> Section | None:
    found = data.recommendation.confirmation
    title = "Open against closed loop"
    if found is None:
        return Section("confirmation", "Open loop", title, (Text(_why_not(data), "note"),))
    lead = (
        "If users wait for an answer before they send again, a slow server also slows down the load, and "
        f"latency hides the queue. Here {found.arrivals_per_s:.1f} requests a second arrive at random "
        f"({found.share:.0%} of the answer's throughput), whether or not earlier ones are answered. "
        "This check never changes the "
        "answer. If it favours another count, follow the kind of load that is more like yours."
    )
    positions = Positions([*data.configurations, *(one.configuration for one in found.configurations)])
    figure = _figure(found.configurations, positions)
    parts = (Text(found.sentence), Text(lead, "note"))
    return Section(
        "confirmation", "Open loop", title, parts if figure is None else (*parts, Figures((figure,)))
    )


def _why_not(data: RecommendationData) -> str:
    said = next(
        (f.message for f in data.recommendation.findings if f.code == FindingCode.NOT_CONFIRMED), None
    )
    if said is not None:
        return f"{capitalised(said)}."
    if not data.recommendation.complete:
        return "The answer is confirmed with requests that arrive at random once the study is finished."
    if data.answer is None:
        return "Without an answer there is nothing to confirm with requests that arrive at random."
    if data.recommendation.arrivals_per_s is not None:
        return "There is nothing to confirm: requests arrive at random in every run (--rate)."
    if data.recommendation.objective is Objective.CAPACITY:
        return "There is nothing to confirm: requests arrive at random in every run (--objective capacity)."
    return "The answer was not confirmed with requests that arrive at random (--no-confirm, or --quick)."


def _figure(seen: tuple[Confirmed, ...], positions: Positions) -> Figure | None:
    rows = [(one, name) for one in reversed(seen) for name in NAMES if name in one.latency_ms]
    if not rows:
        return None
    places = list(range(len(rows)))
    labels = [f"{positions.in_line(one.configuration)}: {name}" for one, name in rows]
    opened = [one.latency_ms[name] for one, name in rows]
    closed = [one.closed_latency_ms.get(name) for one, name in rows]
    traces = [
        go.Scatter(
            x=points([interval.mean for interval in opened]), y=places, mode="markers",
            name="open loop: mean and range",
            marker={"symbol": "circle", "size": 11, "color": VERMILION},
            error_x={
                "type": "data", "symmetric": False, "thickness": 2.5, "width": 6, "color": VERMILION,
                "array": points([(i.high or i.mean) - i.mean for i in opened]),
                "arrayminus": points([i.mean - (i.low or i.mean) for i in opened]),
            },
            hovertemplate="open loop %{x:,.4g} ms<extra></extra>",
        ),
        go.Scatter(
            x=points([float("nan") if i is None else i.mean for i in closed]), y=places, mode="markers",
            name="closed loop: mean",
            marker={"symbol": "square-open", "size": 11, "color": BLUE, "line": {"width": 2.5}},
            hovertemplate="closed loop %{x:,.4g} ms<extra></extra>",
        ),
    ]  # fmt: skip
    reach = [i.mean for i in (*opened, *closed) if i is not None]
    kind = "workers: percentile" if positions.by_count else positions.abbreviations
    return Figure(
        name="open-loop",
        title="Latency where requests arrive at random, and where users wait",
        wide=True,
        drawing=drawing(
            traces,
            x=log_axis("latency (ms, log scale)", reach),
            y={
                "tickvals": places,
                "ticktext": labels,
                "title": {"text": kind},
                "range": [-0.6, len(rows) - 0.4],
            },
            height=190 + 38 * len(rows),
        ),
        says="Latency in open and in closed loop: "
        + "; ".join(_in_words(one, name, positions) for one, name in reversed(rows))
        + ".",
        table=Table(
            "open-loop-figures",
            ("configuration", "percentile", "open loop ms (least to most)", "closed loop ms"),
            tuple(
                (*cells(one.configuration.label, name), _range(one.latency_ms[name]), _mean(one, name))
                for one, name in reversed(rows)
            ),
            right=frozenset({2, 3}),
        ),
    )


def _in_words(one: Confirmed, name: str, positions: Positions) -> str:
    closed = one.closed_latency_ms.get(name)
    against = "" if closed is None else f" against {three_digits(closed.mean)} ms"
    who = positions.names.full(one.configuration)
    return f"{who}, {name} {three_digits(one.latency_ms[name].mean)} ms{against}"


def _range(interval: Interval) -> TableCell:
    text = three_digits(interval.mean)
    if interval.low is not None and interval.high is not None:
        text += f" ({three_digits(interval.low)} to {three_digits(interval.high)})"
    return limited(interval, text)


def _mean(one: Confirmed, name: str) -> TableCell:
    closed = one.closed_latency_ms.get(name)
    return number(None if closed is None else closed.mean, three_digits)
