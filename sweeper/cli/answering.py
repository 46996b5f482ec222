"""Prints a study's answer in the format asked for."""

from __future__ import annotations

import json
import sys

from rich.console import Console

from sweeper.answers import Recommendation, Status
from sweeper.cli.where import Where, answer
from sweeper.errors import UsageError
from sweeper.report import formats
from sweeper.report.sentences import basis, confirmation_lines, findings_lines, headline, why
from sweeper.report.table import candidates_table
from sweeper.report.trials import search_lines, trials_table

FORMATS = ("text", "json", "env", "drum-yaml")
WIDTH = 240  # columns where there is no terminal: more than any table needs


def console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else WIDTH, highlight=False)


def say(out: Console, *lines: str) -> None:
    """Prose: broken between words on a terminal, one line each elsewhere."""
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=not out.is_terminal)


def say_as_is(out: Console, *lines: str) -> None:
    """What is to be copied, however wide the terminal."""
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def exit_code(recommendation: Recommendation) -> int:
    return 0 if recommendation.status in (Status.RECOMMENDED, Status.PROVISIONAL) else 1


def print_recommendation(where: Where, output: str) -> int:
    if output not in FORMATS:
        raise UsageError(f"--format '{output}': must be one of {', '.join(FORMATS)}")
    recommendation = answer(where)
    if output == "text":
        print_text(recommendation, where)
    elif output == "json":
        sys.stdout.write(
            json.dumps(formats.to_json_dict(recommendation), indent=2, ensure_ascii=False) + "\n"
        )
    elif output == "env":
        sys.stdout.write(formats.to_env(recommendation))
    else:
        sys.stdout.write(formats.to_drum_yaml(recommendation).text)
    return exit_code(recommendation)


def print_text(recommendation: Recommendation, where: Where) -> None:
    out = console()
    if recommendation.search is not None:
        out.print(trials_table(recommendation.search))
        out.print()
    if recommendation.candidates:
        out.print(candidates_table(recommendation))
        out.print()
    lines = [headline(recommendation), recommendation.reason]
    paragraph = why(recommendation)
    lines += ([paragraph] if paragraph else []) + [basis(recommendation)]
    lines += search_lines(recommendation)
    lines += confirmation_lines(recommendation)
    lines += findings_lines(recommendation.findings)
    say(out, *lines, "")
    name = f"{recommendation.study}{where.flags}"
    if recommendation.workers is not None and not recommendation.own_server:
        say_as_is(out, f"To paste:   sweeper recommend {name} --format env   (or drum-yaml)")
    runs = where.studies_dir / recommendation.study / "runs.csv"
    say_as_is(
        out,
        f"Look at it: sweeper report {name}   (a page for the browser){where.password_note}",
        f"Read more:  sweeper recommend {name} --format json; every run is in {runs}",
    )
