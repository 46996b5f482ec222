"""The settings of a study: their names, limits and texts, and how flag, environment and file combine.

One name serves everywhere: `--max-blocks 10`, `SWEEPER_MAX_BLOCKS=10` and `max_blocks = 10` in a file.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from sweeper.errors import UsageError
from sweeper.notation import LAST_CORE, counts, cpu_set, milliseconds, seconds
from sweeper.records import Configuration, Objective
from sweeper.statistics.decision import Rule

ENVIRONMENT_PREFIX = "SWEEPER_"
DEFAULT_WORKERS = (1, 4, 8, 16, 32)
REFERENCE_WORKERS = 4  # DRUM's default pool size
LOOKS = (2, 3, 5, 7, 10, 14, 20, 28, 40, 56, 80)
ON_OR_OFF = ("confirm", "interleave")  # settings that are on unless somebody turns them off
QUICK = {"window": "5s", "min_blocks": 2, "max_blocks": 2}


def _duration_text(value: float) -> str:
    """Exactly what `seconds` reads back: `:g` would round 1234.567 and write 0.00001 as 1e-05."""
    return f"{value:.9f}".rstrip("0").rstrip(".") + "s"


Duration = Annotated[float, BeforeValidator(seconds), PlainSerializer(_duration_text)]
Milliseconds = Annotated[float, BeforeValidator(milliseconds)]
Cpus = Annotated[tuple[Annotated[int, Field(ge=0, le=LAST_CORE)], ...], BeforeValidator(cpu_set)]
WorkerCount = Annotated[int, Field(ge=1, le=1024)]


_TRUTH = TypeAdapter(bool)


class StudySettings(BaseModel):
    """Everything that decides what a study measures. Field descriptions say what values are right."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    command: Literal["grid"] = Field("grid", description="grid")
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
    workers: Annotated[tuple[WorkerCount, ...], BeforeValidator(counts)] = Field(
        DEFAULT_WORKERS,
        min_length=2,
        max_length=32,
        description="two or more different worker counts from 1 to 1024, such as 1,4,8,16,32",
    )
    model_threads: int = Field(1, ge=1, le=256, description="a whole number from 1 to 256")
    users: int = Field(100, ge=1, le=10_000, description="a whole number from 1 to 10000")
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
    objective: Objective = Field(Objective.THROUGHPUT, description="throughput or p99")
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
    def rule(self) -> Rule:
        return Rule(
            objective=self.objective,
            tolerance=self.tolerance,
            confidence=self.confidence,
            looks=self.looks,
            slo_p99_ms=self.slo_p99,
            max_error_rate=self.max_error_rate,
        )

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        return tuple(Configuration(workers, self.model_threads) for workers in self.workers)

    def plain(self) -> dict[str, Any]:
        """As in a file: every setting that is not None, in the file's own notation."""
        return self.model_dump(mode="json", exclude_none=True)


SETTINGS = tuple(name for name in StudySettings.model_fields if name != "command")


@dataclass(frozen=True, slots=True)
class Given:
    """Settings as somebody gave them, with the name to use for each in a message."""

    values: Mapping[str, object]
    names: Mapping[str, str]


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def combine(
    flags: Mapping[str, object],
    environment: Mapping[str, str],
    file: Mapping[str, object],
    file_name: str = "",
    other_variables: Iterable[str] = (),
) -> Given:
    """Flags beat the environment, the environment beats the file. Raises UsageError on unknown names.

    `other_variables` are names after the prefix that are known but are no setting of a study.
    """
    variables = {
        key.removeprefix(ENVIRONMENT_PREFIX).lower(): value
        for key, value in environment.items()
        if key.startswith(ENVIRONMENT_PREFIX)
    }
    known = {*SETTINGS, *(other.lower() for other in other_variables)}
    for name in sorted(variables.keys() - known):
        raise UsageError(
            f"{ENVIRONMENT_PREFIX}{name.upper()} is not a setting{_nearest(name, SETTINGS, _variable)}"
        )
    for name in sorted(file.keys() - set(SETTINGS) - {"command"}):
        raise UsageError(f"{file_name}: '{name}' is not a setting{_nearest(name, SETTINGS, str)}")
    values: dict[str, object] = {}
    names: dict[str, str] = {}
    for name in ("command", *SETTINGS):
        if flags.get(name) is not None:
            values[name], names[name] = flags[name], flag(name)
        elif name in variables:
            values[name], names[name] = variables[name], _variable(name)
        elif name in file:
            values[name], names[name] = file[name], f"{name} in {file_name}"
    return Given(values, names)


