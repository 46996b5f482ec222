"""The answer of a study as text on stdout: `sweeper grid` and its kin end with it, `recommend` shows it."""

from __future__ import annotations

from rich.console import Console

from sweeper.analysis.scenarios.outcome import Outcome
from sweeper.cli.console import console, say, say_as_is
from sweeper.records.answer import Recommendation
from sweeper.records.safe_text import shell_command
from sweeper.report.text.candidates import candidates_table
from sweeper.report.text.economics import economics_line
from sweeper.report.text.gate import gate_line
from sweeper.report.text.one_screen import (
    about_findings,
    short_basis,
    short_blocks,
    short_confirmation,
    short_findings,
    short_why,
)
from sweeper.report.text.recommendation import (
    basis,
    blocks_line,
    confirmation_lines,
    findings_lines,
    headline,
    remote_line,
    why,
)
from sweeper.report.text.scenarios import outcome_lines, outcome_table
from sweeper.report.text.search import search_lines, trials_table
from sweeper.report.text.several_loads import legend, loads_table, loads_title
from sweeper.study.find_packed_study import Place
from sweeper.study.find_study import Where

FORMS = ("env", "docker", "kubernetes", "drum-yaml")
"""Of `sweeper recommend`, for what is pasted."""


def print_recommendation(recommendation: Recommendation, where: Place, *, verbose: bool = False) -> None:
    """On one screen or, `verbose`, all that there is to say."""
    out = console()
    if verbose:
        _print_everything(out, recommendation)
    else:
        _print_one_screen(out, recommendation)
    name = where.arguments_to_find(recommendation.study)
    first, *others = ("kubernetes", "docker", "env") if recommendation.remote else FORMS
    if recommendation.workers is not None and (recommendation.remote or not recommendation.own_server):
        paste = shell_command("recommend", *name, "--format", first)
        say_as_is(out, f"To paste:   {paste}   (or {', '.join(others)})")
    say_as_is(
        out,
        f"Look at it: {shell_command('report', *name)}   (a page for the browser){where.password_note}",
        f"Read more:  {shell_command('recommend', *name, '--verbose')}   (or --format json)",
        f"Every run:  {where.every_run(recommendation.study)}",
    )


def _print_one_screen(out: Console, recommendation: Recommendation) -> None:
    say(out, headline(recommendation), recommendation.reason, "")
    if recommendation.loads is not None:
        _print_loads(out, recommendation)
    elif recommendation.candidates:
        out.print(candidates_table(recommendation, brief=True))
        out.print()
    paragraphs = (
        short_why(recommendation),
        *search_lines(recommendation),
        short_confirmation(recommendation.confirmation),
        short_basis(recommendation),
        short_blocks(recommendation.blocks_made),
        gate_line(recommendation),
        remote_line(recommendation),
        economics_line(recommendation),
        *short_findings(recommendation.findings),
        about_findings(recommendation.findings),
    )
    say(out, *(paragraph for paragraph in paragraphs if paragraph), "")


def _print_loads(out: Console, recommendation: Recommendation) -> None:
    say(out, loads_title(recommendation))
    out.print(loads_table(recommendation))
    say(out, legend(recommendation), "")


def _print_everything(out: Console, recommendation: Recommendation) -> None:
    if recommendation.search is not None:
        out.print(trials_table(recommendation.search))
        out.print()
    if recommendation.loads is not None:
        _print_loads(out, recommendation)
    if recommendation.candidates:
        out.print(candidates_table(recommendation))
        out.print()
    paragraphs = (
        headline(recommendation),
        recommendation.reason,
        why(recommendation),
        basis(recommendation),
        *blocks_line(recommendation.blocks_made),
        gate_line(recommendation),
        remote_line(recommendation),
        economics_line(recommendation),
        *search_lines(recommendation),
        *confirmation_lines(recommendation),
        *findings_lines(recommendation.findings),
        about_findings(recommendation.findings),
    )
    say(out, *(paragraph for paragraph in paragraphs if paragraph), "")


def print_outcome(seen: Outcome, where: Where) -> None:
    out = console()
    if seen.loads:
        out.print(outcome_table(seen))
        out.print()
    explained = about_findings(seen.findings)
    say(out, *outcome_lines(seen), *([explained] if explained else []), "")
    name = (seen.study, *where.words)
    runs = where.every_run(seen.study)
    say_as_is(
        out,
        f"Look at it: {shell_command('report', *name)}   (a page for the browser)",
        f"Read more:  {shell_command('scenarios', '--study', *name, '--json')}   (every run is in {runs})",
    )
