"""The kinds of values that settings have: how each is read from text, its limits, and how it is written."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from sweeper.notation import LAST_CORE, choices, cpu_set, milliseconds, seconds
from sweeper.space import Choices

MOST_WORKERS, MOST_THREADS, MOST_PROCESSES = 1024, 256, 199
MOST_LOAD_PROCESSES, MOST_LOAD_WORKERS = 64, 1000
MOST_USERS = 10_000


def duration_text(value: float) -> str:
    """Exactly what `seconds` reads back: `:g` would round 1234.567 and write 0.00001 as 1e-05."""
    return f"{value:.9f}".rstrip("0").rstrip(".") + "s"


Duration = Annotated[float, BeforeValidator(seconds), PlainSerializer(duration_text)]
Milliseconds = Annotated[float, BeforeValidator(milliseconds)]
Cpus = Annotated[tuple[Annotated[int, Field(ge=0, le=LAST_CORE)], ...], BeforeValidator(cpu_set)]
WorkerCount = Annotated[int, Field(ge=1, le=MOST_WORKERS)]


def numbers_to(most: int) -> BeforeValidator:
    """`1..64`, `1,4,8` or `4`, of whole numbers from 1 to `most`."""

    def read(value: object) -> Choices:
        found = choices(value)
        if not all(isinstance(number, int) and 1 <= number <= most for number in found.values):
            raise ValueError(value)
        return found

    return BeforeValidator(read)


AsText = PlainSerializer(lambda found: found.text)
WorkersSpan = Annotated[Choices, numbers_to(MOST_WORKERS), AsText]
ThreadsSpan = Annotated[Choices, numbers_to(MOST_THREADS), AsText]
UserCount = Annotated[int, Field(ge=1, le=MOST_USERS)]
AsList = PlainSerializer(lambda found: ",".join(one.value for one in found))
ProcessesSpan = Annotated[Choices, numbers_to(MOST_PROCESSES), AsText]
