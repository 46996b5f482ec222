"""`sweeper studies`."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.cli import options as o


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Examples:  sweeper studies   |   sweeper studies --studies-dir other/studies   |   "
        "sweeper studies --json"
    )
    def studies(
        studies_dir: o.StudiesDir = None,
        storage: o.Storage = None,
        json: Annotated[
            bool, typer.Option("--json", help="One line of JSON instead.", rich_help_panel=o.PLACE)
        ] = False,
    ) -> int:
        """List the recorded studies, newest first, each with its answer."""
        from sweeper.cli.listing import print_studies
        from sweeper.cli.where import Where

        return print_studies(Where.from_flags(None, studies_dir, storage), as_json=json)
