"""Figures as an engineer writes them down in a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from sweeper.records import Configuration

PER_S = " requests/s"


def several(texts: Sequence[str]) -> str:
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def significant(value: float) -> str:
    """Three digits: 0.84, 12.3, 412, 1,859."""
    if value == 0 or not math.isfinite(value):
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(digits, 3)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def cores(value: float) -> str:
    return f"{value:.1f}"


def count(value: float) -> str:
    """A number of cores as it is spoken of: 2, or 1.5 under a quota."""
    return f"{value:g} core{'' if value == 1 else 's'}"


def milliseconds(value: float) -> str:
    """12.3 ms, 412 ms, 1.35 s."""
    return f"{significant(value)} ms" if value < 999.5 else f"{value / 1000:.2f} s"


def megabytes(value: float) -> str:
    return f"{value / 1e6:,.0f} MB"


def rates(values: Iterable[float]) -> str:
    """One rate, or the range of several: `64 to 65 requests/s`."""
    texts = [significant(value) for value in sorted(values)]
    return (texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}") + PER_S


def workers(number: int) -> str:
    return "1 worker" if number == 1 else f"{number} workers"


def users(number: int) -> str:
    return "1 user" if number == 1 else f"{number} users"


class Names:
    """Configurations by their worker count where that tells them apart, else by their label."""

    def __init__(self, configurations: Iterable[Configuration]) -> None:
        self._plain = len({(c.model_threads, c.processes, c.parameters) for c in configurations}) < 2

    @property
    def kind(self) -> str:
        """What is told apart: counts (of workers), or whole configurations."""
        return "count" if self._plain else "configuration"

    def short(self, configuration: Configuration) -> str:
        return str(configuration.workers) if self._plain else configuration.label

    def full(self, configuration: Configuration) -> str:
        return workers(configuration.workers) if self._plain else configuration.label

    def verb(self, configuration: Configuration, singular: str, plural: str) -> str:
        """What goes with `full`."""
        return plural if self._plain and configuration.workers != 1 else singular

    def all(self, configurations: Sequence[Configuration]) -> str:
        return several([self.short(configuration) for configuration in configurations])
