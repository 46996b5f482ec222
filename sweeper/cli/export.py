"""`sweeper export`."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.cli import options as o


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Examples:  sweeper export --out runs.csv   |   sweeper export checkout --format markdown"
        "   |   sweeper export --what requests --out requests.parquet"
    )
    def export(
        study: Annotated[
            str | None, typer.Argument(help="A study's name.", show_default="the newest")
        ] = None,
        what: Annotated[
            str | None,
            typer.Option(
                help="runs, candidates, requests, telemetry or trials.",
                metavar="NAME",
                show_default="runs; candidates in Markdown",
            ),
        ] = None,
        output: Annotated[
            str | None,
            typer.Option(
                "--format",
                help="csv, parquet, json or markdown.",
                metavar="NAME",
                show_default="by the ending of --out, else csv",
            ),
        ] = None,
        out: Annotated[
            str | None, typer.Option(help="Write there.", metavar="FILE", show_default="stdout")
        ] = None,
        studies_dir: o.StudiesDir = None,
        storage: o.Storage = None,
    ) -> int:
        """Write a recorded study's figures as a table; units are in the names of the columns."""
        from sweeper.cli.exporting import export as write
        from sweeper.cli.where import Where

        return write(Where.from_flags(study, studies_dir, storage), what, output, out)
