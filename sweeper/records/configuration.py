"""A configuration, and the space a search looks in: what each part of a configuration may be."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import total_ordering


@total_ordering
@dataclass(frozen=True, slots=True)
class Configuration:
    """One point of the search space.

    Sorted by cost: first by processes, since each holds a copy of the model, then by threads.
    """

    workers: int  # threads for predictions, of each process
    model_threads: int = 1  # native threads of the model, of each worker
    processes: int = 1  # of the server
    # further runtime parameters of DRUM: (name, value), by name
    parameters: tuple[tuple[str, int | str], ...] = ()

    def __lt__(self, other: Configuration) -> bool:
        return self._frugality < other._frugality

    @property
    def native_threads(self) -> int:
        """What the cores may see at once: every worker brings its model's own threads."""
        return self.processes * self.workers * self.model_threads

    @property
    def _frugality(self) -> tuple[object, ...]:
        return self.processes, self.native_threads, self.workers, self.parameters

    @property
    def label(self) -> str:
        parts = [f"workers={self.workers}"]
        if self.model_threads != 1:
            parts.append(f"model_threads={self.model_threads}")
        if self.processes != 1:
            parts.append(f"processes={self.processes}")
        parts += [f"{name}={value}" for name, value in self.parameters]
        return " ".join(parts)


DRUMS_DEFAULT = Configuration(workers=4)


Value = int | str
WORKERS, MODEL_THREADS, PROCESSES = "workers", "model_threads", "processes"


@dataclass(frozen=True, slots=True)
class Choices:
    """Different values of one part of a configuration."""

    values: tuple[Value, ...]  # numbers in ascending order, or words as they were given
    # every whole number from the first to the last, of which large ones differ less than small ones do
    is_range: bool = False

    @classmethod
    def between(cls, low: int, high: int) -> Choices:
        return cls(tuple(range(low, high + 1)), is_range=low < high)

    @property
    def text(self) -> str:
        """As it is written: `1..64` or `1,4,8`."""
        if self.is_range:
            return f"{self.values[0]}..{self.values[-1]}"
        return ",".join(str(value) for value in self.values)

    def nearest(self, value: Value) -> Value:
        """The number closest to `value` by ratio; among words, `value` itself or else the first one."""
        if value in self.values:
            return value
        numbers = [own for own in self.values if isinstance(own, int)]
        if not isinstance(value, int) or len(numbers) < len(self.values):
            return self.values[0]
        return min(numbers, key=lambda own: abs(math.log((own + 1) / (value + 1))))


@dataclass(frozen=True, slots=True)
class Dimension:
    """One part of a configuration."""

    name: str  # of the setting, or of DRUM's runtime parameter
    choices: Choices

    @property
    def is_fixed(self) -> bool:
        return len(self.choices.values) == 1


@dataclass(frozen=True, slots=True)
class Space:
    """All configurations that a search may try."""

    dimensions: tuple[Dimension, ...]  # workers, model_threads and processes, then runtime parameters by name

    @property
    def size(self) -> int:
        """How many different configurations there are."""
        return math.prod(len(dimension.choices.values) for dimension in self.dimensions)

    @property
    def open(self) -> tuple[Dimension, ...]:
        """What there is to choose."""
        return tuple(dimension for dimension in self.dimensions if not dimension.is_fixed)

    def __iter__(self) -> Iterator[Configuration]:
        names = [dimension.name for dimension in self.dimensions]
        for values in itertools.product(*(dimension.choices.values for dimension in self.dimensions)):
            yield configuration_of(dict(zip(names, values, strict=True)))

    def configuration(self, chosen: Mapping[str, Value]) -> Configuration:
        """The one with these values of the open dimensions."""
        fixed = {d.name: d.choices.values[0] for d in self.dimensions if d.is_fixed}
        return configuration_of({**fixed, **chosen})

    def chosen(self, configuration: Configuration) -> dict[str, Value]:
        """Its values of the open dimensions."""
        values = values_of(configuration)
        return {dimension.name: values[dimension.name] for dimension in self.open}

    def nearest(self, configuration: Configuration) -> Configuration:
        """The closest configuration of this space. A parameter that the argument lacks gets its first
        value."""
        values = values_of(configuration)
        return configuration_of(
            {d.name: d.choices.nearest(values.get(d.name, d.choices.values[0])) for d in self.dimensions}
        )

    def ends(self, middle: Configuration) -> tuple[Configuration, ...]:
        """The fewest and the most workers, everything else as in `middle`."""
        workers = next(d for d in self.dimensions if d.name == WORKERS).choices.values
        values = values_of(middle)
        return tuple(configuration_of({**values, WORKERS: end}) for end in (workers[0], workers[-1]))


def values_of(configuration: Configuration) -> dict[str, Value]:
    return {
        WORKERS: configuration.workers,
        MODEL_THREADS: configuration.model_threads,
        PROCESSES: configuration.processes,
        **dict(configuration.parameters),
    }


def configuration_of(values: Mapping[str, Value]) -> Configuration:
    """The inverse of `values_of`."""
    rest = sorted((n, v) for n, v in values.items() if n not in (WORKERS, MODEL_THREADS, PROCESSES))
    return Configuration(
        workers=int(values[WORKERS]),
        model_threads=int(values[MODEL_THREADS]),
        processes=int(values[PROCESSES]),
        parameters=tuple(rest),
    )
