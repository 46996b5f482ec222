"""How a server is started: ours (`fastapi`), or any command line (`command`). For `drum` see drum.py."""

from __future__ import annotations

import copy
import os
import shlex
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Self

from sweeper.errors import UsageError
from sweeper.launch.container_command import NO_LIMITS, container_command
from sweeper.launch.environment import patient, server_environment
from sweeper.launch.ports import HOST, free_port
from sweeper.launch.server import LaunchedServer
from sweeper.launch.shell_syntax import what_a_shell_would_read
from sweeper.processes import ManagedProcess, spawn, tail
from sweeper.processes.control_group import MemoryKills
from sweeper.processes.resource_limits import LimitedGroup, LimitedGroups, ResourceLimits
from sweeper.records.configuration import Configuration
from sweeper.records.wording import last_line

PLACEHOLDERS = ("host", "port", "workers", "code_dir", "model_threads", "processes")
_FLAG = "--server-command"


@dataclass(frozen=True, slots=True)
class CommandTemplate:
    """Split into arguments as a shell would, before anything is filled in: a value stays in its argument."""

    arguments: tuple[str, ...]
    """The program first."""
    placeholders: frozenset[str]
    """Those of PLACEHOLDERS that are in them."""

    def fill(self, values: Mapping[str, object]) -> list[str]:
        """The arguments with each placeholder replaced; `values` has one for each."""
        return [_fill(argument, values) for argument in self.arguments]


def parse_template(text: str) -> CommandTemplate:
    """Raises UsageError for unbalanced quotes or braces, unknown placeholders and a missing `{port}`."""
    try:
        arguments = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(
            f"{_FLAG} {text!r} cannot be split into arguments ({error}): check its quotes and backslashes"
        ) from error
    if not arguments:
        raise UsageError(f"{_FLAG} is empty: give a command line with {{port}} in it")
    placeholders = frozenset(name for argument in arguments for name in _placeholders(argument))
    if "port" not in placeholders:
        raise UsageError(f"{_FLAG} {text!r} has no {{port}}: each run listens on a port of its own")
    return CommandTemplate(arguments, placeholders)


def _placeholders(argument: str) -> list[str]:
    try:
        fields = [parsed[1:] for parsed in Formatter().parse(argument) if parsed[1] is not None]
    except ValueError as error:
        raise UsageError(
            f"{_FLAG}: {argument!r} has an unmatched brace ({error}): write {{{{ or }}}} for one"
        ) from error
    for name, format_spec, conversion in fields:
        if name not in PLACEHOLDERS or format_spec or conversion:
            known = ", ".join(f"{{{placeholder}}}" for placeholder in PLACEHOLDERS)
            raise UsageError(
                f"{_FLAG}: {argument!r} has a placeholder that is none of {known} (a brace is {{{{ or }}}})"
            )
    return [name for name, _, _ in fields if name is not None]


def _fill(argument: str, values: Mapping[str, object]) -> str:
    parsed = Formatter().parse(argument)
    return "".join(text + ("" if name is None else str(values[name])) for text, name, _, _ in parsed)


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """What holds for every server of a launcher."""

    ready_path: str = "/ping/"
    """It answers 200 once the model is loaded."""
    cpus: frozenset[int] | None = None
    """The server's cores; None: all of ours."""
    environ: Mapping[str, str] | None = None
    """The environment that the server inherits; None: ours."""
    choose_port: Callable[[], int] = free_port
    """Called for each start."""
    host: str = HOST
    """The address that it listens on."""
    drum_arguments: tuple[str, ...] = ()
    """Options of `drum server`, such as the kind of model, for the servers that run DRUM."""
    groups: LimitedGroups | None = None
    """Each server runs in one of its own; None: without limits."""
    users: int = 1
    """At most so many requests are in flight: the gate before the pool must bear them."""

    def __post_init__(self) -> None:
        """Raises UsageError for a ready path that is no path."""
        path = self.ready_path
        if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
            raise UsageError(f"--ready-path {path!r} is not a path on the server: give one like /ping/")

    @property
    def inherited(self) -> Mapping[str, str]:
        return os.environ if self.environ is None else self.environ


