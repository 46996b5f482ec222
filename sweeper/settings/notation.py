"""How values are written by people and read by settings: durations, counts, spans, cores."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

from sweeper.records.configuration import Choices, Value

LAST_CORE = 4095
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|min)?")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_COUNT = re.compile(r"\s*[0-9]{1,6}\s*")
_RANGE = re.compile(r"\s*([0-9]{1,9})\s*\.\.\s*([0-9]{1,9})\s*")
_WHOLE = re.compile(r"[0-9]{1,9}")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,100}")
LONGEST_RANGE = 100_000
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT])i?B?", re.IGNORECASE)
_UNIT_BYTES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_UNIT_S = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "min": 60.0}


def seconds(value: object) -> object:
    """`10s`, `500ms`, `2m` or a bare number of seconds, as a float."""
    return _seconds(value) if isinstance(value, str) else value


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    return round(float(match[1]) * _UNIT_S[match[2]], 9)


def milliseconds(value: object) -> object:
    """`500`, `500ms` or `0.5s`, as milliseconds."""
    if isinstance(value, str):
        text = value.strip()
        return float(text) if _NUMBER.fullmatch(text) else round(_seconds(text) * 1000.0, 6)
    return value


def size_bytes(value: object) -> object:
    """`2GiB`, `512MiB`, `1.5G` or a bare number of bytes. Units are powers of 1024, as the kernel and
    container runtimes have them."""
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        size = float(match[1]) * _UNIT_BYTES[match[2].upper()]
        return round(size) if math.isfinite(size) else size
    return value


def size_text(value: int) -> str:
    """The largest unit that it is a whole number of; `size_bytes` reads it back."""
    for unit in ("T", "G", "M", "K"):
        if value % _UNIT_BYTES[unit] == 0:
            return f"{value // _UNIT_BYTES[unit]}{unit}iB"
    return str(value)


def counts(value: object) -> object:
    """`1,4,8` or `[1, 4, 8]` as a sorted tuple without repeats."""
    if isinstance(value, str):
        value = [_count(part) for part in value.split(",")]
    if isinstance(value, int):
        value = [value]
    return _distinct(value)


def one_or_several(value: object) -> object:
    """`50` as it is; `10,50,100` or a list as a sorted tuple without repeats."""
    if isinstance(value, str) and "," in value:
        value = [_plain_number(part.strip()) for part in value.split(",")]
    if not isinstance(value, list | tuple):
        return value
    if (
        len(value) < 2
        or any(type(item) not in (int, float) for item in value)
        or len(set(value)) < len(value)
    ):
        raise ValueError(value)
    return tuple(sorted(value))


def _plain_number(text: str) -> float:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(text)
    return float(text) if "." in text else int(text)


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


def format_cpu_list(cpus: Iterable[int]) -> str:
    """The shortest list that `cpu_set` reads back."""
    ranges: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if ranges and cpu == ranges[-1][-1] + 1:
            ranges[-1] = [ranges[-1][0], cpu]
        else:
            ranges.append([cpu])
    return ",".join("-".join(str(end) for end in span) for span in ranges)


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


def written(value: object) -> str:
    """A setting's plain value as it may be typed; "" for one that is not set."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict):
        return " ".join(f"{name}={found}" for name, found in value.items())
    return ",".join(str(part) for part in value) if isinstance(value, list) else str(value)


def duration_text(value: float) -> str:
    """Exactly what `seconds` reads back: `:g` would round 1234.567 and write 0.00001 as 1e-05."""
    return f"{value:.9f}".rstrip("0").rstrip(".") + "s"


def whole(low: int, high: int) -> Any:
    """Limits of a whole number, and the words for them."""
    return Field(ge=low, le=high, description=f"a whole number from {low} to {high}")


def lasting(shortest: str, longest: str, such_as: str) -> Any:
    """Limits of a duration, and the words for them."""
    return Field(
        ge=_seconds(shortest),
        le=_seconds(longest),
        description=f"a duration from {shortest} to {longest}, such as {such_as}",
    )


def numbers_to(most: int) -> BeforeValidator:
    """`1..64`, `1,4,8` or `4`, of whole numbers from 1 to `most`."""

    def read(value: object) -> Choices:
        found = choices(value)
        if not all(isinstance(number, int) and 1 <= number <= most for number in found.values):
            raise ValueError(value)
        return found

    return BeforeValidator(read)


MOST_WORKERS, MOST_THREADS, MOST_PROCESSES, MOST_USERS = 1024, 256, 199, 10_000
MOST_LOADS = 8

Switch = Annotated[bool, Field(description="true or false")]
Duration = Annotated[float, BeforeValidator(seconds), PlainSerializer(duration_text)]  # in seconds
Bytes = Annotated[int, BeforeValidator(size_bytes), PlainSerializer(size_text)]
Milliseconds = Annotated[float, BeforeValidator(milliseconds)]
Cpus = Annotated[tuple[Annotated[int, Field(ge=0, le=LAST_CORE)], ...], BeforeValidator(cpu_set)]
Blocks = Annotated[int, whole(2, 100)]
WorkerCount = Annotated[int, whole(1, MOST_WORKERS)]
ThreadCount = Annotated[int, whole(1, MOST_THREADS)]
ProcessCount = Annotated[int, whole(1, MOST_PROCESSES)]
UserCount = Annotated[int, whole(1, MOST_USERS)]
Users = Annotated[
    UserCount
    | Annotated[tuple[Annotated[int, Field(ge=2, le=MOST_USERS)], ...], Field(max_length=MOST_LOADS)],
    BeforeValidator(one_or_several),
]
Rate = Annotated[float, Field(gt=0, le=100_000)]
Rates = Annotated[
    Rate | Annotated[tuple[Rate, ...], Field(max_length=MOST_LOADS)] | None, BeforeValidator(one_or_several)
]
AsText = PlainSerializer(lambda found: found.text)
AsList = PlainSerializer(lambda found: ",".join(one.value for one in found))
WorkersSpan = Annotated[Choices, numbers_to(MOST_WORKERS), AsText]
ThreadsSpan = Annotated[Choices, numbers_to(MOST_THREADS), AsText]
ProcessesSpan = Annotated[Choices, numbers_to(MOST_PROCESSES), AsText]
