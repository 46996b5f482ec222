"""The settings of `sweeper optimize`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from sweeper.notation import parameters, words
from sweeper.records import DRUMS_DEFAULT, Configuration, Objective
from sweeper.space import MODEL_THREADS, PROCESSES, WORKERS, Choices, Dimension, Space
from sweeper.study_settings.base import StudySettings
from sweeper.study_settings.kinds import AsText, Duration, ProcessesSpan, ThreadsSpan, WorkersSpan


class OptimizeSettings(StudySettings):
    """`sweeper optimize`: a space to search, how long, and how the finalists are told apart."""

    COMMAND = "optimize"

    workers: WorkersSpan = Field(
        Choices.between(1, 64),
        description="a range such as 1..64, or worker counts such as 1,4,8, from 1 to 1024",
    )
    model_threads: ThreadsSpan = Field(
        Choices((1,)), description="a number, a range such as 1..4, or numbers such as 1,2, from 1 to 256"
    )
    processes: ProcessesSpan = Field(
        Choices((1,)), description="a number, a range such as 1..2, or numbers such as 1,2, from 1 to 199"
    )
    tune: Annotated[dict[str, Annotated[Choices, AsText]], BeforeValidator(parameters)] = Field(
        {},
        max_length=8,
        description="up to 8 different runtime parameters, each with values, such as NAME=8,32,128 or "
        "NAME=1..64",
    )
    trials: int = Field(20, ge=1, le=1000, description="a whole number from 1 to 1000")
    search_window: Duration = Field(
        5.0, ge=2.0, le=3600.0, description="a duration from 2s to 60m, such as 5s", validate_default=True
    )
    objective: Annotated[
        tuple[Objective, ...],
        BeforeValidator(words),
        PlainSerializer(lambda found: ",".join(aim.value for aim in found)),
    ] = Field(
        (Objective.THROUGHPUT,), min_length=1, description="throughput, p99 or both, such as throughput,p99"
    )

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return self.objective

    @property
    def space(self) -> Space:
        named = {WORKERS: self.workers, MODEL_THREADS: self.model_threads, PROCESSES: self.processes}
        all_of_them = {**named, **dict(sorted(self.tune.items()))}
        return Space(tuple(Dimension(name, found) for name, found in all_of_them.items()))

    @property
    def reference(self) -> Configuration:
        return self.space.nearest(DRUMS_DEFAULT)
