"""The settings of `sweeper grid`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from sweeper.notation import counts
from sweeper.records import DRUMS_DEFAULT, Configuration, Objective
from sweeper.study_settings.base import StudySettings
from sweeper.study_settings.kinds import MOST_THREADS, WorkerCount

DEFAULT_WORKERS = (1, 4, 8, 16, 32)


class GridSettings(StudySettings):
    """`sweeper grid`: worker counts, each with every other setting alike."""

    COMMAND = "grid"

    workers: Annotated[tuple[WorkerCount, ...], BeforeValidator(counts)] = Field(
        DEFAULT_WORKERS,
        min_length=2,
        max_length=32,
        description="2 to 32 different worker counts from 1 to 1024, such as 1,4,8,16,32",
    )
    model_threads: int = Field(1, ge=1, le=MOST_THREADS, description="a whole number from 1 to 256")
    objective: Objective = Field(Objective.THROUGHPUT, description="throughput or p99")

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return (self.objective,)

    @property
    def reference(self) -> Configuration:
        return Configuration(DRUMS_DEFAULT.workers, self.model_threads)

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        return tuple(Configuration(workers, self.model_threads) for workers in self.workers)
