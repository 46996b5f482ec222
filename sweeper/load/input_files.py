"""The files a load is given, the CSV to send and a locustfile of the user's own: can they be used at all?"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path

from sweeper.errors import UsageError
from sweeper.load.session import START_TIMEOUT_S, last_words
from sweeper.processes import spawn

_HINTS = {
    "FileNotFoundError": "; paths in it are relative to the folder where you run sweeper, as with locust -f",
    "the following arguments are required": "; give them with --locust-options",
    "unrecognized arguments": " (the file has no such option, nor has locust)",
    "No User class found": "; it needs a subclass of locust's HttpUser or FastHttpUser",
}


def check_input_files(data_path: Path | None, locustfile: Path | None) -> None:
    """Raises UsageError for files that cannot be used. With a locustfile, no data is needed: the file decides
    what it sends."""
    if locustfile is not None:
        _check_locustfile(locustfile)
    elif data_path is None:
        raise UsageError("the load needs a CSV file to send, or a locustfile of your own")
    else:
        _check_data(data_path)


def _check_data(path: Path) -> None:
    try:
        empty = not path.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"the data file {path} cannot be read: {error.strerror}") from error
    if empty:
        raise UsageError(f"the data file {path} is empty; it must be a CSV with the rows to predict")


def _check_locustfile(path: Path) -> None:
    if path.suffix != ".py" or "," in str(path):
        raise UsageError(
            f"--locustfile '{path}': must end in .py, and have no comma in its name or folder (locust would "
            "take it for two files)"
        )
    try:
        ast.parse(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"the locustfile {path} cannot be read: {error.strerror}") from error
    except (SyntaxError, ValueError) as error:
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        where = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise UsageError(f"--locustfile '{path}' is not valid Python: {what}{where}") from error


def try_locustfile(
    path: Path,
    argv: Sequence[str],
    environment: Mapping[str, str],
    log_path: Path,
    cpus: frozenset[int] | None,
) -> None:
    """Let locust read it, started by `argv`. UsageError where locust refuses it, or its code fails."""
    leaving_nothing_beside_it = {**environment, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        process = spawn(argv, env=leaving_nothing_beside_it, log_path=log_path, cpus=cpus)
    except OSError as error:
        raise UsageError(f"--locustfile '{path}' cannot be tried: {error}") from error
    try:
        code = process.wait(START_TIMEOUT_S)
    finally:
        process.kill()
    if code == 0:
        return
    words = last_words(process.log_tail(200)) or f"exit code {code}"
    if code is None:
        words = f"it was not read within {START_TIMEOUT_S:g} s"
    hint = next((hint for sign, hint in _HINTS.items() if sign in words), "")
    raise UsageError(f"--locustfile '{path}' does not work: {words.rstrip('!')}{hint}")
