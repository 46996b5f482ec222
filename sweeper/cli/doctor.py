"""`sweeper doctor`."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Exit codes: 0 a study can be run, warnings or not, 1 it cannot, 2 wrong use.   Examples:  "
        "sweeper doctor   |   sweeper doctor --noise 60s   |   sweeper doctor --no-noise --json"
    )
    def doctor(
        noise: Annotated[
            str | None,
            typer.Option(
                help="How long to measure the noise of this machine.", metavar="TIME", show_default="10s"
            ),
        ] = None,
        no_noise: Annotated[
            bool, typer.Option("--no-noise", help="Leave that out: the quick checks only.")
        ] = False,
        json: Annotated[bool, typer.Option("--json", help="One line of JSON instead.")] = False,
    ) -> int:
        """Say what of this machine would disturb a study, what to do about it, and how noisy it is."""
        from sweeper.cli.diagnosing import diagnose

        return diagnose(noise, no_noise=no_noise, as_json=json)
