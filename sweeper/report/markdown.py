"""A pandas table as one of Markdown, for people: four significant digits, unknown figures as a dash."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype


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
    return is_numeric_dtype(dtype) and not is_bool_dtype(dtype)


def _cell(value: Any) -> str:
    if pd.isna(value):
        return "-"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    return str(value).replace("|", "\\|").replace("\n", " ")
