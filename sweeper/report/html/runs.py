"""Every run as a row of a table that can be sorted, and what was remarked on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from sweeper.records import Finding, RunFigures, RunRecord, Verdict
from sweeper.report.html.material import AnyMaterial
from sweeper.report.html.parts import Cell, Part, Remarks, Section, Table, Text, cells, number
from sweeper.report.run_lines import stage
from sweeper.report.sentences import severest_first
from sweeper.report.table import varied
from sweeper.report.text import duration, milliseconds

FIGURES = (
    "requests/s", "p50 ms", "p95 ms", "p99 ms", "errors", "CPU ms/req", "switches/req", "memory MB",
    "warm-up s",
)  # fmt: skip
ORDER = {Verdict.VALID: 0, Verdict.SUSPECT: 1, Verdict.FAILED: 2}


def runs(material: AnyMaterial) -> Section:
    if not material.records:
        return Section("runs", "Runs", "Every run", (Text("No run has been made yet.", "note"),))
    counts = Counter(record.verdict for record in material.records)
    said = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    lead = (
        f"{len(material.records)} run{'' if len(material.records) == 1 else 's'}, begun "
        f"{_days(material.records)}: {said}. Only valid ones count, and of those only the runs of blocks "
        "decide, not those of a search or in open loop. A click on a heading sorts."
    )
    parts: list[Part] = [Text(lead), _table(material)]
    remarks = _remarks(material.records)
    if remarks:
        parts.append(Remarks(remarks))
    return Section("runs", "Runs", "Every run", tuple(parts))


def _table(material: AnyMaterial) -> Table:
    parts = _parts(material.records)
    several = len({record.host for record in material.records}) > 1
    rows = []
    for order, record in enumerate(material.records):
        rows.append(
            (
                Cell(record.plan.run_id, order),
                Cell(stage(record.plan) + (", A/A" if record.plan.sentinel else ""), order),
                *(_value(part(record)) for part in parts.values()),
                Cell(record.verdict.value, ORDER[record.verdict], record.verdict.value),
                *_figures(record.figures),
                Cell(" ".join(f.code for f in record.findings), kind="findings"),
                *([Cell(record.host)] if several else []),
                Cell(record.started_at[11:19], order),
                Cell(duration(record.elapsed_s), record.elapsed_s),
            )
        )
    columns = (
        "run", "stage", *parts, "verdict", *FIGURES, "findings", *(["host"] if several else []),
        "begun (UTC)", "took",
    )  # fmt: skip
    numbers = frozenset(i for i, name in enumerate(columns) if name in (*parts, *FIGURES, "took"))
    return Table("runs-table", columns, tuple(rows), right=numbers, sortable=True)


def _parts(records: Sequence[RunRecord]) -> Mapping[str, Callable[[RunRecord], object]]:
    """What tells runs apart: server and users in scenarios, else what their configurations differ by."""
    if any(record.plan.case is not None for record in records):
        return {
            "server": lambda r: r.plan.case.server if r.plan.case else None,
            "users": lambda r: r.plan.case.users if r.plan.case else None,
        }
    found = varied([record.configuration for record in records])
    return {name: lambda r, part=part: part(r.configuration) for name, part in found.items()}  # type: ignore[misc]


def _days(records: Sequence[RunRecord]) -> str:
    days = sorted({record.started_at[:10] for record in records})
    return f"on {days[0]}" if len(days) == 1 else f"from {days[0]} to {days[-1]}"


def _value(value: object) -> Cell:
    return Cell(str(value), value if isinstance(value, int) else None)


def _figures(figures: RunFigures | None) -> tuple[Cell, ...]:
    if figures is None:
        return cells(*(["-"] * len(FIGURES)))
    latency = figures.latency
    switches = figures.voluntary_switches_per_request + figures.involuntary_switches_per_request
    return (
        number(figures.rps, f"{figures.rps:.1f}"),
        number(latency.p50_ms, milliseconds(latency.p50_ms)),
        number(latency.p95_ms, milliseconds(latency.p95_ms)),
        number(latency.p99_ms, ("≥ " if latency.censored else "") + milliseconds(latency.p99_ms)),
        number(figures.error_rate, f"{figures.error_rate:.1%}"),
        number(figures.cpu_ms_per_request, f"{figures.cpu_ms_per_request:.1f}"),
        number(switches, f"{switches:.1f}"),
        number(figures.peak_rss_bytes, f"{figures.peak_rss_bytes / 1e6:,.0f}"),
        number(figures.warmup_s, f"{figures.warmup_s:.1f}"),
    )


def _remarks(records: tuple[RunRecord, ...]) -> tuple[tuple[str, str, str], ...]:
    """One for each code, with the message of the first run that has it, worst first."""
    found = [(record, finding) for record in records for finding in record.findings]
    count = Counter(finding.code for _, finding in found)
    first: dict[str, tuple[RunRecord, Finding]] = {}
    for record, finding in found:
        first.setdefault(finding.code, (record, finding))
    remarks = []
    for finding in severest_first(finding for _, finding in first.values()):
        many, record = count[finding.code], first[finding.code][0]
        where = f"{many} run{'' if many == 1 else 's'}, the first {record.plan.run_id}"
        remarks.append((finding.severity.value, finding.code, f"{where}: {finding.message}"))
    return tuple(remarks)
