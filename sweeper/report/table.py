"""The candidates of a study as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.table import Table

from sweeper.answers import Candidate, Interval, Recommendation
from sweeper.records import Configuration, Objective
from sweeper.report.text import milliseconds, run_counts, valid_blocks


def candidates_table(recommendation: Recommendation) -> Table:
    """One row per configuration; intervals are of the geometric mean over blocks."""
    table = Table(
        title=f"{recommendation.study}: {valid_blocks(recommendation)}",
        title_justify="left",
        caption=(
            f"±: {recommendation.confidence:.0%} interval over blocks, from 3 blocks on. behind: "
            f"{behind_means(recommendation.objective)}, with limits"
        ),
        caption_justify="left",
        box=None,
        pad_edge=False,
    )
    parts = varied([candidate.configuration for candidate in recommendation.candidates])
    columns = (
        *parts,
        "runs",
        "requests/s",
        "behind",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "errors",
        "CPU ms/req",
        "switches/req",
        "",
    )
    for name in columns:
        table.add_column(name, justify="left" if name == "" else "right", no_wrap=True)
    for candidate in recommendation.candidates:
        table.add_row(*_cells(candidate, recommendation, parts))
    return table


def varied(configurations: Iterable[Configuration]) -> dict[str, Callable[[Configuration], object]]:
    """What tells these configurations apart, by the heading it has in a table: the workers, and whatever else
    is not the same for all."""
    seen = tuple(configurations)
    parts: dict[str, Callable[[Configuration], object]] = {
        "workers": lambda c: c.workers,
        "model threads": lambda c: c.model_threads,
        "processes": lambda c: c.processes,
    }
    for name in sorted({name for c in seen for name, _ in c.parameters}):
        parts[name] = lambda c, name=name: dict(c.parameters).get(name)  # type: ignore[misc]
    return {
        name: part for name, part in parts.items() if name == "workers" or len({part(c) for c in seen}) > 1
    }


def _cells(
    candidate: Candidate,
    recommendation: Recommendation,
    parts: dict[str, Callable[[Configuration], object]],
) -> tuple[str, ...]:
    # Before the end there is none: what looks best after a block nobody planned to look at is no answer.
    chosen = recommendation.complete and candidate.configuration == recommendation.configuration
    p99 = _latency(candidate, "p99")
    if p99 != "-" and candidate.p99_is_lower_bound:
        p99 = f"≥ {p99}"
    switches = candidate.voluntary_switches_per_request
    involuntary = candidate.involuntary_switches_per_request
    first, *rest = (str(part(candidate.configuration)) for part in parts.values())
    return (
        ("→ " if chosen else "") + first,
        *rest,
        run_counts(candidate.runs, candidate.suspect_runs, candidate.failed_runs),
        half_width(candidate.rps, candidate.blocks),
        behind(candidate.relative_to_best),
        _latency(candidate, "p50"),
        _latency(candidate, "p95"),
        p99,
        "-" if candidate.error_rate is None else f"{candidate.error_rate:.1%}",
        _number(candidate.cpu_ms_per_request, 1),
        _number(None if switches is None or involuntary is None else switches + involuntary, 1),
        "the answer" if chosen else state_word(candidate),
    )


def state_word(candidate: Candidate) -> str:
    """What a look has shown of it."""
    if candidate.eliminated_after is not None:
        return f"dropped after block {candidate.eliminated_after}"
    return {"acceptable": "as good", "excluded": "excluded", "unsettled": "unsettled"}[candidate.state]


def half_width(interval: Interval | None, blocks: int) -> str:
    """Two blocks do give an interval, but one as wide as the figure itself."""
    if interval is None:
        return "-"
    if interval.low is None or interval.high is None or blocks < 3:
        return f"{interval.mean:.1f}"
    return f"{interval.mean:.1f} ±{max(interval.high - interval.mean, interval.mean - interval.low):.1f}"


def behind(interval: Interval | None) -> str:
    """0.12 (0.08 to 0.17) as `12% (8..17)`: an unknown upper end is open."""
    if interval is None or interval.low is None:
        return "-"
    high = "?" if interval.high is None else f"{interval.high * 100:.0f}"
    return f"{interval.mean:.0%} ({interval.low * 100:.0f}..{high})"


def behind_means(objective: Objective) -> str:
    return (
        "by how much throughput is below that of the best other value"
        if objective is Objective.THROUGHPUT
        else "by how much the p99 of the best other value is lower"
    )


def _latency(candidate: Candidate, name: str) -> str:
    interval = candidate.latency_ms.get(name)
    return "-" if interval is None else milliseconds(interval.mean)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
