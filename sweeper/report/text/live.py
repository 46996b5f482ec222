"""What a study under way looks like: the candidates as bars, each run in a line."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from sweeper.records.answer import Candidate, Interval, Recommendation
from sweeper.records.run import Bound, Capacity, Objective, RunPlan, RunRecord
from sweeper.records.wording import duration, three_digits
from sweeper.report.text.candidates import behind, half_width, state_word

CELLS = 41
SPAN = 4  # tolerances from the left end of the axis to the right one, the same after every block
STYLES = {"as good": "green", "unsettled": "yellow"}


def bars(so_far: Recommendation) -> Table:
    """A row for each candidate: the interval of its distance to the best, which shrinks from block to block
    until it lies on one side of the tolerance."""
    table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column(_axis(so_far.tolerance), no_wrap=True, width=CELLS)
    table.add_column("behind", justify="right", no_wrap=True)
    capacity = so_far.objective is Objective.CAPACITY
    table.add_column("capacity" if capacity else "requests/s", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for candidate in so_far.candidates:
        word = state_word(candidate)
        table.add_row(
            candidate.configuration.label,
            _bar(candidate, so_far.tolerance),
            behind(candidate.relative_to_best),
            half_width(candidate.most_rps(so_far.objective), candidate.blocks),
            word,
            style=STYLES.get(word, "dim"),
        )
    return table


def _axis(tolerance: float) -> Text:
    """`0%        5%        10% …` over the cells where these are."""
    text = [" "] * CELLS
    for part in range(SPAN + 1):
        label = f"{part * _end(tolerance) / SPAN * 100:.3g}%"
        start = min(part * (CELLS - 1) // SPAN, CELLS - len(label))
        text[start : start + len(label)] = label
    return Text("".join(text))


def _bar(candidate: Candidate, tolerance: float) -> str:
    """`├──●──┼─┤` with the tolerance at `┊` or `┼`; `▸` goes on beyond the right end."""
    text = [" "] * CELLS
    text[_cell(tolerance, tolerance)] = "┊"
    distance: Interval | None = candidate.relative_to_best
    if distance is None:
        return "".join(text)
    if distance.low is not None and distance.high is not None:
        first, last = _cell(distance.low, tolerance), _cell(distance.high, tolerance)
        mark = _cell(tolerance, tolerance)
        text[first : last + 1] = ("┼" if cell == mark else "─" for cell in range(first, last + 1))
        text[first], text[last] = "├", "┤"
        if distance.high > _end(tolerance):
            text[-1] = "▸"
    text[_cell(distance.mean, tolerance)] = "●" if distance.mean <= _end(tolerance) else "▸"
    return "".join(text)


def _cell(share: float, tolerance: float) -> int:
    """Of the axis; what lies beyond an end is at that end."""
    return round(min(1.0, max(0.0, share / _end(tolerance))) * (CELLS - 1))


def _end(tolerance: float) -> float:
    """The right end of the axis, as a share of the best."""
    return SPAN * tolerance if tolerance > 0 else 0.2


def stage(plan: RunPlan) -> str:
    """Where in a study a run belongs: `search 1`, `block 3`, `open loop 1` in the confirmation, or the block
    of a scenario."""
    return f"{plan.scenario or plan.kind} {plan.block}"


def run_line(record: RunRecord, label_width: int = 12) -> str:
    """One finished run in one line; `label_width` is that of the longest label beside it."""
    figures = record.figures
    codes = ", ".join(finding.code for finding in record.findings if finding.severity != "info")
    name = f"{stage(record.plan)}  {record.plan.label:<{label_width}}"
    if figures is None:
        why = record.findings[0].message if record.findings else ""
        return f"{name} {record.verdict.value}  {codes}: {why}"
    if figures.capacity is not None:
        found = capacity_in_words(figures.capacity)
        text = f"{name} {found:>40}   {duration(record.elapsed_s)}   {record.verdict.value}"
        return f"{text} ({codes})" if codes else text
    text = (
        f"{name} {figures.rps:8.1f} requests/s   p50 {three_digits(figures.latency.p50_ms):>6} ms   "
        f"p99 {three_digits(figures.latency.p99_ms):>6} ms   {duration(record.elapsed_s)}   "
        f"{record.verdict.value}"
    )
    return f"{text} ({codes})" if codes else text


def capacity_in_words(capacity: Capacity) -> str:
    """`63.1 requests/s within the SLO`, or the bound."""
    bound = "" if capacity.bound is Bound.EXACT else f"{capacity.bound} "
    return f"{bound}{capacity.rps:.1f} requests/s within the SLO"
