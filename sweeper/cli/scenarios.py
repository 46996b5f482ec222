"""`sweeper scenarios`."""

from __future__ import annotations

from typing import Any

import typer

from sweeper.cli.study_command import add_study_command
from sweeper.errors import UsageError


def register(app: typer.Typer) -> None:
    add_study_command(
        app,
        scenarios,
        epilog="Examples:  sweeper scenarios   |   sweeper scenarios concurrent --workload io   |   "
        "sweeper scenarios stress --slo-p99 500 --max-users 800   |   "
        "sweeper scenarios tuning (the worker grid: sweeper grid has all its options)",
        without=frozenset({"host_name"}),
        refuse=_refuse_remote,
    )


def _refuse_remote(option: str) -> None:
    """Raises UsageError for one that only a server elsewhere has."""
    from sweeper.settings.combine import flag
    from sweeper.settings.remote_settings import OF_A_REMOTE_SERVER

    if option in {flag(name) for name in ("launcher", *OF_A_REMOTE_SERVER)}:
        raise UsageError(
            f"{option} is not for sweeper scenarios, which starts both of its --servers itself, and a "
            "remote server has an address and a restart command of its own: run sweeper grid for each of "
            "the two, then sweeper compare with both studies"
        )


def scenarios(typed: dict[str, Any]) -> int:
    """Compare the FastAPI server with DRUM's Flask server: one user, many, as many as each takes."""
    from sweeper.cli.start_or_resume import start_or_resume
    from sweeper.settings.combine import flag
    from sweeper.settings.command_settings import setting_names

    if typed["scenarios"] != "tuning":
        named = None if typed["scenarios"] == "all" else typed["scenarios"]
        return start_or_resume("scenarios", {**typed, "scenarios": named})
    own = set(setting_names("scenarios")) - set(setting_names("grid")) - {"scenarios"}
    given = sorted(flag(name) for name in own if typed[name] is not None)
    if given:
        raise UsageError(f"{given[0]} is not for tuning, which is the worker grid: leave it out")
    return start_or_resume("grid", typed)
