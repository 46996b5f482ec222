"""Figures as an engineer writes them down in a sentence."""

from __future__ import annotations

import math
from collections import Counter
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
    return _plural(number, "worker", "workers")


def users(number: int) -> str:
    return _plural(number, "user", "users")


def factors(configuration: Configuration, *, processes: bool, model_threads: bool) -> str:
    """What its native threads are the product of: `2 processes x 1 worker x 4 model threads`."""
    parts = [workers(configuration.workers)]
    if processes:
        parts.insert(0, _plural(configuration.processes, "process", "processes"))
    if model_threads:
        parts.append(_plural(configuration.model_threads, "model thread", "model threads"))
    return " x ".join(parts)


def _plural(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


class Names:
    """Configurations by their worker count where that tells them apart, else by all that they differ in."""

    def __init__(self, configurations: Iterable[Configuration]) -> None:
        seen = tuple(configurations)
        self._processes = len({c.processes for c in seen}) > 1
        self._model_threads = len({c.model_threads for c in seen}) > 1
        having = Counter(pair for c in seen for pair in c.parameters)
        self._parameters = {name for (name, _), count in having.items() if count < len(seen)}
        self._plain = not (self._processes or self._model_threads or self._parameters)

    @property
    def kind(self) -> str:
        """What is told apart: counts (of workers), or whole configurations."""
        return "count" if self._plain else "configuration"

    def short(self, configuration: Configuration) -> str:
        return str(configuration.workers) if self._plain else self.full(configuration)

    def full(self, configuration: Configuration) -> str:
        text = factors(configuration, processes=self._processes, model_threads=self._model_threads)
        named = [f"{name}={value}" for name, value in configuration.parameters if name in self._parameters]
        return text + (f" with {several(named)}" if named else "")

    def verb(self, configuration: Configuration, singular: str, plural: str) -> str:
        """What goes with `full`."""
        alone = not (self._processes or self._model_threads)
        return singular if alone and configuration.workers == 1 else plural

    def all(self, configurations: Sequence[Configuration]) -> str:
        return several([self.short(configuration) for configuration in configurations])

    def verb_of_all(self, configurations: Sequence[Configuration], singular: str, plural: str) -> str:
        """What goes with `all`: `16 gives`, `8 and 16 give`, `16 workers x 2 model threads give`."""
        if len(configurations) != 1:
            return plural
        return singular if self._plain else self.verb(configurations[0], singular, plural)
