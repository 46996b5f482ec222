"""How a server is started: ours (`fastapi`), or any command line (`command`). For `drum` see drum.py."""

from __future__ import annotations

import copy
import os
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sweeper.errors import UsageError
from sweeper.launch.environment import patient, server_environment
from sweeper.launch.ports import HOST, free_port
from sweeper.launch.server import LaunchedServer
from sweeper.launch.template import parse_template
from sweeper.processes import spawn
from sweeper.records import Configuration


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """What holds for every server of a launcher.

    `ready_path` answers 200 once the model is loaded, `cpus` are the server's cores (None: all of ours),
    `environ` is what the server inherits (None: our environment), `host` the address it listens on.
    """

    ready_path: str = "/ping/"
    cpus: frozenset[int] | None = None
    environ: Mapping[str, str] | None = None
    choose_port: Callable[[], int] = free_port
    host: str = HOST

    def __post_init__(self) -> None:
        """Raises UsageError for a ready path that is no path."""
        path = self.ready_path
        if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
            raise UsageError(f"--ready-path {path!r} is not a path on the server: give one like /ping/")

    @property
    def inherited(self) -> Mapping[str, str]:
        return os.environ if self.environ is None else self.environ


class ServerLauncher(ABC):
    """`Launcher` of sweeper/interfaces.py, all but the command line.

    Each start has a free port of its own; pool size, processes and native threads go into its environment.
    """

    def __init__(self, options: LaunchOptions) -> None:
        self.options = options
        self._runs = 1

    @property
    @abstractmethod
    def name(self) -> str: ...

    @abstractmethod
    def command_line(self, configuration: Configuration, port: int) -> list[str]: ...

    def environment(self, configuration: Configuration) -> dict[str, str]:
        environment = server_environment(self.options.inherited, configuration)
        return environment if self._runs == 1 else patient(environment, self._runs)

    def among(self, runs: int) -> Self:
        """The same launcher, for servers of which `runs` take turns (interfaces.Launcher)."""
        other = copy.copy(self)
        other._runs = runs
        return other

    def start(self, configuration: Configuration, log_path: Path) -> LaunchedServer:
        """Start a fresh server; its log goes to `log_path`. Raises ServerStartError."""
        return LaunchedServer(
            lambda port: spawn(
                self.command_line(configuration, port),
                env=self.environment(configuration),
                log_path=log_path,
                cpus=self.options.cpus,
            ),
            ready_path=self.options.ready_path,
            choose_port=self.options.choose_port,
            host=self.options.host,
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

    def command_line(self, configuration: Configuration, port: int) -> list[str]:
        where = ["--code-dir", str(self._code_dir), "--host", self.options.host, "--port", str(port)]
        # -P: or modules in the folder where sweeper was called would come before the installed ones.
        return [sys.executable, "-P", "-m", "sweeper.server", *where]


class CommandLauncher(ServerLauncher):
    """Any command line, with the placeholders of template.py filled in."""

    def __init__(
        self, command: str, code_dir: Path | None = None, options: LaunchOptions | None = None
    ) -> None:
        """Raises UsageError for a template that cannot be filled in or a program that does not exist."""
        super().__init__(options or LaunchOptions())
        self._template = parse_template(command)
        self._code_dir = None if code_dir is None else existing_folder(code_dir)
        if code_dir is None and "code_dir" in self._template.placeholders:
            raise UsageError("--server-command uses {code_dir} but there is none: give --code-dir or --model")
        program = self.command_line(Configuration(workers=1), port=0)[0]
        if shutil.which(program, path=self.options.inherited.get("PATH")) is None:
            raise UsageError(f"--server-command: no program {program!r} found: install it or give its path")

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


def existing_folder(code_dir: Path) -> Path:
    """As an absolute path. Raises UsageError when there is no such folder."""
    if not code_dir.is_dir():
        raise UsageError(f"the code dir {code_dir} is not a folder: give one with a model in it")
    return code_dir.absolute()
