"""What a person sees while a study runs: a live line on a terminal, plain lines elsewhere. On stderr."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rich.console import Console
from rich.status import Status as Spinner

from sweeper.answers import Recommendation, Search
from sweeper.records import Configuration, RunPlan, RunRecord
from sweeper.report.scenarios import hypothesis_line, outcome_table, stress_line
from sweeper.report.table import candidates_table, duration, outlook, run_line, stage
from sweeper.report.trials import trials_table
from sweeper.scenarios.outcome import Outcome
from sweeper.scenarios.terms import Scenario
from sweeper.study import Progress
from sweeper.under_load import State


class Live:
    """An Observer that prints. Use as a context manager, so that the live line is taken away again."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spinner: Spinner | None = None
        self._progress: Progress | None = None
        self._spent_s: dict[str, float] = {}  # on each run under way
        self._label_width = 12

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None

    def runs_started(self, plans: Sequence[RunPlan], progress: Progress) -> None:
        self._progress = progress
        self._label_width = max(self._label_width, *(len(plan.label) for plan in plans))
        self._spent_s = dict.fromkeys((plan.run_id for plan in plans), 0.0)

    def run_state(self, plan: RunPlan, state: State, elapsed_s: float) -> None:
        if not self._console.is_terminal or self._progress is None:
            return
        self._spent_s[plan.run_id] = elapsed_s
        progress = self._progress
        left_s = max(0.0, progress.left_s - sum(self._spent_s.values()))
        side_by_side = f" ({len(self._spent_s)} runs take turns)" if len(self._spent_s) > 1 else ""
        text = (
            f"{stage(plan)}{side_by_side}, {plan.label}: {state.value}, {elapsed_s:.0f} s   "
            f"about {duration(left_s)} to {progress.until}"
        )
        if self._spinner is None:
            self._spinner = self._console.status(text)
            self._spinner.start()
        else:
            self._spinner.update(text)

    def run_finished(self, record: RunRecord) -> None:
        if self._progress is not None:
            left = self._progress.runs_left - 1
            self._progress = dataclasses.replace(self._progress, runs_left=left)
        self._spent_s.pop(record.plan.run_id, None)
        self._print(run_line(record, self._label_width))

    def block_finished(self, block: int, so_far: Recommendation) -> None:
        if so_far.complete:
            return  # the answer, with the same table, follows
        self._console.print()
        self._console.print(candidates_table(so_far))
        self._print(outlook(so_far))
        self._console.print()

    def round_finished(self, number: int, so_far: Search) -> None:
        left = so_far.wanted - sum(1 for trial in so_far.trials if trial.runs)
        self._console.print()
        self._console.print(trials_table(so_far, most=8))
        self._print(
            f"search round {number}: {len(so_far.trials)} of {so_far.wanted} configurations tried"
            + ("" if left else "; the best ones go on to fresh blocks once each has had its runs")
        )
        self._console.print()

    def scenario_look(self, scenario: Scenario, block: int, so_far: Outcome) -> None:
        if so_far.complete:
            return
        self._console.print()
        if scenario is Scenario.STRESS:
            for one in so_far.stress:
                self._print(stress_line(one, so_far))
        else:
            self._console.print(outcome_table(so_far))
            for hypothesis in so_far.hypotheses:
                self._print(hypothesis_line(hypothesis, so_far))
        self._console.print()

    def waiting(self, why: str) -> None:
        self._print(why)

    def eliminated(self, configuration: Configuration, block: int, why: str) -> None:
        self._print(f"{configuration.label} is dropped after block {block}: {why}")

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)
