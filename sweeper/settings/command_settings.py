"""The settings of each command: what it adds to those that all share, or has in another form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from sweeper.records.configuration import (
    DRUMS_DEFAULT,
    MODEL_THREADS,
    PROCESSES,
    WORKERS,
    Choices,
    Configuration,
    Dimension,
    Space,
)
from sweeper.records.run import Objective
from sweeper.settings.command_line_option import RULE, TARGET, TIME, Option
from sweeper.settings.notation import (
    AsList,
    AsText,
    Duration,
    ProcessesSpan,
    ThreadCount,
    ThreadsSpan,
    WorkerCount,
    WorkersSpan,
    counts,
    lasting,
    parameters,
    whole,
    words,
    written,
)
from sweeper.settings.scenario_settings import ScenarioSettings
from sweeper.settings.study_settings import SAME_THREADS, StudySettings


class GridSettings(StudySettings):
    """`sweeper grid`: worker counts, each with every other setting alike."""

    COMMAND = "grid"
    OTHER_WORDS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "users": {
            "help": "Concurrent users. Several, such as 10,50,100: one answer for all these loads.",
            "metavar": "LIST",
        },
        "rate": {
            "help": "Requests per second that arrive at random, whether or not earlier requests were "
            "answered; this replaces users who wait for each answer. Use it with --objective p99. Several, "
            "such as 20,50,80: one answer for all these loads.",
            "metavar": "LIST",
        },
    }

    workers: Annotated[
        tuple[WorkerCount, ...],
        BeforeValidator(counts),
        Field(
            min_length=2,
            max_length=32,
            description="2 to 32 different worker counts from 1 to 1024, such as 1,4,8,16,32",
        ),
        Option("Worker counts to compare.", TARGET, "LIST"),
    ] = (1, 4, 8, 16, 32)
    model_threads: Annotated[ThreadCount, SAME_THREADS] = 1
    objective: Annotated[
        Objective,
        Field(description="throughput, p99 or capacity"),
        Option("throughput, p99, or capacity (requests/s within --slo-p99).", RULE, "NAME"),
    ] = Objective.THROUGHPUT

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return (self.objective,)

    @property
    def reference(self) -> Configuration:
        return Configuration(DRUMS_DEFAULT.workers, self.model_threads)

    @property
    def varied(self) -> tuple[str, ...]:
        return (MODEL_THREADS,) if self.model_threads != 1 else ()

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        return tuple(Configuration(workers, self.model_threads) for workers in self.workers)


class OptimizeSettings(StudySettings):
    """`sweeper optimize`: a space to search, how long, and how the finalists are told apart."""

    COMMAND = "optimize"
    OTHER_WORDS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "confirm": {
            "help": "At the end, measure the answer and the configuration nearest to DRUM's default of 4 "
            "workers under requests that arrive at random; not with --locustfile or --rate."
        },
    }

    workers: Annotated[
        WorkersSpan,
        Field(description="a range such as 1..64, or worker counts such as 1,4,8, from 1 to 1024"),
        Option("Worker counts to search: a range or a list.", TARGET, "SPAN"),
    ] = Choices.between(1, 64)
    model_threads: Annotated[
        ThreadsSpan,
        Field(description="a number, a range such as 1..4, or numbers such as 1,2, from 1 to 256"),
        Option("Native threads per prediction to search, such as 1..4.", TARGET, "SPAN"),
    ] = Choices((1,))
    processes: Annotated[
        ProcessesSpan,
        Field(description="a number, a range such as 1..2, or numbers such as 1,2, from 1 to 199"),
        Option("Server processes to search (CUSTOM_MODEL_WORKERS), such as 1..2.", TARGET, "SPAN"),
    ] = Choices((1,))
    tune: Annotated[  # by the parameter's name
        dict[str, Annotated[Choices, AsText]],
        BeforeValidator(parameters),
        Field(
            max_length=8,
            description="up to 8 different runtime parameters, each with values, such as NAME=8,32,128 or "
            "NAME=1..64",
        ),
        Option(
            "Another runtime parameter of DRUM, such as NAME=8,32,128 or NAME=1..64; may be given again.",
            TARGET,
            "NAME=SPAN",
            repeats=True,
        ),
    ] = Field(default_factory=dict)
    trials: Annotated[
        int,
        whole(1, 1000),
        Option("Different configurations to try.", TIME, "N", default="{}, or all there are"),
    ] = 20
    search_window: Annotated[
        Duration,
        lasting("2s", "60m", "5s"),
        Option("The measured part of a run of the search.", TIME, "TIME"),
    ] = 5.0
    objective: Annotated[
        tuple[Objective, ...],
        BeforeValidator(words),
        AsList,
        Field(min_length=1, description="throughput, p99, throughput,p99, or capacity"),
        Option("throughput, p99, throughput,p99, or capacity (requests/s within --slo-p99).", RULE, "NAME"),
    ] = (Objective.THROUGHPUT,)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return self.objective

    @property
    def space(self) -> Space:
        named = {WORKERS: self.workers, MODEL_THREADS: self.model_threads, PROCESSES: self.processes}
        all_of_them = {**named, **dict(sorted(self.tune.items()))}
        return Space(tuple(Dimension(name, found) for name, found in all_of_them.items()))

    @property
    def varied(self) -> tuple[str, ...]:
        return tuple(d.name for d in self.space.dimensions if d.name != WORKERS and d.choices.values != (1,))

    @property
    def reference(self) -> Configuration:
        return self.space.nearest(DRUMS_DEFAULT)


COMMANDS: dict[str, type[StudySettings]] = {
    kind.COMMAND: kind for kind in (GridSettings, OptimizeSettings, ScenarioSettings)
}


def setting_names(command: str) -> tuple[str, ...]:
    kind = COMMANDS[command]
    return tuple(name for name in kind.model_fields if name not in kind.NOT_HERE)


def options(command: str) -> dict[str, Option]:
    """What `--help` shows of each setting, with its default in words ("" for none): first those that only
    this command has, or has in another form."""
    kind = COMMANDS[command]
    defaults = kind().plain()
    own_first = sorted(setting_names(command), key=lambda name: name in StudySettings.model_fields)
    return {name: _option(kind, name, written(defaults.get(name))) for name in own_first}


def _option(kind: type[StudySettings], name: str, default: str) -> Option:
    found = next(one for one in kind.model_fields[name].metadata if isinstance(one, Option))
    found = replace(found, **kind.OTHER_WORDS.get(name, {}))
    return replace(found, default=found.default.format(default))


ANY_SETTING = tuple(dict.fromkeys(name for command in COMMANDS for name in setting_names(command)))
ARGUMENTS = {
    name: option.argument
    for command in COMMANDS
    for name, option in options(command).items()
    if option.argument
}
"""Settings that are no flag on the command line but its argument, by the argument's name."""
