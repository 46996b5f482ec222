"""The settings of a study, their limits, and what is right for each in words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from sweeper.records import Configuration, Objective
from sweeper.statistics.rule import Rule
from sweeper.study_settings.kinds import (
    MOST_LOAD_PROCESSES,
    MOST_LOAD_WORKERS,
    MOST_USERS,
    Cpus,
    Duration,
    Milliseconds,
)

LOOKS = (2, 3, 5, 7, 10, 14, 20, 28, 40, 56, 80)
ON_OR_OFF = ("confirm", "interleave")  # settings that are on unless somebody turns them off


class StudySettings(BaseModel, ABC):
    """Everything that decides what any study measures. Field descriptions say what values are right."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    COMMAND: ClassVar[str]
    NOT_HERE: ClassVar[frozenset[str]] = frozenset()
    """Settings of other commands that this one does without."""

    model: str | None = Field(None, min_length=1, description="the name of a folder under models/")
    code_dir: str | None = Field(None, min_length=1, description="a DRUM code folder")
    data: str | None = Field(None, min_length=1, description="a CSV file of rows to predict")
    locustfile: str | None = Field(None, min_length=1, description="a locust file (Python)")
    launcher: Literal["fastapi", "drum", "command"] = Field(
        "fastapi", description="one of fastapi, drum, command"
    )
    server_command: str | None = Field(
        None,
        pattern=r"\{port\}",
        description="a command line in which {port} stands for the port to listen on",
    )
    ready_path: str = Field(
        "/ping/", pattern=r"^/\S*$", description="a path that starts with / and has no spaces, such as /ping/"
    )
    users: int = Field(100, ge=1, le=MOST_USERS, description="a whole number from 1 to 10000")
    load_processes: int = Field(1, ge=1, le=MOST_LOAD_PROCESSES, description="a whole number from 1 to 64")
    expect_load_workers: int | None = Field(
        None, ge=1, le=MOST_LOAD_WORKERS, description="a whole number from 1 to 1000"
    )
    load_master_bind: str | None = Field(
        None,
        pattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}(:[0-9]{1,5})?$",
        description="an IPv4 address of this machine, such as 10.0.0.5 or 10.0.0.5:5557",
    )
    window: Duration = Field(
        10.0, ge=2.0, le=3600.0, description="a duration from 2s to 60m, such as 10s", validate_default=True
    )
    warmup: Duration = Field(3.0, ge=0.0, le=600.0, description="a duration from 0s to 10m, such as 3s")
    warmup_cap: Duration = Field(
        20.0, ge=1.0, le=1800.0, description="a duration from 1s to 30m, such as 20s"
    )
    drain: Duration = Field(30.0, ge=0.1, le=600.0, description="a duration from 100ms to 10m, such as 30s")
    start_timeout: Duration = Field(
        120.0, ge=1.0, le=3600.0, description="a duration from 1s to 60m, such as 120s"
    )
    min_blocks: int = Field(3, ge=2, le=100, description="a whole number from 2 to 100")
    max_blocks: int = Field(10, ge=2, le=100, description="a whole number from 2 to 100")
    quick: bool = Field(False, description="true or false")
    confirm: bool = Field(True, description="true or false")
    interleave: bool = Field(True, description="true or false")
    slo_p99: Milliseconds | None = Field(
        None,
        gt=0,
        le=3_600_000,
        description="milliseconds above 0, up to an hour, such as 500 (or 500ms, 0.5s)",
    )
    max_error_rate: float = Field(
        0.01, ge=0, lt=1, description="a fraction from 0 to below 1, such as 0.01 for 1%"
    )
    tolerance: float = Field(
        0.05, gt=0, le=0.5, description="a fraction above 0, up to 0.5, such as 0.05 for 5%"
    )
    confidence: float = Field(
        0.95, ge=0.5, le=0.999, description="a fraction from 0.5 to 0.999, such as 0.95 for 95%"
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="a whole number from 0 to 2147483647")
    server_cpus: Cpus | None = Field(None, min_length=1, description="core numbers such as 0-3,8")
    load_cpus: Cpus | None = Field(None, min_length=1, description="core numbers such as 4,5")

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value(cls, value: object, info: ValidationInfo) -> object:
        """`users = true` in a file is not 1."""
        if isinstance(value, bool) and info.field_name not in ("quick", *ON_OR_OFF):
            raise ValueError(value)
        return value

    @property
    def looks(self) -> tuple[int, ...]:
        """The blocks after which the study may stop, planned before the first run."""
        inner = [look for look in LOOKS if self.min_blocks < look < self.max_blocks]
        return tuple(sorted({self.min_blocks, *inner, self.max_blocks}))

    @property
    @abstractmethod
    def objectives(self) -> tuple[Objective, ...]:
        """What is aimed at; the first one decides."""

    @property
    @abstractmethod
    def reference(self) -> Configuration:
        """DRUM's default, or what of this study comes closest to it."""

    @property
    def subject(self) -> str:
        """What is measured, in a word: the model, the code folder, or that it is somebody's own command."""
        folder = (self.code_dir or "").rstrip("/").rpartition("/")[2].strip(".")
        return self.model or folder or ("command" if self.launcher == "command" else self.default_model)

    @property
    def default_model(self) -> str:
        """What is measured where nothing is named."""
        return "xgboost"

    @property
    def most_users(self) -> int:
        """At once, in any run."""
        return self.users

    @property
    def in_turns(self) -> bool:
        """Whether the runs of a block take turns: load that other hosts make cannot be stopped for that."""
        return self.interleave and self.expect_load_workers is None

    @property
    def rule(self) -> Rule:
        return Rule(
            objective=self.objectives[0],
            tolerance=self.tolerance,
            confidence=self.confidence,
            looks=self.looks,
            slo_p99_ms=self.slo_p99,
            max_error_rate=self.max_error_rate,
        )

    def plain(self) -> dict[str, Any]:
        """As in a file: the command and every setting that is not None, in the file's own notation."""
        kept = self.model_dump(mode="json", exclude_none=True, exclude=set(self.NOT_HERE))
        return {"command": self.COMMAND, **kept}
