"""The space a search looks in: what each part of a configuration may be."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sweeper.records import Configuration

Value = int | str
WORKERS, MODEL_THREADS, PROCESSES = "workers", "model_threads", "processes"


@dataclass(frozen=True, slots=True)
class Choices:
    """Different values: numbers in ascending order, or words as they were given. `is_range`: every whole
    number from the first to the last, of which large ones differ less than small ones do."""

    values: tuple[Value, ...]
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
        """The value that is the fewest times larger or smaller; of words that one, or the first."""
        if value in self.values:
            return value
        numbers = [own for own in self.values if isinstance(own, int)]
        if not isinstance(value, int) or len(numbers) < len(self.values):
            return self.values[0]
        return min(numbers, key=lambda own: abs(math.log((own + 1) / (value + 1))))


@dataclass(frozen=True, slots=True)
class Dimension:
    """One part of a configuration, under the name of the setting or of DRUM's runtime parameter."""

    name: str
    choices: Choices

    @property
    def is_fixed(self) -> bool:
        return len(self.choices.values) == 1


@dataclass(frozen=True, slots=True)
class Space:
    """`dimensions`: workers, model_threads and processes, then runtime parameters by name."""

    dimensions: tuple[Dimension, ...]

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
        """What in this space comes closest; runtime parameters it does not name have their first value."""
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
