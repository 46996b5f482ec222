"""The command `sweeper`: its subcommands, and the one place where errors become exit codes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Annotated, NoReturn

import typer

from sweeper.cli import (
    compare,
    doctor,
    export,
    grid,
    load_worker,
    optimize,
    recommend,
    report,
    scenarios,
    serve,
    studies,
    train,
)
from sweeper.errors import SweeperError, UsageError
from sweeper.version import __version__

DONE, NO_ANSWER, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

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
grid.register(app)
optimize.register(app)
scenarios.register(app)
load_worker.register(app)
recommend.register(app)
report.register(app)
studies.register(app)
export.register(app)
compare.register(app)
doctor.register(app)


def main(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing but this prints an error."""
    try:
        code = app(args=list(arguments), prog_name="sweeper", standalone_mode=False)
    except typer.TyperException as error:
        return _complain(_sentence(error), WRONG_USE)
    except UsageError as error:
        return _complain(str(error), WRONG_USE)
    except SweeperError as error:
        return _complain(str(error), NO_ANSWER)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`| head`); leave stdout where the interpreter's own flush cannot fail.
        sys.stdout = None
        return DONE
    return code if isinstance(code, int) else DONE


def _sentence(error: typer.TyperException) -> str:
    message = error.format_message().strip().rstrip(".")
    if not message:
        return "a command is missing; see sweeper --help"
    context = getattr(error, "ctx", None)
    return f"{message}; see {context.command_path if context else 'sweeper'} --help"


def _complain(sentence: str, code: int) -> int:
    sys.stderr.write(f"sweeper: {' '.join(sentence.split())}\n")
    return code


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def run() -> None:
    """Entry point. TERM is an interrupt too: stop everything, save, say how to resume."""
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(main(sys.argv[1:]))
