"""Prints what a comparison of two servers shows."""

from __future__ import annotations

from sweeper.cli.answering import console, say, say_as_is
from sweeper.cli.where import Where
from sweeper.report.scenarios import outcome_lines, outcome_table
from sweeper.scenarios.outcome import Outcome


def print_outcome(seen: Outcome, where: Where) -> None:
    out = console()
    if seen.loads:
        out.print(outcome_table(seen))
        out.print()
    say(out, *outcome_lines(seen), "")
    name = f"{seen.study}{where.flags}"
    runs = where.studies_dir / seen.study / "runs.csv"
    say_as_is(
        out,
        f"Look at it: sweeper report {name}   (a page for the browser)",
        f"Read more:  sweeper scenarios --study {name} --json; every run is in {runs}",
    )


def outcome_exit_code(seen: Outcome) -> int:
    """1 where nothing was measured: neither a load with both servers, nor one that a server bears."""
    compared = any(load.ratios for load in seen.loads)
    return 0 if compared or any(one.last_good for one in seen.stress) else 1
