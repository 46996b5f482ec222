"""The trials of a search as a table, and what they say in words."""

from __future__ import annotations

from rich.table import Table

from sweeper.records.answer import Recommendation
from sweeper.records.run import Objective
from sweeper.records.search import Search, Trial
from sweeper.records.wording import Names, three_digits
from sweeper.report.text.tables import share, varied
from sweeper.statistics.criteria import SIGN

UNITS = {Objective.THROUGHPUT: "requests/s", Objective.P99: "p99 ms", Objective.CAPACITY: "capacity"}


def trials_table(search: Search, most: int = 30) -> Table:
    """The best trials first, `most` of them; figures with the host's changes taken out."""
    tried = [trial for trial in search.trials if trial.runs]
    parts = varied([trial.configuration for trial in tried])
    shown = objectives_shown(search)
    table = Table(
        title=f"search: {len(tried)} of {search.wanted} configurations",
        title_justify="left",
        caption="figures corrected for changes of the host; they choose the finalists, whose blocks decide",
        caption_justify="left",
        box=None,
        pad_edge=False,
    )
    for name in ("trial", *parts, "runs", *(UNITS[objective] for objective in shown), "errors", ""):
        table.add_column(name, justify="left" if name == "" else "right", no_wrap=True)
    ranked = sorted(tried, key=lambda trial: _rank(trial, search))
    for trial in ranked[:most]:
        table.add_row(
            str(trial.number),
            *(str(part(trial.configuration)) for part in parts.values()),
            str(trial.runs),
            *(figure(trial.figure(objective), objective) for objective in shown),
            share(trial.error_rate),
            remark(trial, search),
        )
    return table


def _rank(trial: Trial, search: Search) -> tuple[bool, float]:
    if not trial.values:
        return True, 0.0
    return False, -SIGN[search.objectives[0]] * trial.values[0]


def objectives_shown(search: Search) -> tuple[Objective, ...]:
    """All of them, what is aimed at first."""
    others = () if Objective.CAPACITY in search.objectives else (Objective.THROUGHPUT, Objective.P99)
    return tuple(dict.fromkeys((*search.objectives, *others)))


def figure(value: float | None, objective: Objective) -> str:
    if value is None:
        return "-"
    return three_digits(value) if objective is Objective.P99 else f"{value:,.1f}"


def remark(trial: Trial, search: Search) -> str:
    """What became of it, in a few words."""
    remarks = []
    if trial.configuration in search.finalists:
        remarks.append("finalist")
    if len(search.objectives) > 1 and trial.number in search.front:
        remarks.append("on the front")
    if trial.stopped:
        remarks.append(f"given up: {trial.stopped}")
    elif not trial.measured_runs:
        remarks.append("no figures")
    return ", ".join(remarks)


def search_lines(recommendation: Recommendation) -> tuple[str, ...]:
    """What the search did, in a line or two; nothing without one."""
    search = recommendation.search
    if search is None:
        return ()
    tried = [trial for trial in search.trials if trial.runs]
    runs = sum(trial.runs for trial in tried)
    given_up = sum(1 for trial in tried if trial.stopped)
    known = ", all there are" if search.wanted >= search.space_size else f" of {search.space_size:,}"
    lines = [
        f"Search: {len(tried)} configurations{known}, {runs} runs with those of the finalists' blocks"
        + (f", {given_up} given up early" if given_up else "")
        + "."
    ]
    trade = _trade(search, recommendation)
    return (*lines, trade) if trade else tuple(lines)


def _trade(search: Search, recommendation: Recommendation) -> str:
    """With two objectives: what the other end of the front would cost."""
    answer = recommendation.configuration
    own = next((trial for trial in search.trials if trial.configuration == answer), None)
    if len(search.objectives) < 2 or own is None or not own.values:
        return ""
    on_front = [trial for trial in search.trials if trial.number in search.front]
    second_sign = SIGN[search.objectives[1]]
    other = max(on_front, key=lambda trial: second_sign * trial.values[1], default=None)
    if other is None or other.configuration == answer:
        return f"No configuration that keeps the limits has a better {search.objectives[1]} than the answer."
    names = Names(trial.configuration for trial in search.trials)
    first, second = (f"{(b - a) / a:+.0%}" for a, b in zip(own.values, other.values, strict=True))
    return (
        f"The answer is chosen by {search.objectives[0]}. The best {search.objectives[1]} within the limits "
        f"is that of {names.full(other.configuration)}: {search.objectives[1]} {second}, "
        f"{search.objectives[0]} {first} compared with the answer (figures of all runs)."
    )
