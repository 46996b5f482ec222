"""A study of several loads as a table: worker counts by loads, with what each load says of each count."""

from __future__ import annotations

from rich.table import Table

from sweeper.records.answer import Candidate, Interval, Recommendation, SeveralLoads, UnderLoad
from sweeper.records.configuration import Configuration
from sweeper.records.run import Objective
from sweeper.records.wording import counted, load_in_words, three_digits
from sweeper.report.text.candidates import marked, word_in_answer
from sweeper.report.text.tables import varied

MARKS = {"acceptable": "=", "excluded": "x", "unmeasured": "x", "unsettled": "?"}
BEST, OWN = "*", "→"
LEGEND = (
    "*: best under this load. =: within {tolerance:.0%} of that. ?: not settled. x: excluded under this load."
)
OWN_LEGEND = " →: the answer under this load alone."


def loads_table(recommendation: Recommendation) -> Table:
    """A row for each configuration, a column for each load; a cell is the objective with its mark."""
    loads = recommendation.loads
    assert loads is not None
    table = Table(box=None, pad_edge=False)
    parts = varied([candidate.configuration for candidate in recommendation.candidates])
    for name in parts:
        table.add_column(name, justify="right", no_wrap=True)
    for heading in headings(loads):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for candidate in recommendation.candidates:
        first, *rest = (str(part(candidate.configuration)) for part in parts.values())
        table.add_row(
            marked(candidate, recommendation) + first,
            *rest,
            *(cell(one, candidate.configuration, recommendation) for one in loads.under),
            word_in_answer(candidate, recommendation),
        )
    return table


def loads_title(recommendation: Recommendation) -> str:
    loads = recommendation.loads
    most = max((one.blocks for one in loads.under), default=0) if loads is not None else 0
    blocks = counted(most, "valid block")
    if most > recommendation.blocks:  # a load that keeps nothing open rests
        blocks = f"{recommendation.blocks} to {blocks}"
    return f"{recommendation.study}: {blocks} under each load; {unit(recommendation.objective)}"


def unit(objective: Objective) -> str:
    return "requests/s" if objective is Objective.THROUGHPUT else "p99 in ms"


def legend(recommendation: Recommendation) -> str:
    disagree = recommendation.loads is not None and recommendation.loads.disagree
    return LEGEND.format(tolerance=recommendation.tolerance) + (OWN_LEGEND if disagree else "")


def headings(loads: SeveralLoads) -> list[str]:
    """`10 users`, or `20/s` at random."""
    if loads.at_random:
        return [f"{one.load:g}/s" for one in loads.under]
    return [load_in_words(one.load, at_random=False) for one in loads.under]


def cell(under: UnderLoad, configuration: Configuration, recommendation: Recommendation) -> str:
    """`52.0 =`; a dash without a valid run."""
    candidate = under.candidate(configuration)
    figure = objective_of(candidate, recommendation.objective)
    if figure is None:
        shown = "-"
    elif recommendation.objective is Objective.THROUGHPUT:
        shown = f"{figure.mean:.1f}"
    else:
        shown = ("≥ " if candidate.p99_is_lower_bound else "") + three_digits(figure.mean)
    best = candidate.state == "acceptable" and configuration == best_under(under, recommendation.objective)
    disagree = recommendation.loads is not None and recommendation.loads.disagree
    own = OWN if disagree and configuration == under.configuration else ""
    return f"{own}{shown} {BEST if best else MARKS[candidate.state]}"


def objective_of(candidate: Candidate, objective: Objective) -> Interval | None:
    return candidate.rps if objective is Objective.THROUGHPUT else candidate.latency_ms.get("p99")


def best_under(under: UnderLoad, objective: Objective) -> Configuration | None:
    """The configuration with the smallest estimated gap to the best; None if none was compared."""
    compared = [
        (gap.mean, one.configuration)
        for one in under.candidates
        if (gap := one.relative_to_best) is not None and one.state != "excluded"
    ]
    return min(compared)[1] if compared else None
