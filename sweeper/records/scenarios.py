"""What a comparison of two servers was planned to be, before its first run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sweeper.records.configuration import Configuration
from sweeper.records.run import Case, RunPlan


class Scenario(StrEnum):
    """In the order they are run."""

    SINGLE = "single"
    CONCURRENT = "concurrent"
    STRESS = "stress"


class Workload(StrEnum):
    """What the model does with its time; what is claimed of the servers differs by it."""

    CPU = "cpu"
    IO = "io"

    @property
    def bound(self) -> str:
        return "CPU-bound" if self is Workload.CPU else "I/O-bound"


class ServerKind(StrEnum):
    """`fastapi` and `command` are as in the launchers; the others are the installed DRUM's."""

    FASTAPI = "fastapi"
    GUNICORN = "gunicorn"
    WERKZEUG = "werkzeug"
    DRUM_FASTAPI = "drum-fastapi"
    COMMAND = "command"

    @property
    def is_drum(self) -> bool:
        return self in (ServerKind.GUNICORN, ServerKind.WERKZEUG, ServerKind.DRUM_FASTAPI)

    @property
    def has_pool(self) -> bool:
        """Whether the worker count means anything to it."""
        return self not in (ServerKind.GUNICORN, ServerKind.WERKZEUG)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the comparison was planned to be. Ratios are first server ÷ second."""

    servers: tuple[ServerKind, ServerKind]
    configurations: Mapping[ServerKind, Configuration]
    scenarios: tuple[Scenario, ...]
    workload: Workload
    concurrency: tuple[int, ...]  # numbers of users of the scenario of that name
    looks: tuple[int, ...]  # blocks after which a scenario may end
    confidence: float
    tolerance: float  # share of a figure that is no difference
    seed: int
    max_users: int  # of the stress
    max_error_rate: float  # under which a load is good, as a share
    slo_p99_ms: float | None  # likewise; None: none is set

    def users(self, scenario: Scenario) -> tuple[int, ...]:
        """Those of each block; a stress finds its own."""
        return (1,) if scenario is Scenario.SINGLE else self.concurrency

    def planned(
        self, scenario: Scenario, server: ServerKind, users: int, block: int, position: int
    ) -> RunPlan:
        """Its id is like `concurrent-b02-03-gunicorn-u50`."""
        return RunPlan(
            f"{scenario}-b{block:02d}-{position:02d}-{server}-u{users}",
            block,
            position,
            self.configurations[server],
            case=Case(scenario, server, users),
        )
