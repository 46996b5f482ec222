"""What tables have in common: their columns, figures with limits, counts of runs; and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.records.answer import Interval
from sweeper.records.configuration import Configuration

if TYPE_CHECKING:
    import pandas as pd  # takes long to import, and most tables do without

FEWEST_BLOCKS = 3
"""A table shows no interval over fewer blocks: that of two blocks is as wide as the figure itself."""


def varied(configurations: Iterable[Configuration]) -> dict[str, Callable[[Configuration], object]]:
    """What tells these configurations apart, by the heading it has in a table: the workers, and whatever else
    is not the same for all."""
    seen = tuple(configurations)
    parts: dict[str, Callable[[Configuration], object]] = {
        "workers": lambda c: c.workers,
        "model threads": lambda c: c.model_threads,
        "processes": lambda c: c.processes,
    }
    for name in sorted({name for c in seen for name, _ in c.parameters}):
        parts[name] = lambda c, name=name: dict(c.parameters).get(name)  # type: ignore[misc]
    return {
        name: part for name, part in parts.items() if name == "workers" or len({part(c) for c in seen}) > 1
    }


def with_limits(
    interval: Interval | None, show: Callable[[float], str], between: str = "..", without: str = ""
) -> str:
    """`0.71 (0.66..0.77)`; a dash for nothing, `without` after a mean that has no limits."""
    if interval is None:
        return "-"
    if interval.low is None or interval.high is None:
        return show(interval.mean) + without
    return f"{show(interval.mean)} ({show(interval.low)}{between}{show(interval.high)})"


def ratio(value: float) -> str:
    return f"{value:.2f}"


def share(value: float | None) -> str:
    """`1.2%`; a dash where it is not known."""
    return "-" if value is None else f"{value:.1%}"


def run_counts(valid: int, suspect: int, failed: int) -> str:
    """The valid runs, and what there is besides: `12 +1 suspect`."""
    text = str(valid)
    if suspect:
        text += f" +{suspect} suspect"
    if failed:
        text += f" +{failed} failed"
    return text


def markdown(frame: pd.DataFrame) -> str:
    """Numbers to the right, the rest to the left; ends with a line break."""
    right = [_is_number(frame[name].dtype) for name in frame.columns]
    columns = [[str(name), *map(_cell, frame[name])] for name in frame.columns]
    widths = [max(3, *map(len, column)) for column in columns]
    rows = [
        [
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(row, widths, right, strict=True)
        ]
        for row in zip(*columns, strict=True)
    ]
    rule = [
        "-" * (width - 1) + ":" if number else "-" * width
        for width, number in zip(widths, right, strict=True)
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in [rows[0], rule, *rows[1:]])


def _is_number(dtype: Any) -> bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return is_numeric_dtype(dtype) and not is_bool_dtype(dtype)


def _cell(value: Any) -> str:
    import pandas as pd

    if pd.isna(value):
        return "-"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    return str(value).replace("|", "\\|").replace("\n", " ")
