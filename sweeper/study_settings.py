"""The settings of a study, their limits, and what is right for each in words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
)

from sweeper.notation import (
    LAST_CORE,
    choices,
    counts,
    cpu_set,
    milliseconds,
    parameters,
    seconds,
    words,
)
from sweeper.records import DRUMS_DEFAULT, Configuration, Objective
from sweeper.scenarios.terms import Scenario, ServerKind, Workload
from sweeper.space import MODEL_THREADS, PROCESSES, WORKERS, Choices, Dimension, Space
from sweeper.statistics.rule import Rule

DEFAULT_WORKERS = (1, 4, 8, 16, 32)
MOST_WORKERS, MOST_THREADS, MOST_PROCESSES = 1024, 256, 199
MOST_LOAD_PROCESSES, MOST_LOAD_WORKERS = 64, 1000
MOST_USERS = 10_000
LOOKS = (2, 3, 5, 7, 10, 14, 20, 28, 40, 56, 80)
ON_OR_OFF = ("confirm", "interleave")  # settings that are on unless somebody turns them off


def _duration_text(value: float) -> str:
    """Exactly what `seconds` reads back: `:g` would round 1234.567 and write 0.00001 as 1e-05."""
    return f"{value:.9f}".rstrip("0").rstrip(".") + "s"


Duration = Annotated[float, BeforeValidator(seconds), PlainSerializer(_duration_text)]
Milliseconds = Annotated[float, BeforeValidator(milliseconds)]
Cpus = Annotated[tuple[Annotated[int, Field(ge=0, le=LAST_CORE)], ...], BeforeValidator(cpu_set)]
WorkerCount = Annotated[int, Field(ge=1, le=MOST_WORKERS)]


def _numbers(most: int) -> BeforeValidator:
    """`1..64`, `1,4,8` or `4`, of whole numbers from 1 to `most`."""

    def read(value: object) -> Choices:
        found = choices(value)
        if not all(isinstance(number, int) and 1 <= number <= most for number in found.values):
            raise ValueError(value)
        return found

    return BeforeValidator(read)


AsText = PlainSerializer(lambda found: found.text)
WorkersSpan = Annotated[Choices, _numbers(MOST_WORKERS), AsText]
ThreadsSpan = Annotated[Choices, _numbers(MOST_THREADS), AsText]
UserCount = Annotated[int, Field(ge=1, le=MOST_USERS)]
AsList = PlainSerializer(lambda found: ",".join(one.value for one in found))
ProcessesSpan = Annotated[Choices, _numbers(MOST_PROCESSES), AsText]


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
        None, pattern=r"\{port\}", description="a command line with {port} in it"
    )
    ready_path: str = Field("/ping/", pattern=r"^/\S*$", description="a path that starts with /")
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
        None, gt=0, le=3_600_000, description="milliseconds above 0, such as 500"
    )
    max_error_rate: float = Field(0.01, ge=0, lt=1, description="a share from 0 to below 1, such as 0.01")
    tolerance: float = Field(0.05, gt=0, le=0.5, description="a share above 0 up to 0.5, such as 0.05")
    confidence: float = Field(0.95, ge=0.5, le=0.999, description="a share from 0.5 to 0.999, such as 0.95")
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


class GridSettings(StudySettings):
    """`sweeper grid`: worker counts, each with every other setting alike."""

    COMMAND = "grid"

    workers: Annotated[tuple[WorkerCount, ...], BeforeValidator(counts)] = Field(
        DEFAULT_WORKERS,
        min_length=2,
        max_length=32,
        description="two or more different worker counts from 1 to 1024, such as 1,4,8,16,32",
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
        description="different names of runtime parameters, each with values, such as NAME=8,32,128 or "
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
        (10, 50, 100), min_length=1, max_length=10, description="numbers of users, such as 10,50,100"
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


COMMANDS: dict[str, type[StudySettings]] = {
    kind.COMMAND: kind for kind in (GridSettings, OptimizeSettings, ScenarioSettings)
}


def setting_names(command: str) -> tuple[str, ...]:
    kind = COMMANDS[command]
    return tuple(name for name in kind.model_fields if name not in kind.NOT_HERE)


ANY_SETTING = tuple(dict.fromkeys(name for command in COMMANDS for name in setting_names(command)))
