"""How settings are written: durations, lists of worker counts, sets of cores. Each parser passes on what
is no text; what cannot be read is a ValueError."""

from __future__ import annotations

import re

LAST_CORE = 4095

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|min)?")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_COUNT = re.compile(r"\s*[0-9]{1,6}\s*")
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
