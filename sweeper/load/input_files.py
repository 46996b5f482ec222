"""The files a load is given, the CSV to send and a locustfile of the user's own: can they be used at all?"""

from __future__ import annotations

import ast
from pathlib import Path

from sweeper.errors import UsageError


def check_data(path: Path) -> None:
    try:
        empty = not path.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"the data file {path} cannot be read: {error.strerror}") from error
    if empty:
        raise UsageError(f"the data file {path} is empty; it must be a CSV with the rows to predict")


def check_locustfile(path: Path) -> None:
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
