"""Figures as text, as tables and sentences have them."""

from __future__ import annotations

import math
from collections.abc import Callable

from sweeper.answers import Interval, Recommendation


def milliseconds(value: float) -> str:
    """Three significant digits, thousands with a comma: 0.840, 12.3, 412, 1,230."""
    if value <= 0 or not math.isfinite(value):
        return "0"
    digits = max(0, 2 - math.floor(math.log10(value)))
    return f"{value:,.{digits}f}" if value < 1000 else f"{round(value, -1):,.0f}"


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


def duration(seconds: float) -> str:
    """18.2 -> `18 s`, 312 -> `5 min 12 s`, 7300 -> `2 h 2 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def run_counts(valid: int, suspect: int, failed: int) -> str:
    """The valid runs, and what there is besides: `12 +1 suspect`."""
    text = str(valid)
    if suspect:
        text += f" +{suspect} suspect"
    if failed:
        text += f" +{failed} failed"
    return text


def valid_blocks(recommendation: Recommendation) -> str:
    count = recommendation.blocks
    return f"{count} valid block{'' if count == 1 else 's'}"
