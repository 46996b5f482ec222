"""How grid, optimize and scenarios get their options: one for each of their settings, and those of any study.

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

if TYPE_CHECKING:
    from sweeper.settings.command_line_option import Option

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
