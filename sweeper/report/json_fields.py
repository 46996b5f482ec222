"""Reading the values of a JSON object, each with a sentence for what it cannot be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sweeper.answers import Interval
from sweeper.errors import StoreError
from sweeper.records import Configuration, Evidence, Finding

T = TypeVar("T")

LATENCY_KEYS = ("mean", "p50", "p95", "p99")
_MISSING: Any = object()
_AGAIN = "sweeper recommend NAME --format json makes it again"


def take(data: Mapping[str, object], key: str, read: Callable[[object], T], default: T = _MISSING) -> T:
    """`read(data[key])`; keys added after version 1 was first written have a default."""
    if key not in data:
        if default is _MISSING:
            raise StoreError(f"the recommendation is damaged, {key} is missing: {_AGAIN}")
        return default
    try:
        return read(data[key])
    except (TypeError, ValueError, OverflowError):
        raise StoreError(f"the recommendation is damaged, {key} cannot be {data[key]!r}: {_AGAIN}") from None


def json_object(data: object, what: str) -> dict[str, object]:
    if not isinstance(data, dict):
        raise StoreError(f"{what} must be a JSON object, not {data!r}")
    return data


def mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def evidence(value: object) -> Evidence:
    read: dict[str, float | int | str | bool | None] = {}
    for key, item in mapping(value).items():
        if not isinstance(item, str | bool | int | float | None):
            raise TypeError
        read[key] = item
    return read


def text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def number(value: object) -> float:
    """JSON has one kind of number, so 1 may stand for 1.0; Python's parser lets NaN through, we do not."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError
    return float(value)


def maybe(read: Callable[[object], T]) -> Callable[[object], T | None]:
    return lambda value: None if value is None else read(value)


def tuple_of(read: Callable[[object], T]) -> Callable[[object], tuple[T, ...]]:
    def read_all(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise TypeError
        return tuple(read(item) for item in value)

    return read_all


def configuration_object(configuration: Configuration) -> dict[str, object]:
    return {
        "workers": configuration.workers,
        "model_threads": configuration.model_threads,
        "processes": configuration.processes,
        "parameters": dict(configuration.parameters),
    }


def configuration(data: Mapping[str, object], default: Any = _MISSING) -> Configuration:
    """The keys of a configuration in `data`; `default=1` reads files from before all were written."""
    return Configuration(
        workers=take(data, "workers", whole),
        model_threads=take(data, "model_threads", whole, default),
        processes=take(data, "processes", whole, default),
        parameters=take(data, "parameters", _parameters, ()),
    )


def _parameters(value: object) -> tuple[tuple[str, int | str], ...]:
    found = mapping(value)
    return tuple(
        (name, item if isinstance(item, str) else whole(item)) for name, item in sorted(found.items())
    )


def interval(data: object) -> Interval:
    found = json_object(data, "an interval")
    return Interval(
        mean=take(found, "mean", number),
        low=take(found, "low", maybe(number)),
        high=take(found, "high", maybe(number)),
    )


def interval_object(interval: Interval | None) -> dict[str, float | None] | None:
    if interval is None or not math.isfinite(interval.mean):
        return None
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def latencies_object(latency_ms: Mapping[str, Interval]) -> dict[str, object]:
    latencies = {name: interval_object(interval) for name, interval in latency_ms.items()}
    known = {name: interval for name, interval in latencies.items() if interval is not None}
    return dict.fromkeys(LATENCY_KEYS) | known


def latencies(data: object) -> dict[str, Interval]:
    known = mapping(data)
    return {name: found for name in known if (found := take(known, name, maybe(interval))) is not None}


def finding_object(finding: Finding) -> dict[str, object]:
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        "evidence": finding.evidence,
    }
