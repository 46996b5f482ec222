"""`sweeper recommend`."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.cli import exit_codes
from sweeper.cli import options as o
from sweeper.errors import UsageError

FORMATS = ("text", "json", "env", "docker", "kubernetes", "drum-yaml")


def register(app: typer.Typer) -> None:
    @app.command(
        epilog='Examples:  sweeper recommend   |   eval "$(sweeper recommend --format env)"   |   '
        "sweeper recommend checkout --format kubernetes"
    )
    def recommend(
        study: o.NewestStudy = None,
        output: Annotated[
            str,
            typer.Option(
                "--format", help="text, json, env, docker, kubernetes or drum-yaml.", metavar="NAME"
            ),
        ] = "text",
        verbose: Annotated[
            bool, typer.Option("--verbose", "-v", help="Print the whole text, not only what fits one screen.")
        ] = False,
        cost_per_hour: o.CostPerHour = None,
        plan_for: o.PlanFor = None,
        studies_dir: o.StudiesDir = None,
        storage: o.Storage = None,
    ) -> int:
        """Say which worker count a recorded study recommends, and how sure that is."""
        return _recommend(study, output, studies_dir, storage, (cost_per_hour, plan_for), verbose=verbose)


def _recommend(
    study: str | None,
    output: str,
    studies_dir: str | None,
    storage: str | None,
    economics: tuple[str | None, str | None],
    *,
    verbose: bool,
) -> int:
    from sweeper.analysis.economics import priced
    from sweeper.cli.console import write, write_json
    from sweeper.cli.print_answer import print_recommendation
    from sweeper.report import formats
    from sweeper.report.json.recommendation import recommendation_object
    from sweeper.settings.economics_settings import economics as read_economics
    from sweeper.study.find_packed_study import place
    from sweeper.study.find_study import store_errors_as_wrong_use
    from sweeper.study.recorded import answer

    where = place(study, studies_dir, storage)
    if output not in FORMATS:
        raise UsageError(f"--format '{output}': must be one of {', '.join(FORMATS)}")
    asked = read_economics(*economics)
    with store_errors_as_wrong_use():
        found = priced(answer(where), asked.cost_per_hour, asked.plan_for)
    if output == "text":
        print_recommendation(found, where, verbose=verbose)
    elif output == "json":
        write_json(recommendation_object(found), indent=2)
    elif output == "env":
        write(formats.to_env(found))
    elif output == "docker":
        write(formats.to_docker(found))
    elif output == "kubernetes":
        write(formats.to_kubernetes(found))
    else:
        write(formats.to_drum_yaml(found).text)
    return exit_codes.of_recommendation(found)
