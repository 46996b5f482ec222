"""Words and figures as every sentence, table and page has them: how many, how long, how much."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from sweeper.records.configuration import Configuration

PER_S = " requests/s"


def plural(number: int, one: str, more: str = "") -> str:
    """The word that goes with `number`; without `more` it takes an s."""
    return one if number == 1 else more or f"{one}s"


def counted(number: int, one: str, more: str = "") -> str:
    """1 run, 2 runs, 2 processes."""
    return f"{number} {plural(number, one, more)}"


def workers(number: int) -> str:
    return counted(number, "worker")


def users(number: int) -> str:
    return counted(number, "user")


def load_in_words(load: float, *, at_random: bool) -> str:
    """`50 users`, or `50 requests/s at random`."""
    return f"{load:g} requests/s at random" if at_random else users(round(load))


def loads_in_words(loads: Sequence[float], *, at_random: bool) -> str:
    """`10, 50 and 100 users`."""
    unit = "requests/s at random" if at_random else plural(round(max(loads)), "user")
    return f"{and_join([f'{load:g}' for load in loads])} {unit}"


def tally(counts: Mapping[str, int]) -> str:
    """`3 valid, 1 suspect`: what there is none of is left out."""
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def and_join(texts: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def capitalised(text: str) -> str:
    """The first letter alone: the rest may hold names."""
    return text[:1].upper() + text[1:]


def significant(value: float) -> str:
    """Three digits, and all of those before the point: 0.84, 12.3, 412, 1,859."""
    if value == 0 or not math.isfinite(value):
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(digits, 3)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rounded(value: float) -> str:
    """Three digits, zeros after them: 0.84, 12.3, 412, 1,860."""
    return f"{float(f'{value:.3g}'):,.10g}"


def three_digits(value: float) -> str:
    """For a column: 0.840, 12.3, 412, and 1,230 to the nearest ten; 0 for what is none or not known."""
    if value <= 0 or not math.isfinite(value):
        return "0"
    digits = max(0, 2 - math.floor(math.log10(value)))
    return f"{value:,.{digits}f}" if value < 1000 else f"{round(value, -1):,.0f}"


def cores(value: float) -> str:
    return f"{value:.1f}"


def core_count(value: float) -> str:
    """As it is spoken of: 2 cores, or 1.5 cores under a quota."""
    return f"{value:g} core{'' if value == 1 else 's'}"


def milliseconds(value: float) -> str:
    """What was measured: 12.3 ms, 412 ms, 1.35 s."""
    return f"{significant(value)} ms" if value < 999.5 else f"{value / 1000:.2f} s"


def limit_ms(value: float) -> str:
    """A limit as it was given: 500 ms."""
    return f"{value:g} ms"


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


def percent(share: float) -> str:
    """As many digits as it has: 5%, 99.5%."""
    return f"{round(share * 100, 6):g}%"


def megabytes(value: float) -> str:
    return f"{megabytes_alone(value)} MB"


def megabytes_alone(value: float) -> str:
    """For a column that names the unit."""
    return f"{value / 1e6:,.0f}"


def byte_count(number: int) -> str:
    """`512 bytes`, `12 kB`, `67 MB`, `1.2 GB`; units are powers of 1000."""
    for size, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if number >= size:
            return f"{rounded(number / size)} {unit}"
    return counted(number, "byte")


def rates(values: Iterable[float]) -> str:
    """One rate, or the range of several: `64 to 65 requests/s`."""
    texts = [significant(value) for value in sorted(values)]
    return (texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}") + PER_S


def factors(configuration: Configuration, *, processes: bool, model_threads: bool) -> str:
    """What its native threads are the product of: `2 processes x 1 worker x 4 model threads`."""
    parts = [workers(configuration.workers)]
    if processes:
        parts.insert(0, counted(configuration.processes, "process", "processes"))
    if model_threads:
        parts.append(counted(configuration.model_threads, "model thread"))
    return " x ".join(parts)


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
        return text + (f" with {and_join(named)}" if named else "")

    def verb(self, configuration: Configuration, singular: str, plural: str) -> str:
        """What goes with `full`."""
        alone = not (self._processes or self._model_threads)
        return singular if alone and configuration.workers == 1 else plural

    def all(self, configurations: Sequence[Configuration]) -> str:
        return and_join([self.short(configuration) for configuration in configurations])

    def verb_of_all(self, configurations: Sequence[Configuration], singular: str, plural: str) -> str:
        """What goes with `all`: `16 gives`, `8 and 16 give`, `16 workers x 2 model threads give`."""
        if len(configurations) != 1:
            return plural
        return singular if self._plain else self.verb(configurations[0], singular, plural)


def last_line(log: str, otherwise: str = "(nothing)") -> str:
    """The last line of a log that says something."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else otherwise
