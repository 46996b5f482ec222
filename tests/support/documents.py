"""Whether a JSON document says all that a record holds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sweeper.records.answer import Interval
from sweeper.records.configuration import Configuration


def assert_says(document: Any, record: Any, at: str = "") -> None:
    """Assert that `document` has every field of `record`, at any depth, with its name and value. A number
    that is not finite is null, and a mapping may leave out an interval with such a mean. The configuration
    may appear as its settings beside the other fields.
    """
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if field.name == "configuration" and "configuration" not in document:
            _assert_is({name: document[name] for name in settings_of(value)}, value, f"{at}.configuration")
        elif field.name == "loads" and value is None:
            assert "loads" not in document, at  # a key of studies of several loads only
        else:
            assert field.name in document, f"{at}.{field.name} is missing"
            _assert_is(document[field.name], value, f"{at}.{field.name}")


def settings_of(configuration: Configuration) -> dict[str, Any]:
    return {**dataclasses.asdict(configuration), "parameters": dict(configuration.parameters)}


def _assert_is(found: Any, value: Any, at: str) -> None:
    if isinstance(value, Configuration):
        assert found == settings_of(value), at
    elif isinstance(value, Interval) and not math.isfinite(value.mean):
        assert found is None, at
    elif dataclasses.is_dataclass(value):
        assert_says(found, value, at)
    elif isinstance(value, Mapping):
        assert isinstance(found, dict), at
        assert all(found[name] is None for name in found.keys() - value.keys()), at
        for name, item in value.items():
            assert name in found or isinstance(item, Interval), f"{at}.{name} is missing"
            _assert_is(found.get(name), item, f"{at}.{name}")
    elif isinstance(value, list | tuple):
        assert isinstance(found, list) and len(found) == len(value), at
        for index, (one, item) in enumerate(zip(found, value, strict=True)):
            _assert_is(one, item, f"{at}[{index}]")
    else:
        if isinstance(value, float) and not math.isfinite(value):
            value = None
        if isinstance(value, StrEnum):
            value = value.value
        assert (type(found), found) == (type(value), value), at
