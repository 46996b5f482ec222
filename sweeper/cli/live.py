"""What a person sees while a study runs: a live line on a terminal, plain lines elsewhere. On stderr."""

from __future__ import annotations

from rich.console import Console
from rich.status import Status as Spinner

from sweeper.answers import Recommendation
from sweeper.records import Configuration, RunPlan, RunRecord
from sweeper.report.table import candidates_table, duration, outlook, run_line, stage
from sweeper.run import State
from sweeper.study import Progress


class Live:
    """An Observer that prints. Use as a context manager, so that the live line is taken away again."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spinner: Spinner | None = None
        self._progress: Progress | None = None

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None

    def run_started(self, plan: RunPlan, progress: Progress) -> None:
        self._progress = progress
        self._show(plan, State.STARTING, 0.0)

    def run_state(self, plan: RunPlan, state: State, elapsed_s: float) -> None:
        self._show(plan, state, elapsed_s)

    def _show(self, plan: RunPlan, state: State, elapsed_s: float) -> None:
        if not self._console.is_terminal or self._progress is None:
            return
        progress = self._progress
        left_s = max(0.0, progress.left_s - elapsed_s)
        ahead = "the end" if plan.arrivals_per_s is not None else f"the look after block {progress.next_look}"
        text = (
            f"{stage(plan)}, {plan.configuration.label}: {state.value}, {elapsed_s:.0f} s   "
            f"about {duration(left_s)} to {ahead}"
        )
        if self._spinner is None:
            self._spinner = self._console.status(text)
            self._spinner.start()
        else:
            self._spinner.update(text)

    def run_finished(self, record: RunRecord) -> None:
        self._print(run_line(record))

    def block_finished(self, block: int, so_far: Recommendation) -> None:
        if so_far.complete:
            return  # the answer, with the same table, follows
        self._console.print()
        self._console.print(candidates_table(so_far))
        self._print(outlook(so_far))
        self._console.print()

    def eliminated(self, configuration: Configuration, block: int, why: str) -> None:
        self._print(f"{configuration.label} is dropped after block {block}: {why}")

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)
