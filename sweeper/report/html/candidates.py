"""The configurations that the blocks compare, as a table."""

from __future__ import annotations

from sweeper.answers import Candidate, Interval
from sweeper.report.html.material import Material
from sweeper.report.html.parts import Cell, Table, cells, number
from sweeper.report.table import behind_means, varied
from sweeper.report.text import milliseconds, run_counts

FIGURES = ("runs", "requests/s", "behind the best", "p50 ms", "p95 ms", "p99 ms", "errors", "state")


def candidates_table(material: Material) -> Table:
    candidates = material.candidates
    parts = varied([candidate.configuration for candidate in candidates])
    rows = tuple(
        (*cells(*(str(part(c.configuration)) for part in parts.values())), *_figures(c, material))
        for c in candidates
    )
    columns = (*parts, *FIGURES)
    return Table(
        name="candidates",
        columns=columns,
        rows=rows,
        right=frozenset(range(len(columns) - 1)),
        marked=frozenset(i for i, c in enumerate(candidates) if c.configuration == material.answer),
        caption=f"Geometric means over blocks, with {material.recommendation.confidence:.0%} intervals from "
        f"three blocks on. Behind: {behind_means(material.recommendation.objective)}, with the limits that "
        "decide.",
    )


def _figures(candidate: Candidate, material: Material) -> tuple[Cell, ...]:
    gap = candidate.relative_to_best
    errors = candidate.error_rate
    return (
        Cell(run_counts(candidate.runs, candidate.suspect_runs, candidate.failed_runs), candidate.runs),
        number(candidate.rps.mean if candidate.rps else None, rate(candidate.rps, candidate.blocks)),
        number(gap.mean if gap else None, behind(gap)),
        *(latency(candidate, name) for name in ("p50", "p95", "p99")),
        number(errors, None if errors is None else f"{errors:.1%}"),
        Cell(state(candidate, material)),
    )


def rate(interval: Interval | None, blocks: int) -> str | None:
    if interval is None:
        return None
    if interval.low is None or interval.high is None or blocks < 3:
        return f"{interval.mean:.1f}"
    return f"{interval.mean:.1f} ({interval.low:.1f} to {interval.high:.1f})"


def latency(candidate: Candidate, name: str) -> Cell:
    interval = candidate.latency_ms.get(name)
    if interval is None:
        return number(None, None)
    bound = "≥ " if name == "p99" and candidate.p99_is_lower_bound else ""
    return number(interval.mean, bound + milliseconds(interval.mean))


def behind(interval: Interval | None) -> str | None:
    """0.12 (0.08 to 0.17) as `12% (8% to 17%)`: an unknown upper end is a question mark."""
    if interval is None or interval.low is None:
        return None
    high = "?" if interval.high is None else f"{interval.high:.0%}"
    return f"{interval.mean:.0%} ({interval.low:.0%} to {high})"


def state(candidate: Candidate, material: Material) -> str:
    if candidate.configuration == material.answer:
        return "the answer"
    if candidate.eliminated_after is not None:
        return f"dropped after block {candidate.eliminated_after}"
    return {"acceptable": "as good", "excluded": "excluded"}.get(candidate.state, "unsettled")
