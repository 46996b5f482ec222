"""The settings of `sweeper scenarios`: two servers, several loads, one setting of each server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from sweeper.records.configuration import DRUMS_DEFAULT, Configuration
from sweeper.records.run import Objective
from sweeper.records.scenarios import Scenario, ServerKind, Workload
from sweeper.settings.command_line_option import LOAD, TARGET, TIME, Option
from sweeper.settings.economics_settings import OF_ECONOMICS
from sweeper.settings.model_settings import DEFAULT_MODEL
from sweeper.settings.notation import (
    MOST_USERS,
    AsList,
    Blocks,
    ProcessCount,
    ThreadCount,
    UserCount,
    WorkerCount,
    counts,
    whole,
    words,
)
from sweeper.settings.remote_settings import OF_A_REMOTE_SERVER
from sweeper.settings.study_settings import SAME_THREADS, WHEN_IN_TURNS, StudySettings

IO_MODEL = "io-bound"


class ScenarioSettings(StudySettings):
    """`sweeper scenarios`: two servers with the same model, side by side under several loads."""

    COMMAND = "scenarios"
    NOT_HERE = frozenset(
        {
            "launcher",
            "users",
            "rate",
            "confirm",
            "quick",
            "expect_load_workers",
            "load_master_bind",
            *OF_A_REMOTE_SERVER,
            *OF_ECONOMICS,
        }
    )

    OTHER_WORDS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "model": {"default": f"{DEFAULT_MODEL}, or {IO_MODEL} with --workload io"},
        "slo_p99": {"help": "Limit for p99; stress ends above it, too."},
        "max_error_rate": {"help": "Share of requests that may fail; stress ends above it."},
        "tolerance": {
            "help": "A p99 that is lower, or a throughput that is higher, by less than this share does not "
            "count as better."
        },
        "confidence": {"help": "Confidence of each expectation's verdict."},
        "interleave": {
            "help": "In the scenario concurrent with --workload cpu, the runs of a block take turns of half "
            "a second, so that all see the same host. Use --no-interleave for servers that wait for "
            "something outside.",
            "default": WHEN_IN_TURNS,
        },
    }

    scenarios: Annotated[
        tuple[Scenario, ...],
        BeforeValidator(words),
        AsList,
        Field(min_length=1, description="one or more of single, concurrent and stress"),
        Option(
            "single (one user), concurrent (10, 50, 100 users), stress (more users until a limit is passed), "
            "all (these three), or tuning (the worker grid). Several like single,concurrent.",
            TARGET,
            default="all",
            argument="scenario",
        ),
    ] = tuple(Scenario)
    servers: Annotated[
        tuple[ServerKind, ...],
        BeforeValidator(words),
        AsList,
        Field(
            min_length=2,
            max_length=2,
            description="two different ones of fastapi, gunicorn, werkzeug, drum-fastapi and command",
        ),
        Option(
            "The two to compare, the FastAPI one first: fastapi (ours); gunicorn, werkzeug or drum-fastapi "
            "(of the installed DRUM); command (your --server-command).",
            TARGET,
            "A,B",
        ),
    ] = (ServerKind.FASTAPI, ServerKind.GUNICORN)
    workload: Annotated[
        Workload,
        Field(description="cpu or io"),
        Option(
            "Whether the model computes (cpu) or waits (io). This decides which expectations are tested and, "
            "if you name no model, which model is measured.",
            TARGET,
            "NAME",
        ),
    ] = Workload.CPU
    workers: Annotated[WorkerCount, Option("Threads of the servers that have a pool.", TARGET, "N")] = (
        DRUMS_DEFAULT.workers
    )
    processes: Annotated[
        ProcessCount, Option("Processes of both servers (CUSTOM_MODEL_WORKERS).", TARGET, "N")
    ] = 1
    model_threads: Annotated[ThreadCount, SAME_THREADS] = 1
    concurrency: Annotated[
        tuple[UserCount, ...],
        BeforeValidator(counts),
        Field(
            min_length=1,
            max_length=10,
            description="1 to 10 different numbers of users from 1 to 10000, such as 10,50,100",
        ),
        Option("Numbers of users in the scenario concurrent.", LOAD, "LIST"),
    ] = (10, 50, 100)
    max_users: Annotated[int, whole(2, MOST_USERS), Option("Most users under stress.", LOAD, "N")] = 3200
    max_blocks: Annotated[Blocks, Option("Most blocks.", TIME, "N")] = 5

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return (Objective.THROUGHPUT,)

    @property
    def reference(self) -> Configuration:
        return Configuration(self.workers, self.model_threads, self.processes)

    @property
    def default_model(self) -> str:
        return IO_MODEL if self.workload is Workload.IO else DEFAULT_MODEL

    @property
    def most_users(self) -> int:
        stress = self.max_users if Scenario.STRESS in self.scenarios else 0
        return max(stress, *self.concurrency)
