"""`sweeper grid`."""

from __future__ import annotations

from typing import Any

import typer

from sweeper.cli.study_command import add_study_command


def register(app: typer.Typer) -> None:
    add_study_command(
        app,
        grid,
        epilog="Examples:  sweeper grid --workers 1,4,8,16,32   |   sweeper grid --quick   |   "
        "sweeper grid --slo-p99 500 --study checkout",
    )


def grid(typed: dict[str, Any]) -> int:
    """Compare worker counts in randomised blocks and recommend the smallest that is as good as any."""
    from sweeper.cli.start_or_resume import start_or_resume

    return start_or_resume("grid", typed)
