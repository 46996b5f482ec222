"""`sweeper report`."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.cli import options as o


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Examples:  sweeper report   |   sweeper report checkout --open   |   "
        "sweeper report checkout --out checkout.html"
    )
    def report(
        study: Annotated[
            str | None, typer.Argument(help="A study's name.", show_default="the newest")
        ] = None,
        out: Annotated[
            str | None,
            typer.Option(
                help="Write there.", metavar="FILE", show_default="report.html in the study's folder"
            ),
        ] = None,
        show: Annotated[bool, typer.Option("--open", help="Then open it in your browser.")] = False,
        studies_dir: o.StudiesDir = None,
        storage: o.Storage = None,
    ) -> int:
        """Make one HTML page of a recorded study: its answer, and the pictures behind it."""
        from sweeper.cli.reporting import write_report
        from sweeper.cli.where import Where

        return write_report(Where.from_flags(study, studies_dir, storage), out, show=show)
