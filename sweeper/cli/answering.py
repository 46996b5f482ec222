"""Prints a study's answer in the format asked for."""

from __future__ import annotations

import json
import sys

from rich.console import Console

from sweeper.answers import Recommendation, Status
from sweeper.cli.where import Where, answer
from sweeper.errors import UsageError
from sweeper.report import formats
from sweeper.report.table import (
    basis,
    candidates_table,
    confirmation_lines,
    findings_lines,
    headline,
    why,
)
from sweeper.report.trials import search_lines, trials_table

FORMATS = ("text", "json", "env", "drum-yaml")
WIDTH = 130  # columns the table needs when nobody's terminal says otherwise


def console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else WIDTH, highlight=False)


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
    command = f"sweeper recommend {recommendation.study}{where.flags}"
    if recommendation.workers is not None:
        lines += ["", f"To paste:   {command} --format env   (or drum-yaml){where.password_note}"]
    runs = where.studies_dir / recommendation.study / "runs.csv"
    lines += [f"Read more:  {command} --format json; every run is in {runs}"]
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
