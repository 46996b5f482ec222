"""A run by itself, as a block of one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sweeper.records.run import RunPlan
from sweeper.run.interfaces import Parts
from sweeper.run.run import RunResult
from sweeper.run.timing import RunSettings
from sweeper.run.turns import run_side_by_side
from sweeper.run.under_load import RunState


def execute_run(
    plan: RunPlan,
    settings: RunSettings,
    parts: Parts,
    directory: Path,
    on_state: Callable[[RunState, float], None] = lambda state, elapsed_s: None,
) -> RunResult:
    """Make it; its logs go to `directory`."""
    results = run_side_by_side(
        [plan], settings, parts, lambda run_id: directory, lambda plan, *state: on_state(*state)
    )
    with closing(results):
        return next(results)
