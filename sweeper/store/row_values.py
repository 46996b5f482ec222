"""Values of a database's rows, each checked as it is read: somebody else may have written them.

Every function raises ValueError where a value is not what it must be, and says what that is.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sweeper.records.safe_text import NAME_RULE, is_name

LONGEST = 80  # characters of a wrong value that are shown
LARGEST = 10.0**18  # of any figure
MOST = 1_000_000  # of blocks, attempts and workers


def name(value: object, what: str) -> str:
    if not is_name(value):
        raise _wrong(value, what, NAME_RULE)
    return str(value)


def text(value: object, what: str, most: int = 10_000_000) -> str:
    if not isinstance(value, str) or len(value) > most or not _printable(value):
        raise _wrong(value, what, f"a text of at most {most} characters")
    return value


def moment(value: object, what: str) -> str:
    """In ISO 8601."""
    try:
        datetime.fromisoformat(text(value, what, 100))
    except ValueError:
        raise _wrong(value, what, "a time such as 2026-01-31T12:00:00Z") from None
    return str(value)


def whole(value: object, what: str, low: int, high: int = MOST) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _wrong(value, what, f"a whole number from {low} to {high}")
    return value


def flag(value: object, what: str) -> bool:
    if value not in (0, 1):
        raise _wrong(value, what, "0 or 1")
    return bool(value)


def number(value: object, what: str) -> float:
    """Not negative."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= LARGEST:
        raise _wrong(value, what, "a number from 0 on")
    return float(value)


def parsed(value: object, what: str) -> Any:
    """Of a JSON text, with nothing in it that could not be shown or written again."""
    source = text(value, what)
    try:
        document = json.loads(source, parse_constant=_no_constant)
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError(f"{what} is JSON that is nested too deep") from None
    except ValueError as error:
        raise ValueError(f"{what} is no JSON ({error})") from None
    return document


def checked_json(value: object, what: str) -> str:
    """The text itself, if `parsed` can read it."""
    parsed(value, what)
    return str(value)


def json_text(value: object) -> str:
    """Of what was read as JSON already."""
    try:
        return json.dumps(value, allow_nan=False)
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None


def parsed_object(value: object, what: str) -> dict[str, Any]:
    document = parsed(value, what)
    if not isinstance(document, dict):
        raise _wrong(value, what, "a JSON object")
    return document


def finite(values: object, what: str) -> None:
    """All numbers in it, which may be nested in lists and tuples."""
    if isinstance(values, list | tuple):
        for value in values:
            finite(value, what)
    elif isinstance(values, int | float) and not abs(values) <= LARGEST:  # no NaN is
        raise _wrong(values, what, "finite figures of a possible size")


def _printable(value: str) -> bool:
    """Without halves of characters, which nothing can write."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _wrong(value: object, what: str, right: str) -> ValueError:
    shown = ascii(value)
    shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
    return ValueError(f"{what} is {shown} and must be {right}")