def _variable(name: str) -> str:
    return ENVIRONMENT_PREFIX + name.upper()


def _nearest(name: str, known: Iterable[str], show: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {show(close[0])}?" if close else ""


def settings(given: Given, defaults: Mapping[str, object] | None = None) -> StudySettings:
    """Validated settings: `defaults` (a resumed study's) under what was given.

    Raises UsageError with one sentence: the name as the user wrote it, the value, what would be right.
    """
    values = {**(defaults or {}), **given.values}
    if _is_true(values.get("quick")):
        _check_quick(given)
        values = {"confirm": False, **values, **QUICK}
    try:
        result = StudySettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        shown = given.names.get(name, flag(name))
        if first["type"] == "extra_forbidden":
            raise UsageError(f"'{name}' is not a setting{_nearest(name, SETTINGS, flag)}") from None
        right = StudySettings.model_fields[name].description
        raise UsageError(f"{shown} {_shown(values.get(name))}: must be {right}") from None
    _check_together(result, given.names)
    return result


def _is_true(value: object) -> bool:
    try:
        return _TRUTH.validate_python(value)
    except ValidationError:
        return False


def _check_quick(given: Given) -> None:
    """What quick stands for may be given once more, as in a study.toml, but not contradicted."""
    for name, meant in QUICK.items():
        value = given.values.get(name, meant)
        try:
            same = seconds(value) == seconds(meant)
        except ValueError:
            same = False
        if not same:
            shown, quick = given.names.get(name, flag(name)), given.names.get("quick", "--quick")
            raise UsageError(
                f"{shown} {_shown(value)} and {quick} exclude each other: quick means two blocks of 5s "
                "windows"
            )


def _shown(value: object) -> str:
    text = str(value) if len(str(value)) <= 60 else f"{str(value)[:59]}…"
    return f"'{text}'" if isinstance(value, str) else text


def _check_together(result: StudySettings, names: Mapping[str, str]) -> None:
    def shown(name: str) -> str:
        return names.get(name, flag(name))

    if result.min_blocks > result.max_blocks:
        raise UsageError(
            f"{shown('min_blocks')} {result.min_blocks} is above {shown('max_blocks')} {result.max_blocks}: "
            "it must not be"
        )
    if result.warmup > result.warmup_cap:
        raise UsageError(
            f"{shown('warmup')} {result.warmup:g}s is above {shown('warmup_cap')} {result.warmup_cap:g}s: "
            "it must not be"
        )
    if result.model is not None and result.code_dir is not None:
        raise UsageError(
            f"{shown('model')} '{result.model}' and {shown('code_dir')} '{result.code_dir}' exclude each "
            "other: give one of them"
        )
    if result.launcher == "command" and result.server_command is None:
        raise UsageError(
            f"{shown('launcher')} command needs --server-command, such as "
            "'python server.py --port {port} --threads {workers}'"
        )
    if result.launcher != "command" and result.server_command is not None:
        raise UsageError(
            f"{shown('server_command')} is used by {shown('launcher')} command only, not by "
            f"{result.launcher}: add --launcher command"
        )
    both = set(result.server_cpus or ()) & set(result.load_cpus or ())
    if both:
        raise UsageError(
            f"{shown('server_cpus')} and {shown('load_cpus')} share core {min(both)}: they must not overlap"
        )


def differences(stored: StudySettings, wanted: Given) -> tuple[str, ...]:
    """What was given for a study that exists and is not what it was started with, as short phrases."""
    known = stored.plain()
    if stored.quick and "quick" not in wanted.values:
        # Settings that contradict quick are a difference here, not a contradiction of what was typed.
        asked = settings(wanted, {**known, "quick": False})
        asked = asked.model_copy(update={"quick": True})
    else:
        asked = settings(wanted, known)
    old, new = known, asked.plain()
    return tuple(
        f"{name} is {_text(old.get(name))} in the study, {_text(new.get(name))} now"
        for name in ("command", *SETTINGS)
        if old.get(name) != new.get(name)
    )


def _text(value: object) -> str:
    if value is None:
        return "not set"
    return ",".join(str(part) for part in value) if isinstance(value, list) else str(value)
