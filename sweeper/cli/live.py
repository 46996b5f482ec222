"""What a person sees while a study runs, on stderr: on a terminal a picture that changes in place below the
finished runs, elsewhere one line for each thing that happens."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from enum import Enum

from rich.console import Console, Group, RenderableType
from rich.live import Live as Region
from rich.spinner import Spinner
from rich.text import Text

from sweeper.analysis.scenarios.outcome import Outcome
from sweeper.checks.turns import says_turns
from sweeper.cli.console import say
from sweeper.records.answer import Recommendation
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding, Severity
from sweeper.records.run import RunPlan, RunRecord
from sweeper.records.scenarios import Scenario
from sweeper.records.search import Search
from sweeper.records.wording import and_join, duration
from sweeper.report.text.candidates import candidates_table
from sweeper.report.text.live import bars, run_line, stage
from sweeper.report.text.recommendation import findings_lines, outlook
from sweeper.report.text.scenarios import hypothesis_line, outcome_table, stress_line
from sweeper.report.text.search import trials_table
from sweeper.report.text.several_loads import legend, loads_table
from sweeper.run.under_load import RunState
from sweeper.study.observer import Progress


class Show(Enum):
    """QUIET is what goes wrong only, VERBOSE also each phase of each run and a table after each block."""

    QUIET = "quiet"
    NORMAL = "normal"
    VERBOSE = "verbose"


class Live:
    """An Observer that prints. Use as a context manager, so that the picture is taken away again."""

    def __init__(self, console: Console, show: Show = Show.NORMAL) -> None:
        self._console = console
        self._show = show
        draws = console.is_terminal and not console.is_dumb_terminal and show is not Show.QUIET
        self._region = Region(console=console, transient=True, auto_refresh=True) if draws else None
        self._picture: tuple[RenderableType, ...] = ()
        self._spinner = Spinner("dots")
        self._progress: Progress | None = None
        self._spent_s: dict[str, float] = {}  # on each run under way
        self._states: dict[str, RunState] = {}
        self._said: set[str] = set()  # codes of findings
        self._label_width = 12
        self._one_by_one = False  # as the trial has found

    def __enter__(self) -> Live:
        if self._region is not None:
            self._region.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._region is not None:
            self._region.stop()

    def runs_started(self, plans: Sequence[RunPlan], progress: Progress) -> None:
        self._progress = progress
        self._label_width = max(self._label_width, *(len(plan.label) for plan in plans))
        self._spent_s = dict.fromkeys((plan.run_id for plan in plans), 0.0)
        self._states.clear()

    def run_state(self, plan: RunPlan, state: RunState, elapsed_s: float) -> None:
        if self._show is Show.VERBOSE and self._states.get(plan.run_id) is not state:
            self._say(f"{stage(plan)}  {plan.label:<{self._label_width}} {state.value}, {elapsed_s:.0f} s")
        self._states[plan.run_id] = state
        if self._region is None or self._progress is None:
            return
        self._spent_s[plan.run_id] = elapsed_s
        left_s = max(0.0, self._progress.left_s - sum(self._spent_s.values()))
        side_by_side = ""
        if len(self._spent_s) > 1:
            turns = "one after another" if self._one_by_one else "take turns"
            side_by_side = f" ({len(self._spent_s)} runs {turns})"
        self._draw(
            f"{stage(plan)}{side_by_side}, {plan.label}: {state.value}, {elapsed_s:.0f} s   "
            f"about {duration(left_s)} to {self._progress.until}"
        )

    def turns_tried(self, tried: Finding) -> None:
        self._said.add(tried.code)
        self._one_by_one = not says_turns(tried)
        self._say(tried.message)

    def run_finished(self, record: RunRecord) -> None:
        if self._progress is not None:
            left = self._progress.runs_left - 1
            self._progress = dataclasses.replace(self._progress, runs_left=left)
        self._spent_s.pop(record.plan.run_id, None)
        self._say(run_line(record, self._label_width))
        if record.figures is None and record.findings:  # its line has said why
            self._said.add(record.findings[0].code)
        self._findings(record.findings)

    def block_finished(self, block: int, so_far: Recommendation) -> None:
        if so_far.complete:
            return  # the answer, with the same table, follows
        if so_far.loads is not None:
            table = Group(loads_table(so_far), Text(legend(so_far)))
            self._picture_is(table, outlook(so_far), verbose=table)
            return
        self._picture_is(bars(so_far), outlook(so_far), verbose=candidates_table(so_far))

    def round_finished(self, number: int, so_far: Search) -> None:
        left = so_far.wanted - sum(1 for trial in so_far.trials if trial.runs)
        line = f"search round {number}: {len(so_far.trials)} of {so_far.wanted} configurations tried" + (
            "" if left else "; when each has its runs, sweeper measures the best in fresh blocks"
        )
        table = trials_table(so_far, most=8)
        self._picture_is(table, line, verbose=table)

    def scenario_look(self, scenario: Scenario, block: int, so_far: Outcome) -> None:
        if so_far.complete:
            return
        if scenario is Scenario.STRESS:
            self._picture_is(None, *(stress_line(one) for one in so_far.stress))
            return
        table = outcome_table(so_far)
        self._picture_is(table, *(hypothesis_line(one, so_far) for one in so_far.hypotheses), verbose=table)

    def waiting(self, why: str) -> None:
        self._say(why)

    def eliminated(self, configuration: Configuration, block: int, why: str) -> None:
        self._say(f"{configuration.label} is dropped after block {block}: {why}")

    def resting(self, configurations: Sequence[Configuration], block: int) -> None:
        if not configurations:
            self._say(f"every value is measured again after block {block}")
            return
        which = and_join([configuration.label for configuration in configurations])
        self._say(f"{which}: no more runs for now, because they would not help to settle the rest")

    def _findings(self, findings: Sequence[Finding]) -> None:
        """What each kind means and what to do, once; the line of every further run names its code."""
        for finding in findings:
            if finding.code in self._said:
                continue
            if finding.severity is not Severity.INFO or self._show is Show.VERBOSE:
                self._said.add(finding.code)
                say(self._console, *findings_lines([finding]))

    def _picture_is(
        self, drawn: RenderableType | None, *lines: str, verbose: RenderableType | None = None
    ) -> None:
        """On a terminal what is drawn stays below all lines; elsewhere only the lines are printed."""
        if self._show is Show.VERBOSE and verbose is not None:
            self._console.print()
            self._console.print(verbose)
        if self._region is None:
            self._say(*lines)
        else:
            self._picture = (*([] if drawn is None else [drawn]), *(Text(line) for line in lines))
            self._draw()

    def _draw(self, status: str | None = None) -> None:
        assert self._region is not None
        if status is not None:
            self._spinner.update(text=Text(status, overflow="ellipsis", no_wrap=True))
        gap = [Text()] if self._picture else []
        self._region.update(Group(*gap, *self._picture, self._spinner))

    def _say(self, *lines: str) -> None:
        if self._show is not Show.QUIET:
            say(self._console, *lines)
