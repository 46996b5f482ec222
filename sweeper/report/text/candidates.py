"""The candidates of a recommendation as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from rich.table import Table

from sweeper.records.answer import Candidate, Interval, Recommendation
from sweeper.records.configuration import Configuration
from sweeper.records.run import Objective
from sweeper.records.wording import counted, three_digits
from sweeper.report.text import economics
from sweeper.report.text.recommendation import under_which
from sweeper.report.text.tables import FEWEST_BLOCKS, run_counts, share, varied

OF_ONE_LOAD = {"p50 ms", "p95 ms", "p99 ms", "errors"}
"""Columns that mean nothing of runs which climb through several rates."""
LEFT_OUT_IF_BRIEF = {"p50 ms", "p95 ms", "CPU ms/req", "switches/req", "throttled ms/req"}


def candidates_table(recommendation: Recommendation, *, brief: bool = False) -> Table:
    """One row per configuration; intervals are of the geometric mean over blocks. The `brief` one fits 100
    columns."""
    table = Table(
        title=f"{recommendation.study}: {counted(recommendation.blocks, 'valid block')}"
        + under_which(recommendation),
        title_justify="left",
        caption=(
            f"±: {recommendation.confidence:.0%} interval over blocks, from {FEWEST_BLOCKS} blocks on. "
            f"behind: {behind_means(recommendation.objective)}, with limits"
        ),
        caption_justify="left",
        box=None,
        pad_edge=False,
    )
    left_out = LEFT_OUT_IF_BRIEF if brief else set()
    if recommendation.objective is Objective.CAPACITY:
        left_out = left_out | OF_ONE_LOAD
    columns = {name: cell for name, cell in _columns(recommendation).items() if name not in left_out}
    for name in columns:
        table.add_column(name, justify="left" if name == "" else "right", no_wrap=True)
    for candidate in recommendation.candidates:
        table.add_row(*(cell(candidate) for cell in columns.values()))
    return table


def _columns(recommendation: Recommendation) -> dict[str, Callable[[Candidate], str]]:
    """What a column says of a candidate, by its heading."""
    rps = "capacity" if recommendation.objective is Objective.CAPACITY else "requests/s"
    unknown = "unavailable" if recommendation.remote else "-"

    parts = varied(candidate.configuration for candidate in recommendation.candidates)
    columns: dict[str, Callable[[Candidate], str]] = {
        **{name: partial(_part, part) for name, part in parts.items()},
        "workers": lambda c: marked(c, recommendation) + str(c.configuration.workers),
        "runs": lambda c: run_counts(c.runs, c.suspect_runs, c.failed_runs),
        rps: lambda c: half_width(c.most_rps(recommendation.objective), c.blocks),
        "behind": lambda c: behind(c.relative_to_best),
        "p50 ms": lambda c: _latency(c, "p50"),
        "p95 ms": lambda c: _latency(c, "p95"),
        "p99 ms": lambda c: _latency(c, "p99", bounded=c.p99_is_lower_bound),
        "errors": lambda c: share(c.error_rate),
        "CPU ms/req": lambda c: _number(c.cpu_ms_per_request, unknown),
        "switches/req": lambda c: _number(_switches(c), unknown),
    }
    if was_throttled(recommendation.candidates):
        columns["throttled ms/req"] = lambda c: _number(c.throttled_ms_per_request)
    for place, name in enumerate(economics.columns(recommendation)):
        columns[name] = partial(_priced, recommendation, place)
    columns[""] = lambda c: word_in_answer(c, recommendation)
    return columns


def _part(part: Callable[[Configuration], object], candidate: Candidate) -> str:
    return str(part(candidate.configuration))


def _priced(recommendation: Recommendation, place: int, candidate: Candidate) -> str:
    return economics.cells(candidate, recommendation)[place]


def _switches(candidate: Candidate) -> float | None:
    voluntary = candidate.voluntary_switches_per_request
    involuntary = candidate.involuntary_switches_per_request
    return None if voluntary is None or involuntary is None else voluntary + involuntary


def _latency(candidate: Candidate, name: str, *, bounded: bool = False) -> str:
    interval = candidate.latency_ms.get(name)
    return "-" if interval is None else ("≥ " if bounded else "") + three_digits(interval.mean)


def _number(value: float | None, unknown: str = "-") -> str:
    return unknown if value is None else f"{value:,.1f}"


def was_throttled(candidates: Iterable[Candidate]) -> bool:
    """Whether a CPU quota ran out in any of their runs: without that, nobody wants to read of it."""
    return any(candidate.throttled_share for candidate in candidates)


def marked(candidate: Candidate, recommendation: Recommendation) -> str:
    """The arrow before the answer."""
    return "→ " if candidate.configuration == recommendation.final else ""


def word_in_answer(candidate: Candidate, recommendation: Recommendation) -> str:
    """What the answer says of it: a value above the answer need not be settled, since it is larger anyway."""
    final = recommendation.final
    if candidate.configuration == final:
        return "the answer"
    if final is not None and final < candidate.configuration and candidate.state == "unsettled":
        return "not needed"
    return state_word(candidate)


def state_word(candidate: Candidate) -> str:
    """What a look has shown of it."""
    if candidate.state == "unmeasured":
        return "could not be measured"
    if candidate.eliminated_after is not None:
        return f"dropped after block {candidate.eliminated_after}"
    return {"acceptable": "as good", "excluded": "excluded", "unsettled": "unsettled"}[candidate.state]


def half_width(interval: Interval | None, blocks: int) -> str:
    """`52.0 ±3.1`; `29.8 ±>29.8` where the interval is wider than anybody would read."""
    if interval is None:
        return "-"
    if interval.low is None or interval.high is None or blocks < FEWEST_BLOCKS:
        return f"{interval.mean:.1f}"
    half = max(interval.high - interval.mean, interval.mean - interval.low)
    sign = "±" if half <= interval.mean else "±>"
    return f"{interval.mean:.1f} {sign}{min(half, interval.mean):.1f}"


def behind(interval: Interval | None) -> str:
    """0.12 (0.08 to 0.17) as `12% (8..17)`: an unknown upper end is open."""
    if interval is None or interval.low is None:
        return "-"
    high = "?" if interval.high is None else f"{interval.high * 100:.0f}"
    return f"{interval.mean:.0%} ({interval.low * 100:.0f}..{high})"


def behind_means(objective: Objective) -> str:
    return {
        Objective.THROUGHPUT: "by how much throughput is below that of the best other value",
        Objective.P99: "by how much the p99 of the best other value is lower",
        Objective.CAPACITY: "by how much the capacity is below that of the best other value",
    }[objective]
