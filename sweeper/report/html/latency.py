"""How latencies are distributed: the share answered within a time, and the tail on a log axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from sweeper.records import Configuration, FloatArray
from sweeper.report.html.material import Material
from sweeper.report.html.parts import Cell, Figure, Figures, Part, Section, Table, Text, cells, number
from sweeper.report.html.positions import Positions
from sweeper.report.html.style import DASHES, SERIES, drawing, level, log_axis, points
from sweeper.report.text import milliseconds
from sweeper.traces import RunTrace

MOST_LINES = 7
"""As many as there are colours; the others can be switched on in the legend."""
LEAST_MS = 1e-3
"""What is taken for a latency of nothing, which has no logarithm."""
NO_VALID_RUN = "No run is valid, and only those of valid runs are shown."
TAIL = (0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)


@dataclass(frozen=True, slots=True)
class Distribution:
    """The latencies of one configuration: at each share the geometric mean over its runs, NaN where not all
    of them reach that far."""

    configuration: Configuration
    runs: int
    shares: FloatArray
    mean: FloatArray
    never_finished: int

    def at(self, share: float) -> float | None:
        value = float(self.mean[int(np.argmin(np.abs(self.shares - share)))])
        return value if np.isfinite(value) else None


def latency(material: Material) -> Section | None:
    found = [d for c in material.configurations if (d := _distribution(c, material)) is not None]
    if not found:
        return None if not material.decisive else Section(
            "latency", "Latency", "Latency distributions", (Text(absence(material) or NO_VALID_RUN, "note"),)
        )  # fmt: skip
    positions = Positions(material.configurations)
    parts: list[Part] = [
        Text(
            "Latencies of the requests started in the windows of the valid runs. Each line is the geometric "
            "mean over the runs of one configuration, so that every run counts alike."
        ),
        Figures((_ecdf(found, positions, material), _tail(found, positions, material))),
    ]
    never = sum(d.never_finished for d in found)
    if never:
        parts.append(
            Text(
                f"{never:,} request{'' if never == 1 else 's'} never finished, and "
                f"{'counts' if never == 1 else 'count'} as slower than all others.",
                "note",
            )
        )
    said = absence(material)
    if said:
        parts.append(Text(said, "note"))
    return Section("latency", "Latency", "Latency distributions", tuple(parts))


def absence(material: Material) -> str:
    """What is not drawn because its raw requests cannot be read here."""
    if not material.absent:
        return ""
    count = len(material.absent)
    hosts = sorted({r.host for r in material.records if r.plan.run_id in material.absent and r.host})
    where = f" (made on {', '.join(hosts)})" if hosts else ""
    first = next(iter(material.absent.values()))
    return (
        f"The raw requests of {count} run{'' if count == 1 else 's'}{where} are not on this machine or "
        "cannot be read, so that the pictures are without them: copy those runs' folders to runs/ in this "
        f"study's folder and make the report again. The first: {first}."
    )


def _distribution(configuration: Configuration, material: Material) -> Distribution | None:
    ids = [record.plan.run_id for record in material.runs_of(configuration)]
    own: list[RunTrace] = [material.traces[run_id] for run_id in ids if run_id in material.traces]
    if not own or not any(trace.requests for trace in own):
        return None
    stack = np.vstack([trace.latency_ms for trace in own])
    return Distribution(
        configuration=configuration,
        runs=len(own),
        shares=own[0].shares,
        mean=np.exp(np.log(np.maximum(stack, LEAST_MS)).mean(axis=0)),
        never_finished=sum(trace.never_finished for trace in own),
    )


def _first(found: Sequence[Distribution], material: Material) -> set[Configuration]:
    """Those shown at once: the answer, the reference, then the others in order."""
    wanted = [c for c in (material.answer, material.reference) if c is not None]
    ranked = [*wanted, *(d.configuration for d in found if d.configuration not in wanted)]
    return set(ranked[:MOST_LINES])


def _lines(
    found: Sequence[Distribution], positions: Positions, material: Material, *, tail: bool
) -> list[go.Scatter]:
    shown = _first(found, material)
    traces = []
    for index, one in enumerate(found):
        known = np.isfinite(one.mean)
        shares, values = one.shares[known], one.mean[known]
        is_answer = one.configuration == material.answer
        beyond = points(1 - shares, 5)
        percent = [f"{share * 100:.6g}%" for share in shares]
        traces.append(
            go.Scatter(
                x=beyond if tail else points(values),
                y=points(values) if tail else points(shares * 100),
                text=percent,
                mode="lines",
                name=positions.names.full(one.configuration) + (" (the answer)" if is_answer else ""),
                line={
                    "color": SERIES[index % len(SERIES)],
                    "dash": DASHES[index % len(DASHES)],
                    "width": 3.5 if is_answer else 2,
                },
                visible=True if one.configuration in shown else "legendonly",
                hovertemplate="%{text} within "
                + ("%{y:,.4g}" if tail else "%{x:,.4g}")
                + " ms<extra>%{fullData.name}</extra>",
            )
        )
    return traces


def _ecdf(found: Sequence[Distribution], positions: Positions, material: Material) -> Figure:
    return Figure(
        name="ecdf",
        title="Answered within",
        drawing=drawing(
            _lines(found, positions, material, tail=False),
            x=log_axis("latency (ms, log scale)", _reach(found)),
            y={"title": {"text": "share of requests (%)"}, "range": [0, 101]},
            height=400,
        ),
        says="Cumulative distribution of latency by configuration. " + _in_words(found, positions, 0.5),
        table=_table(found, positions, "ecdf-figures", (0.1, 0.25, 0.5, 0.75, 0.9)),
    )


def _tail(found: Sequence[Distribution], positions: Positions, material: Material) -> Figure:
    reached = [float(d.shares[np.isfinite(d.mean)].max(initial=0.5)) for d in found]
    ticks = [share for share in TAIL if share <= max(reached) + 1e-9]
    beyond = max(1 - max(reached), 1e-7)
    traces = _lines(found, positions, material, tail=True)
    if material.slo_p99_ms is not None:
        traces.append(level(material.slo_p99_ms, f"SLO of p99: {material.slo_p99_ms:g} ms", (1.0, beyond)))
    return Figure(
        name="tail",
        title="The slowest",
        drawing=drawing(
            traces,
            x={
                "title": {"text": "percentile (log scale)"},
                "type": "log",
                "range": [0, float(np.log10(beyond))],
                "tickvals": [round(1 - share, 7) for share in ticks],
                "ticktext": [f"p{share * 100:.5g}" for share in ticks],
            },
            y=log_axis("latency (ms, log scale)", _reach(found)),
            height=400,
        ),
        says="Percentiles of latency by configuration, up to the tail. " + _in_words(found, positions, 0.99),
        table=_table(found, positions, "tail-figures", tuple(sorted({*ticks, 0.95}))),
    )


def _reach(found: Sequence[Distribution]) -> list[float]:
    return [float(value) for one in found for value in one.mean[np.isfinite(one.mean)]]


def _in_words(found: Sequence[Distribution], positions: Positions, share: float) -> str:
    said = [
        f"{positions.names.full(d.configuration)} {milliseconds(value)} ms"
        for d in found
        if (value := d.at(share)) is not None
    ]
    return f"p{share * 100:g}: {', '.join(said)}."


def _table(
    found: Sequence[Distribution], positions: Positions, name: str, shares: tuple[float, ...]
) -> Table:
    rows = []
    for one in found:
        values = [one.at(share) for share in shares]
        rows.append(
            (
                *cells(positions.names.short(one.configuration)),
                Cell(str(one.runs), one.runs),
                *(number(value, None if value is None else milliseconds(value)) for value in values),
            )
        )
    kind = "workers" if positions.by_count else "configuration"
    columns = (kind, "runs", *(f"p{share * 100:.5g} ms" for share in shares))
    return Table(name, columns, tuple(rows), right=frozenset(range(1, len(columns))))
