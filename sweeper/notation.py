"""How settings are written: durations, lists of worker counts, ranges, sets of cores. Each parser passes on
what is no text; what cannot be read is a ValueError."""

from __future__ import annotations

import re

from sweeper.space import Choices, Value

LAST_CORE = 4095

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|min)?")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_COUNT = re.compile(r"\s*[0-9]{1,6}\s*")
_RANGE = re.compile(r"\s*([0-9]{1,9})\s*\.\.\s*([0-9]{1,9})\s*")
_WHOLE = re.compile(r"[0-9]{1,9}")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,100}")
LONGEST_RANGE = 100_000
_UNIT_S = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "min": 60.0}


def seconds(value: object) -> object:
    """`10s`, `500ms`, `2m` or a bare number of seconds, as a float."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(value)
        return round(float(match[1]) * _UNIT_S[match[2]], 9)
    return value


def milliseconds(value: object) -> object:
    """`500`, `500ms` or `0.5s`, as milliseconds."""
    if isinstance(value, str):
        text = value.strip()
        return float(text) if _NUMBER.fullmatch(text) else round(float(str(seconds(text))) * 1000.0, 6)
    return value


def counts(value: object) -> object:
    """`1,4,8` or `[1, 4, 8]` as a sorted tuple without repeats."""
    if isinstance(value, str):
        value = [_count(part) for part in value.split(",")]
    if isinstance(value, int):
        value = [value]
    return _distinct(value)


def cpu_set(value: object) -> object:
    """`0-3,8` or `[0, 1]` as a sorted tuple of core numbers."""
    if not isinstance(value, str):
        return _distinct([value] if isinstance(value, int) else value)
    cores: set[int] = set()
    for part in value.split(","):
        first, dash, last = part.partition("-")
        low, high = _count(first), _count(last) if dash else _count(first)
        if low > high or high > LAST_CORE:
            raise ValueError(value)
        cores.update(range(low, high + 1))
    return tuple(sorted(cores))


def choices(value: object) -> Choices:
    """`1..64` (a range), `1,4,8`, `auto,uvloop`, `4`, or a list of such values, as Choices."""
    if isinstance(value, Choices):
        return value
    if isinstance(value, str) and (ends := _RANGE.fullmatch(value)):
        low, high = int(ends[1]), int(ends[2])
        if not low <= high < low + LONGEST_RANGE:
            raise ValueError(value)
        return Choices.between(low, high)
    if isinstance(value, str):
        value = [_number_or_word(part.strip()) for part in value.split(",")]
    if type(value) is int:
        value = [value]
    if not isinstance(value, list | tuple):
        raise ValueError(value)
    kinds = {type(item) for item in value}
    if kinds not in ({int}, {str}) or len(set(value)) < len(value):
        raise ValueError(value)
    if kinds == {int} and min(value) >= 0:
        return Choices(tuple(sorted(value)))
    if kinds == {str} and all(_WORD.fullmatch(item) for item in value):
        return Choices(tuple(value))
    raise ValueError(value)


def _number_or_word(text: str) -> Value:
    return int(text) if _WHOLE.fullmatch(text) else text


def parameters(value: object) -> object:
    """`NAME=8,32` or a list of such texts (several in one text are apart by blanks), as Choices by name."""
    if isinstance(value, str):
        value = value.split()
    if isinstance(value, list | tuple):
        pairs = [_pair(item) for item in value]
        value = dict(pairs)
        if len(value) < len(pairs):
            raise ValueError(pairs)
    if not isinstance(value, dict) or not all(_PARAMETER.fullmatch(str(name)) for name in value):
        raise ValueError(value)
    return {str(name): choices(found) for name, found in value.items()}


def _pair(value: object) -> tuple[str, object]:
    name, equals, values = str(value).partition("=")
    if not equals:
        raise ValueError(value)
    return name.strip(), values


def words(value: object) -> object:
    """`throughput,p99` as a tuple of different words."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if isinstance(value, list | tuple) and len(set(value)) < len(value):
        raise ValueError(value)
    return tuple(value) if isinstance(value, list) else value


def _count(text: str) -> int:
    if _COUNT.fullmatch(text) is None:
        raise ValueError(text)
    return int(text)


def _distinct(value: object) -> object:
    """A list of different whole numbers as a sorted tuple; anything else as it is, to be refused."""
    if not isinstance(value, list | tuple):
        return value
    if not all(type(item) is int for item in value) or len(set(value)) < len(value):
        raise ValueError(value)
    return tuple(sorted(value))
