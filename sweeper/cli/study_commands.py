"""`sweeper grid`, `sweeper optimize` and `sweeper scenarios`, with an option for each of their settings.

All values arrive as text: `sweeper.settings` reads and checks them, so that a flag, an environment variable
and a line of a file are judged alike and complained of in one manner.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from sweeper.cli.options import OF_A_STUDY
from sweeper.errors import UsageError

if TYPE_CHECKING:
    from sweeper.settings.command_line_option import Option


def register(app: typer.Typer) -> None:
    add_study_command(
        app,
        grid,
        epilog="Examples:  sweeper grid --workers 1,4,8,16,32   |   sweeper grid --quick   |   "
        "sweeper grid --slo-p99 500 --study checkout",
    )
    add_study_command(
        app,
        optimize,
        epilog="Examples:  sweeper optimize --trials 20   |   sweeper optimize --workers 1..64 "
        "--model-threads 1..4 --processes 1..2   |   sweeper optimize --tune "
        "DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH=8,32,128",
    )
    add_study_command(
        app,
        scenarios,
        epilog="Examples:  sweeper scenarios   |   sweeper scenarios concurrent --workload io   |   "
        "sweeper scenarios stress --slo-p99 500 --max-users 800   |   "
        "sweeper scenarios tuning (the worker grid: sweeper grid has all its options)",
        without=frozenset({"host_name"}),
        refuse=_refuse_remote,
    )


def grid(typed: dict[str, Any]) -> int:
    """Compare worker counts in randomised blocks and recommend the smallest that is as good as any."""
    from sweeper.cli.start_or_resume import start_or_resume

    return start_or_resume("grid", typed)


def optimize(typed: dict[str, Any]) -> int:
    """Search worker counts, native threads, processes and more by Optuna; compare the best in blocks."""
    from sweeper.cli.start_or_resume import start_or_resume

    return start_or_resume("optimize", typed)


def _refuse_remote(option: str) -> None:
    """Raises UsageError for one that only a server elsewhere has."""
    from sweeper.settings.combine import flag
    from sweeper.settings.remote_settings import OF_A_REMOTE_SERVER

    if option in {flag(name) for name in ("launcher", *OF_A_REMOTE_SERVER)}:
        raise UsageError(
            f"{option} is no option of sweeper scenarios, which starts both of its --servers itself: to "
            "compare remote servers, run sweeper grid for each, then sweeper compare with the two studies"
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


Run = Callable[[dict[str, Any]], int]


def add_study_command(
    app: typer.Typer,
    run: Run,
    epilog: str,
    without: frozenset[str] = frozenset(),
    refuse: Callable[[str], None] | None = None,
) -> None:
    """Add the command of `run`'s name and docstring, without some of the options of any study.

    `run` gets what was typed, by the names of settings and options, None for what was not, and returns the
    exit code. `refuse` gets an option that the command does not have, and raises UsageError where it knows
    why.
    """
    name, sentence = run.__name__, inspect.getdoc(run)

    @cache
    def complete() -> Any:
        alone = typer.Typer(add_completion=False)
        alone.command(name, help=sentence, epilog=epilog)(_with_options(run, without))
        return typer.main.get_command(alone)

    class StudyCommand(TyperCommand):
        """Gets its options once it is called: `sweeper --help` does without pydantic and the settings."""

        def make_context(self, *args: Any, **more: Any) -> Any:
            try:
                return complete().make_context(*args, **more)
            except typer.TyperException as error:
                if refuse is not None:
                    refuse(getattr(error, "option_name", ""))
                raise

    app.command(name, help=sentence, cls=StudyCommand)(lambda: None)


def _with_options(run: Run, without: frozenset[str]) -> Callable[..., int]:
    from sweeper.settings.command_line_option import Panel
    from sweeper.settings.command_settings import COMMANDS, options

    kind, shown = COMMANDS[run.__name__], options(run.__name__)
    by_panel = sorted(shown.items(), key=lambda item: list(Panel).index(item[1].panel))
    parameters = [_parameter(name, option, kind.model_fields[name].default) for name, option in by_panel]
    parameters += [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in OF_A_STUDY.items()
        if name not in without
    ]

    def command(**typed: Any) -> int:
        return run(typed)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command


def _parameter(name: str, option: Option, default: object) -> Parameter:
    """As typer reads it from a function: an argument, a switch or an option with a value."""
    from sweeper.settings.combine import flag

    on, words = default is not False, option.default or False
    if option.argument is not None:
        kind: Any = str | None
        shown = typer.Argument(help=option.help, show_default=words, metavar=option.argument)
    elif option.metavar is None:
        kind = bool | None
        names = f"{flag(name)}/--no-{flag(name)[2:]}" if on else flag(name)
        shown = typer.Option(
            names, help=option.help, rich_help_panel=option.panel, show_default=words if on else False
        )
    else:
        kind = list[str] | None if option.repeats else str | None
        shown = typer.Option(
            help=option.help, rich_help_panel=option.panel, show_default=words, metavar=option.metavar
        )
    return Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, shown])
