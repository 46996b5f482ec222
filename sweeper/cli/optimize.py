"""`sweeper optimize`."""

from __future__ import annotations

from typing import Any

import typer

from sweeper.cli.study_command import add_study_command


def register(app: typer.Typer) -> None:
    add_study_command(
        app,
        optimize,
        epilog="Examples:  sweeper optimize --trials 20   |   sweeper optimize --workers 1..64 "
        "--model-threads 1..4 --processes 1..2   |   sweeper optimize --tune "
        "DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH=8,32,128",
    )


def optimize(typed: dict[str, Any]) -> int:
    """Search worker counts, native threads, processes and more by Optuna; compare the best in blocks."""
    from sweeper.cli.start_or_resume import start_or_resume

    return start_or_resume("optimize", typed)
