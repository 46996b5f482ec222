"""The settings that grid, optimize and scenarios share: for each what it is for, its limits and its default.

A command line option is made of each; its `description` says, in words, which values are right.
Durations are in seconds unless the type says otherwise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from sweeper.records.configuration import Configuration
from sweeper.records.run import Objective
from sweeper.settings.command_line_option import PLACE, RULE, TARGET, TIME, Option
from sweeper.settings.economics_settings import EconomicsSettings
from sweeper.settings.load_settings import LoadSettings
from sweeper.settings.model_settings import DEFAULT_MODEL, ModelSettings
from sweeper.settings.notation import Blocks, Bytes, Cpus, Duration, Milliseconds, Switch, lasting, whole
from sweeper.settings.remote_settings import RESTART_S, RemoteSettings

if TYPE_CHECKING:
    from sweeper.statistics.criteria import Rule

QUICK = {"window": "5s", "min_blocks": 2, "max_blocks": 2}
"""What `--quick` stands for; it also leaves the confirmation out, unless that is asked for."""
SAME_THREADS = Option("Native threads per prediction (OMP_NUM_THREADS and the like).", TARGET, "N")
WHEN_IN_TURNS = "on, unless a trial before the first block finds that the server waits for something outside"


class StudySettings(LoadSettings, ModelSettings, RemoteSettings, EconomicsSettings, ABC):
    """Everything that decides what any study measures."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    COMMAND: ClassVar[str]
    NOT_HERE: ClassVar[frozenset[str]] = frozenset()
    """Settings of other commands that this one does without."""
    OTHER_WORDS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """What of a shared setting's option this command says in words of its own."""

    launcher: Annotated[
        Literal["fastapi", "drum", "command", "remote"],
        Field(description="one of fastapi, drum, command, remote"),
        Option(
            "fastapi (ours), drum (the installed drum server; no release up to 1.18.1 has the FastAPI "
            "server), command (your --server-command) or remote (a server at --url, which your "
            "--restart-command restarts).",
            TARGET,
            "NAME",
        ),
    ] = "fastapi"
    server_command: Annotated[  # None: the launcher is not command
        str | None,
        Field(
            pattern=r"\{port\}", description="a command line in which {port} stands for the port to listen on"
        ),
        Option(
            "The command that starts your server, for --launcher command or for command among --servers. It "
            "must contain {port}; sweeper also replaces {host}, {workers}, {code_dir}, {model_threads} and "
            "{processes}.",
            TARGET,
            "'…'",
        ),
    ] = None
    ready_path: Annotated[
        str,
        Field(pattern=r"^/\S*$", description="a path that starts with / and has no spaces, such as /ping/"),
        Option("Path that answers 200 once the server is ready.", TARGET, "PATH"),
    ] = "/ping/"
    window: Annotated[
        Duration, lasting("2s", "60m", "10s"), Option("The measured part of a run.", TIME, "TIME")
    ] = 10.0
    warmup: Annotated[
        Duration,
        lasting("0s", "10m", "3s"),
        Option("Shortest warm-up; it continues until the figures are steady.", TIME, "TIME"),
    ] = 3.0
    warmup_cap: Annotated[
        Duration,
        lasting("1s", "30m", "20s"),
        Option("Longest warm-up; a run that is not steady by then is suspect.", TIME, "TIME"),
    ] = 20.0
    drain: Annotated[
        Duration,
        lasting("100ms", "10m", "30s"),
        Option("How long requests in flight may take to finish.", TIME, "TIME"),
    ] = 30.0
    start_timeout: Annotated[
        Duration,
        lasting("1s", "60m", "120s"),
        Option("How long a server may take to be ready.", TIME, "TIME"),
    ] = 120.0
    min_blocks: Annotated[
        Blocks, Option("Fewest blocks before the study may end with an answer.", TIME, "N")
    ] = 3
    max_blocks: Annotated[Blocks, Option("Most blocks.", TIME, "N")] = 14
    quick: Annotated[
        Switch,
        Option("Two blocks with windows of 5 s, without --confirm: at best a provisional answer.", TIME),
    ] = False
    confirm: Annotated[
        Switch,
        Option(
            "At the end, measure the answer and DRUM's default of 4 workers under requests that arrive at "
            "random; not with --locustfile, --rate or several loads.",
            TIME,
            default="{}, except with --quick",
        ),
    ] = True
    interleave: Annotated[  # None: as the trial before the first block finds
        bool | None,
        Field(description="true or false"),
        Option(
            "The runs of a block take turns of half a second, so that all see the same host. Use "
            "--no-interleave for servers that wait for something outside.",
            TIME,
            default=f"{WHEN_IN_TURNS}; off with --launcher remote or --expect-load-workers",
        ),
    ] = None
    slo_p99: Annotated[  # None: no limit
        Milliseconds | None,
        Field(
            gt=0,
            le=3_600_000,
            description="milliseconds above 0, up to an hour, such as 500 (or 500ms, 0.5s)",
        ),
        Option(
            "Limit for p99; sweeper recommends only a value that is shown to keep it. With --objective "
            "capacity: the p99 within which it counts requests/s.",
            RULE,
            "MS",
        ),
    ] = None
    max_error_rate: Annotated[
        float,
        Field(ge=0, lt=1, description="a fraction from 0 to below 1, such as 0.01 for 1%"),
        Option(
            "Share of requests that may fail; a value that fails more is never recommended.", RULE, "SHARE"
        ),
    ] = 0.01
    tolerance: Annotated[
        float,
        Field(gt=0, le=0.5, description="a fraction above 0, up to 0.5, such as 0.05 for 5%"),
        Option("A value within this share of the best counts as equally good.", RULE, "SHARE"),
    ] = 0.05
    confidence: Annotated[
        float,
        Field(ge=0.5, le=0.999, description="a fraction from 0.5 to 0.999, such as 0.95 for 95%"),
        Option("Confidence of the whole answer, over all comparisons.", RULE, "SHARE"),
    ] = 0.95
    seed: Annotated[
        int,
        whole(0, 2**31 - 1),
        Option(
            "The same seed gives the same order of runs and, in a search, the same first trials.", TIME, "N"
        ),
    ] = 0
    server_cpus: Annotated[  # None: by the number of cores
        Cpus | None,
        Field(min_length=1, description="core numbers such as 0-3,8"),
        Option("Cores for the server, such as 0-3,8.", PLACE, "LIST", default="by the number of cores"),
    ] = None
    load_cpus: Annotated[  # None: by the number of cores
        Cpus | None,
        Field(min_length=1, description="core numbers such as 4,5"),
        Option("Cores for the load generator, such as 4,5.", PLACE, "LIST", default="by the number of cores"),
    ] = None
    cpu_limit: Annotated[  # None: what sweeper itself may use
        float | None,
        Field(ge=0.01, le=4096, description="a number of cores from 0.01 to 4096, such as 1.5"),
        Option(
            "CPU quota of the server alone, in cores, such as 1.5: as docker run --cpus. The load generator "
            "stays outside of it.",
            PLACE,
            "CORES",
        ),
    ] = None
    memory_limit: Annotated[  # None: what sweeper itself may use
        Bytes | None,
        Field(ge=1 << 24, le=1 << 50, description="a size from 16MiB to 1024TiB, such as 2GiB"),
        Option(
            "Memory limit of the server alone, such as 2GiB: as docker run --memory, without swap.",
            PLACE,
            "SIZE",
        ),
    ] = None

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value(cls, value: object, info: ValidationInfo) -> object:
        """`users = true` in a file is not 1."""
        kind = None if info.field_name is None else cls.model_fields[info.field_name].annotation
        if isinstance(value, bool) and bool not in (kind, *get_args(kind)):
            raise ValueError(value)
        return value

    @property
    def looks(self) -> tuple[int, ...]:
        """The blocks after which the study may stop, planned before the first run."""
        return tuple(range(self.min_blocks, self.max_blocks + 1))

    @property
    @abstractmethod
    def objectives(self) -> tuple[Objective, ...]:
        """What is aimed at; the first one decides."""

    @property
    @abstractmethod
    def reference(self) -> Configuration:
        """DRUM's default, or what of this study comes closest to it."""

    @property
    def varied(self) -> tuple[str, ...]:
        """Names of the settings beside the workers that the study searches or sets off their default."""
        return ()

    @property
    def subject(self) -> str:
        """What is measured, in a word: the model, the code folder, or that it is somebody's own command."""
        if self.code_dir is not None:
            return self.code_dir.rstrip("/").rpartition("/")[2] or "model"
        return self.model or (self.launcher if self.own_server else self.default_model)

    @property
    def own_server(self) -> bool:
        """Whether somebody's own command starts the server, so that no model of ours need be there."""
        return self.launcher in ("command", "remote")

    @property
    def restart_s(self) -> float:
        """Extra seconds per run that the plan allows for a remote restart."""
        if self.launcher != "remote":
            return 0.0
        return RESTART_S if self.restart_time is None else self.restart_time

    @property
    def default_model(self) -> str:
        """What is measured where nothing is named."""
        return DEFAULT_MODEL

    @property
    def waiting_users(self) -> int | None:
        """Users who wait for each answer; None where requests arrive at random."""
        return None if self.rate is not None or Objective.CAPACITY in self.objectives else self.most_users

    @property
    def in_turns(self) -> bool:
        """Whether the runs of a block take turns: neither load that other hosts make nor a remote server can
        be stopped for that."""
        return self.interleave is not False and self.expect_load_workers is None and self.launcher != "remote"

    @property
    def rule(self) -> Rule:
        from sweeper.statistics.criteria import Rule  # scipy takes a second, and --help has no need of it

        return Rule(
            objective=self.objectives[0],
            tolerance=self.tolerance,
            confidence=self.confidence,
            looks=self.looks,
            slo_p99_ms=self.slo_p99,
            max_error_rate=self.max_error_rate,
            loads=max(1, len(self.loads)),
        )

    def plain(self) -> dict[str, Any]:
        """As in a file: the command and every setting that is not None, in the file's own notation."""
        kept = self.model_dump(mode="json", exclude_none=True, exclude=set(self.NOT_HERE))
        return {"command": self.COMMAND, **kept}