class ServerLauncher(ABC):
    """`Launcher` of run/interfaces.py, all but the command line.

    Each start has a free port of its own; pool size, processes and native threads go into its environment.
    """

    def __init__(self, options: LaunchOptions) -> None:
        self.options = options
        self._runs = 1

    @property
    @abstractmethod
    def name(self) -> str: ...

    @property
    def drum_folder(self) -> Path | None:
        """The code folder that DRUM serves; None where the server is another one."""
        return None

    @abstractmethod
    def command_line(self, configuration: Configuration, port: int) -> list[str]: ...

    def environment(self, configuration: Configuration) -> dict[str, str]:
        return self._environment(self.options.inherited, configuration)

    def _environment(self, base: Mapping[str, str], configuration: Configuration) -> dict[str, str]:
        environment = server_environment(base, configuration, self.options.users)
        return environment if self._runs == 1 else patient(environment, self._runs)

    def among(self, runs: int) -> Self:
        """The same launcher, for servers of which `runs` take turns (interfaces.Launcher)."""
        other = copy.copy(self)
        other._runs = runs
        return other

    def start(self, configuration: Configuration, log_path: Path) -> LaunchedServer:
        """Start a fresh server; its log goes to `log_path`. Raises ServerStartError."""
        return LaunchedServer(
            lambda port: self._spawn(configuration, port, log_path),
            ready_path=self.options.ready_path,
            choose_port=self.options.choose_port,
            host=self.options.host,
        )

    def _group(self) -> LimitedGroup | None:
        return None if self.options.groups is None else self.options.groups.new()

    def _spawn(self, configuration: Configuration, port: int, log_path: Path) -> ManagedProcess:
        return spawn(
            self.command_line(configuration, port),
            env=self.environment(configuration),
            log_path=log_path,
            cpus=self.options.cpus,
            group=self._group(),
        )

    def check_model(self, log_path: Path, timeout_s: float) -> None:
        """Let DRUM load the model once, as every server will. Raises UsageError with DRUM's reason. Nothing
        happens where the server is none of DRUM's."""
        if self.drum_folder is None:
            return
        where = ["--code-dir", str(self.drum_folder), "--check"]
        process = spawn(
            [sys.executable, "-P", "-m", "sweeper.server", *where, *self.options.drum_arguments],
            env=self.environment(Configuration(workers=1)),
            log_path=log_path,
            cpus=self.options.cpus,
            group=self._group(),
        )
        kills = MemoryKills()
        kills.look(process.pid)
        try:
            code = process.wait(timeout_s)
            kills.read()
        finally:
            process.kill()
        if code is None:
            raise UsageError(
                f"the model was not loaded within {timeout_s:g} s: give a longer --start-timeout (log: "
                f"{log_path})"
            )
        if kills.read():
            limits = self.options.groups.limits.options if self.options.groups else "the memory"
            raise UsageError(
                f"{limits}: the kernel killed the server because memory ran out while it loaded the "
                "model: give it more (--memory-limit)"
            )
        if code != 0:
            raise UsageError(
                last_line(tail(log_path, 5), f"DRUM ended with exit code {code}: see {log_path}")
            )


class FastApiLauncher(ServerLauncher):
    """Our own server, `python -m sweeper.server`, run by this very interpreter."""

    def __init__(self, code_dir: Path, options: LaunchOptions | None = None) -> None:
        """Raises UsageError for a code dir that is no folder."""
        super().__init__(options or LaunchOptions())
        self._code_dir = existing_folder(code_dir)

    @property
    def name(self) -> str:
        return "fastapi"

    @property
    def drum_folder(self) -> Path:
        return self._code_dir

    def command_line(self, configuration: Configuration, port: int) -> list[str]:
        where = ["--code-dir", str(self._code_dir), "--host", self.options.host, "--port", str(port)]
        # -P: or modules in the folder where sweeper was called would come before the installed ones.
        return [sys.executable, "-P", "-m", "sweeper.server", *where, *self.options.drum_arguments]


class CommandLauncher(ServerLauncher):
    """Any command line, with the placeholders of a CommandTemplate filled in."""

    def __init__(
        self, command: str, code_dir: Path | None = None, options: LaunchOptions | None = None
    ) -> None:
        """Raises UsageError for a template that cannot be filled in, a program that does not exist, and a
        container that could not be measured."""
        super().__init__(options or LaunchOptions())
        self._template = parse_template(command)
        self._code_dir = None if code_dir is None else existing_folder(code_dir)
        if code_dir is None and "code_dir" in self._template.placeholders:
            raise UsageError("--server-command uses {code_dir} but there is none: give --code-dir or --model")
        for_a_shell = what_a_shell_would_read(command, self._template.arguments)
        if for_a_shell is not None:
            raise UsageError(f"{_FLAG}: {for_a_shell}")
        program = self.command_line(Configuration(workers=1), port=0)[0]
        if shutil.which(program, path=self.options.inherited.get("PATH")) is None:
            raise UsageError(f"--server-command: no program {program!r} found: install it or give its path")
        in_container = container_command(self._template.arguments)
        if in_container is not None:
            in_container.check(self.options.inherited, self._limits)

    @property
    def name(self) -> str:
        return "command"

    def command_line(self, configuration: Configuration, port: int) -> list[str]:
        return self._template.fill(
            {
                "host": self.options.host,
                "port": port,
                "workers": configuration.workers,
                "code_dir": self._code_dir,
                "model_threads": configuration.model_threads,
                "processes": configuration.processes,
            }
        )

    @property
    def _limits(self) -> ResourceLimits:
        return NO_LIMITS if self.options.groups is None else self.options.groups.limits

    def _spawn(self, configuration: Configuration, port: int, log_path: Path) -> ManagedProcess:
        """What is set for a server is handed on into a container, should there be one."""
        command = container_command(self.command_line(configuration, port))
        if command is None:
            return super()._spawn(configuration, port, log_path)
        env = self.environment(configuration)
        argv, starts = command.start(
            self._environment({}, configuration), env, self.options.cpus, self._limits
        )
        return spawn(argv, env=env, log_path=log_path, container=starts)


def existing_folder(code_dir: Path) -> Path:
    """As an absolute path. Raises UsageError when there is no such folder."""
    if not code_dir.is_dir():
        raise UsageError(f"the code dir {code_dir} is not a folder: give one with a model in it")
    return code_dir.absolute()
