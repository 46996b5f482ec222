"""How sure the answer is: the configurations that the blocks compare, and how far each is behind the best."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from sweeper.records.answer import Candidate, Interval
from sweeper.records.run import Objective
from sweeper.records.wording import Names, duration, percent, three_digits
from sweeper.report.html.drawing import GREEN, GREY, ORANGE, SHADE, VERMILION, Positions, drawing, points
from sweeper.report.html.elements import (
    Element,
    Figure,
    Figures,
    Section,
    Table,
    TableCell,
    Text,
    Tiles,
    cells,
    limited,
    number,
    remarks,
)
from sweeper.report.html.page_data import RecommendationData
from sweeper.report.text import economics
from sweeper.report.text.candidates import behind_means, was_throttled, word_in_answer
from sweeper.report.text.recommendation import basis as sentence
from sweeper.report.text.tables import FEWEST_BLOCKS, run_counts, varied


def basis(data: RecommendationData) -> Section:
    recommendation = data.recommendation
    parts: list[Element] = [Tiles(_tiles(data)), Text(sentence(recommendation))]
    behind = gaps(data)
    if behind is not None:
        parts.append(Figures((behind,)))
    tied = recommendation.tied_candidates
    if len(tied) > 1:
        names = Names(data.configurations).all([c.configuration for c in tied])
        parts.append(Text(f"As good as the best, or too close to tell: {names}."))
    if recommendation.candidates:
        parts.append(candidates_table(data))
    if recommendation.findings:
        parts.append(remarks(recommendation.findings))
    return Section("basis", "How sure", "How sure, and what it rests on", tuple(parts))


def _tiles(data: RecommendationData) -> tuple[tuple[str, str, str], ...]:
    recommendation = data.recommendation
    runs = sum(c.runs for c in recommendation.candidates)
    left_out = sum(c.suspect_runs + c.failed_runs for c in recommendation.candidates)
    deviation = recommendation.residual_deviation
    tiles = [
        ("confidence", percent(recommendation.confidence), "of the whole study"),
        ("tolerance", percent(recommendation.tolerance), "this close counts as equally good"),
        ("blocks", str(recommendation.blocks), "each measures the values left, in random order"),
        ("valid runs", str(runs), f"{left_out} left out" if left_out else "each a fresh server"),
    ]
    if deviation is not None:
        tiles.append(("noise", f"{deviation:.1%}", "typical deviation of one run within its block"))
    tiles.append(("measuring", duration(recommendation.elapsed_s), "in all"))
    return tuple(tiles)


OF_CLIMBS = ("runs", "requests/s within the SLO", "behind the best", "state")
"""Of runs that climb through several rates: other figures are of all rates together."""
FIGURES = ("runs", "requests/s", "behind the best", "p50 ms", "p95 ms", "p99 ms", "errors", "state")
THROTTLED = "throttled ms/req"


def candidates_table(data: RecommendationData) -> Table:
    candidates = data.candidates
    parts = varied([candidate.configuration for candidate in candidates])
    figures = OF_CLIMBS if data.recommendation.objective is Objective.CAPACITY else FIGURES
    rows = tuple(
        (
            *cells(*(str(part(c.configuration)) for part in parts.values())),
            *_figures(c, data.recommendation.objective)[: len(figures) - 1],
            *([number(c.throttled_ms_per_request, ",.1f")] if was_throttled(candidates) else []),
            *cells(*economics.cells(c, data.recommendation)),
            TableCell(word_in_answer(c, data.recommendation)),
        )
        for c in candidates
    )
    throttled, priced = was_throttled(candidates), economics.columns(data.recommendation)
    columns = (*parts, *figures[:-1], *([THROTTLED] if throttled else []), *priced, figures[-1])
    return Table(
        name="candidates",
        columns=columns,
        rows=rows,
        right=frozenset(range(len(columns) - 1)),
        marked=frozenset(i for i, c in enumerate(candidates) if c.configuration == data.answer),
        caption="Geometric means over blocks, from three blocks on with "
        f"{data.recommendation.confidence:.0%} intervals. "
        f"Behind: {behind_means(data.recommendation.objective)}, with limits.",
    )


def _figures(candidate: Candidate, objective: Objective) -> tuple[TableCell, ...]:
    gap, most = candidate.relative_to_best, candidate.most_rps(objective)
    return (
        TableCell(run_counts(candidate.runs, candidate.suspect_runs, candidate.failed_runs), candidate.runs),
        limited(most, rate(most, candidate.blocks)),
        limited(gap, behind(gap)),
        *(latency(candidate, name) for name in ("p50", "p95", "p99")),
        number(candidate.error_rate, ".1%"),
    )


def rate(interval: Interval | None, blocks: int) -> str | None:
    if interval is None:
        return None
    if interval.low is None or interval.high is None or blocks < FEWEST_BLOCKS:
        return f"{interval.mean:.1f}"
    return f"{interval.mean:.1f} ({interval.low:.1f} to {interval.high:.1f})"


def latency(candidate: Candidate, name: str) -> TableCell:
    interval = candidate.latency_ms.get(name)
    bound = "≥ " if name == "p99" and candidate.p99_is_lower_bound else ""
    return number(None if interval is None else interval.mean, lambda ms: bound + three_digits(ms))


def behind(interval: Interval | None) -> str | None:
    """0.12 (0.08 to 0.17) as `12% (8% to 17%)`: an unknown upper end is a question mark."""
    if interval is None or interval.low is None:
        return None
    high = "?" if interval.high is None else f"{interval.high:.0%}"
    return f"{interval.mean:.0%} ({interval.low:.0%} to {high})"


KINDS = {
    "acceptable": ("as good as the best", GREEN, "circle"),
    "unsettled": ("not settled", ORANGE, "diamond"),
    "excluded": ("excluded", VERMILION, "x"),
    "unmeasured": ("could not be measured", VERMILION, "x"),
}
ROOM = 4.0  # times the tolerance: what is further behind is named at the edge
ROW_PX = 34


def gaps(data: RecommendationData) -> Figure | None:
    """None where there is no limit to show, as before the second block."""
    known = [(c, gap) for c in data.candidates if (gap := c.relative_to_best) is not None]
    if not any(gap.low is not None for _, gap in known):
        return None
    positions = Positions(data.configurations)
    rows = {c.configuration: float(place) for place, (c, _) in enumerate(reversed(known))}
    tolerance = data.recommendation.tolerance
    close = [gap.high or gap.mean for c, gap in known if c.state not in ("excluded", "unmeasured")]
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
        "text": f" tolerance {percent(tolerance)}", "showarrow": False, "font": {"size": 12},
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
        caption="Each line shows the range of the gap to the best. Left of the tolerance: as good as the "
        "best. Right of it: worse. Across it: not settled, which does not matter for values larger than the "
        "answer. The answer is the smallest that is as good and keeps the limits for errors and p99.",
        table=Table(
            "gaps-figures",
            (positions.heading, "behind the best (limits)", "state"),
            tuple(
                (
                    *cells(positions.names.short(c.configuration)),
                    limited(gap, behind(gap)),
                    *cells(word_in_answer(c, data.recommendation)),
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
