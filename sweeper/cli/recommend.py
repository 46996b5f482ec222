"""`sweeper recommend`."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.cli import options as o


def register(app: typer.Typer) -> None:
    @app.command(
        epilog='Examples:  sweeper recommend   |   eval "$(sweeper recommend --format env)"   |   '
        "sweeper recommend checkout --format drum-yaml"
    )
    def recommend(
        study: Annotated[
            str | None, typer.Argument(help="A study's name.", show_default="the newest")
        ] = None,
        output: Annotated[
            str, typer.Option("--format", help="text, json, env or drum-yaml.", metavar="NAME")
        ] = "text",
        studies_dir: o.StudiesDir = None,
        storage: o.Storage = None,
    ) -> int:
        """Say which worker count a recorded study recommends, and how sure that is."""
        from sweeper.cli.answering import print_recommendation
        from sweeper.cli.where import Where

        return print_recommendation(Where.from_flags(study, studies_dir, storage, None, False), output)
