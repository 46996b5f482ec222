"""The command `sweeper`: its subcommands, and the one place where errors become exit codes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from sweeper.cli import (
    compare,
    doctor,
    export,
    help,
    interrupts,
    load_worker,
    pack,
    recommend,
    report,
    serve,
    studies,
    study_commands,
    train,
)
from sweeper.cli.console import OutputClosed, OutputError, tell, tell_of_interrupt
from sweeper.cli.exit_codes import DONE, NO_ANSWER, UNREAD, WRONG_USE
from sweeper.errors import SweeperError, UsageError
from sweeper.version import __version__

app = typer.Typer(
    name="sweeper",
    help="How many threads should this model server run? Measured in minutes, with an honest answer.",
    epilog="Start with: sweeper train, then sweeper grid. Every command has its own --help.",
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"sweeper {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


train.register(app)
serve.register(app)
study_commands.register(app)
load_worker.register(app)
recommend.register(app)
report.register(app)
studies.register(app)
export.register(app)
pack.register(app)
compare.register(app)
doctor.register(app)
help.register(app)


def main(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing but this prints an error."""
    try:
        code = _command(arguments)
        sys.stdout.flush()
    except OutputClosed:
        return UNREAD
    except OutputError as error:
        return _complain(str(error), NO_ANSWER)  # no page says more
    except SweeperError as error:
        return _complain(help.with_page(error, arguments), NO_ANSWER)
    return code


def _command(arguments: Sequence[str]) -> int:
    try:
        # Not app(): it makes exit codes of its own of an interrupt and of a closed stdout.
        command = typer.main.get_command(app)
        with command.make_context("sweeper", list(arguments)) as context:
            code = command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:
        return _complain(_sentence(error), WRONG_USE)
    except UsageError as error:
        return _complain(help.with_page(error, arguments), WRONG_USE)
    except (KeyboardInterrupt, typer.Abort):
        return tell_of_interrupt(interrupts.SENTENCE)
    except (SweeperError, OutputClosed):
        raise
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return _complain(_too_long(error), WRONG_USE)
    except Exception:
        if interrupts.seen():  # an import that is interrupted may end with any error
            return tell_of_interrupt(interrupts.SENTENCE)
        raise
    return code if isinstance(code, int) else DONE


def _sentence(error: typer.TyperException) -> str:
    message = error.format_message().strip().rstrip(".")
    if not message:
        return "a command is missing; see sweeper --help"
    context = getattr(error, "ctx", None)
    return f"{message}; see {context.command_path if context else 'sweeper'} --help"


def _too_long(error: OSError) -> str:
    """pathlib asks the kernel for a path that somebody typed, and the kernel knows no such paths."""
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    return (
        f"the path '{name[:60]}…' is too long: it must have at most 4095 bytes, and each name in it at most "
        "255"
    )


def _complain(sentence: str, code: int) -> int:
    tell(sentence)
    return code
