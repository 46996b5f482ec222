"""The settings of `sweeper scenarios`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from sweeper.notation import counts, words
from sweeper.records import DRUMS_DEFAULT, Configuration, Objective
from sweeper.scenarios.terms import Scenario, ServerKind, Workload
from sweeper.study_settings.base import StudySettings
from sweeper.study_settings.kinds import (
    MOST_PROCESSES,
    MOST_THREADS,
    MOST_USERS,
    AsList,
    UserCount,
    WorkerCount,
)


class ScenarioSettings(StudySettings):
    """`sweeper scenarios`: two servers with the same model, side by side under several loads."""

    COMMAND = "scenarios"
    NOT_HERE = frozenset({"launcher", "users", "confirm", "quick", "expect_load_workers", "load_master_bind"})

    scenarios: Annotated[tuple[Scenario, ...], BeforeValidator(words), AsList] = Field(
        tuple(Scenario), min_length=1, description="one or more of single, concurrent and stress"
    )
    servers: Annotated[tuple[ServerKind, ...], BeforeValidator(words), AsList] = Field(
        (ServerKind.FASTAPI, ServerKind.GUNICORN),
        min_length=2,
        max_length=2,
        description="two different ones of fastapi, gunicorn, werkzeug, drum-fastapi and command",
    )
    workload: Workload = Field(Workload.CPU, description="cpu or io")
    workers: WorkerCount = Field(DRUMS_DEFAULT.workers, description="a whole number from 1 to 1024")
    processes: int = Field(1, ge=1, le=MOST_PROCESSES, description="a whole number from 1 to 199")
    model_threads: int = Field(1, ge=1, le=MOST_THREADS, description="a whole number from 1 to 256")
    concurrency: Annotated[tuple[UserCount, ...], BeforeValidator(counts)] = Field(
        (10, 50, 100),
        min_length=1,
        max_length=10,
        description="1 to 10 different numbers of users from 1 to 10000, such as 10,50,100",
    )
    max_users: int = Field(3200, ge=2, le=MOST_USERS, description="a whole number from 2 to 10000")
    max_blocks: int = Field(5, ge=2, le=100, description="a whole number from 2 to 100")

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return (Objective.THROUGHPUT,)

    @property
    def reference(self) -> Configuration:
        return Configuration(self.workers, self.model_threads, self.processes)

    @property
    def default_model(self) -> str:
        return "io-bound" if self.workload is Workload.IO else "xgboost"

    @property
    def most_users(self) -> int:
        stress = self.max_users if Scenario.STRESS in self.scenarios else 0
        return max(stress, *self.concurrency)
