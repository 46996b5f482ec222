"""`sweeper compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.cli import options as o


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Exit codes: 0 nothing is shown to be worse, 1 something is, 2 wrong use.   Examples:  "
        "sweeper compare before after   |   sweeper compare before after --all --tolerance 0.1   |   "
        "sweeper compare studies/before /mnt/other/studies/after"
    )
    def compare(
        a: Annotated[str, typer.Argument(help="The study before: its name, or its folder.", metavar="A")],
        b: Annotated[str, typer.Argument(help="The study after: is it worse than A?", metavar="B")],
        judge_all: Annotated[
            bool, typer.Option("--all", help="Judge every configuration, not only A's answer.")
        ] = False,
        tolerance: Annotated[
            str | None,
            o.option(
                "B is worse where it is shown to be, by more than this share.", o.RULE, "that of A", "SHARE"
            ),
        ] = None,
        studies_dir: o.StudiesDir = None,
        storage: o.Storage = None,
        json: Annotated[
            bool, typer.Option("--json", help="One line of JSON instead.", rich_help_panel=o.PLACE)
        ] = False,
    ) -> int:
        """Compare two recorded studies: before and after a change, two machines, two models."""
        from sweeper.cli.comparing import compare_studies, place

        first, second = (place(name, studies_dir, storage) for name in (a, b))
        return compare_studies(first, second, tolerance, judge_all=judge_all, as_json=json)
