"""Prints what a comparison of two servers shows."""

from __future__ import annotations

from sweeper.cli.answering import console
from sweeper.cli.where import Where
from sweeper.report.scenarios import outcome_lines, outcome_table
from sweeper.scenarios.outcome import Outcome


def print_outcome(seen: Outcome, where: Where) -> None:
    out = console()
    if seen.loads:
        out.print(outcome_table(seen))
        out.print()
    folder = where.studies_dir / seen.study
    read_more = f"Read more:  sweeper scenarios --study {seen.study}{where.flags} --json; every run is in "
    for line in (*outcome_lines(seen), "", f"{read_more}{folder / 'runs.csv'}"):
        out.print(line, markup=False, soft_wrap=True)


def outcome_exit_code(seen: Outcome) -> int:
    """1 where nothing was measured: neither a load with both servers, nor one that a server bears."""
    compared = any(load.ratios for load in seen.loads)
    return 0 if compared or any(one.last_good for one in seen.stress) else 1
