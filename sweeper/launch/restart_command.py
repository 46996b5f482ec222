"""A user's shell command that restarts a server: its placeholders, and one call of it with a time limit."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from sweeper.errors import ServerStartError, UsageError
from sweeper.processes import tail
from sweeper.records.configuration import Configuration
from sweeper.records.wording import last_line
from sweeper.settings.runtime_parameters import (
    GATE,
    GATE_DEFAULT,
    GATE_DEPTH,
    GATE_DEPTH_DEFAULT,
    gate_for,
)

WORKERS, GATE_NAME, GATE_DEPTH_NAME = "workers", "gate", "gate_depth"
PLACEHOLDERS = (WORKERS, "model_threads", "processes", GATE_NAME, GATE_DEPTH_NAME)
_FLAG = "--restart-command"
_SHELL = "/bin/sh"
_POLL_S = 0.05
_GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class RestartTemplate:
    """A shell command with placeholders; each value is quoted for the shell."""

    text: str
    placeholders: frozenset[str]

    def fill(self, configuration: Configuration, users: int) -> str:
        gate = gate_for(configuration.workers, users)
        values: dict[str, object] = {
            WORKERS: configuration.workers,
            "model_threads": configuration.model_threads,
            "processes": configuration.processes,
            GATE_NAME: gate.get(GATE, GATE_DEFAULT),
            GATE_DEPTH_NAME: gate.get(GATE_DEPTH, GATE_DEPTH_DEFAULT),
            **dict(configuration.parameters),
        }
        return self._filled({name: shlex.quote(str(value)) for name, value in values.items()})

    def check(self) -> None:
        """Raises UsageError where a shell cannot read it."""
        check_shell(_FLAG, self._filled(dict.fromkeys(self.placeholders, "1")))

    def _filled(self, values: Mapping[str, str]) -> str:
        parsed = Formatter().parse(self.text)
        return "".join(text + ("" if name is None else values[name]) for text, name, _, _ in parsed)


def parse_restart(text: str, varied: Collection[str]) -> RestartTemplate:
    """`varied` are the names of the settings that the study sets beside the workers: to several values, or to
    one that is not the server's default. Raises UsageError for a placeholder that is unknown, and for one
    that is missing."""
    try:
        fields = [parsed[1:] for parsed in Formatter().parse(text) if parsed[1] is not None]
    except ValueError as error:
        raise UsageError(
            f"{_FLAG} {text!r} has an unmatched brace ({error}): write {{{{ or }}}} for one"
        ) from error
    tuned = [name for name in varied if name not in PLACEHOLDERS]
    for name, format_spec, conversion in fields:
        if name not in (*PLACEHOLDERS, *tuned) or format_spec or conversion:
            known = ", ".join(f"{{{placeholder}}}" for placeholder in (*PLACEHOLDERS, *tuned))
            raise UsageError(
                f"{_FLAG} {text!r} has a placeholder that is none of {known} (a brace is {{{{ or }}}})"
            )
    found = frozenset(name for name, _, _ in fields if name is not None)
    for name in (WORKERS, *varied):
        if name not in found:
            raise UsageError(
                f"{_FLAG} {text!r} has no {{{name}}}, so the server would not get the value to measure: put "
                "it where the command sets that value"
            )
    return RestartTemplate(text, found)


def check_shell(flag: str, text: str) -> None:
    """Raises UsageError where a shell cannot read it."""
    read = subprocess.run(
        [_SHELL, "-n", "-c", text], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if read.returncode != 0:
        words = last_line(read.stderr, otherwise="it cannot be read")
        raise UsageError(f"{flag} {text!r} is no shell command ({words}): check its quotes")


class ShellCall:
    """One call of a shell command, in a session of its own. It may leave a server in the background, which
    then is none of sweeper's: only a call that is given up is ended, with its process group."""

    def __init__(self, text: str, log_path: Path) -> None:
        """Raises ServerStartError where it cannot be started."""
        self._text = text
        self._log_path = log_path
        try:
            with log_path.open("wb") as log:
                self._process = subprocess.Popen(
                    [_SHELL, "-c", text],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise ServerStartError(f"{_SHELL} could not be started: {error}") from error

    def wait(self, deadline_s: float, what: str, limit: str) -> None:
        """Until it has ended. Raises ServerStartError where it failed, or has not ended by then (seconds of
        CLOCK_MONOTONIC): then it is given up. `what` says which command, `limit` how long it might take."""
        while self._process.poll() is None:
            if time.monotonic() >= deadline_s:
                self.give_up()
                raise ServerStartError(
                    f"{what} did not end within {limit}; {self._last_words}", log_tail=self.log_tail()
                )
            time.sleep(_POLL_S)
        code = self._process.returncode
        if code != 0:
            how = f"exit code {code}" if code > 0 else f"signal {-code}"
            raise ServerStartError(f"{what} failed ({how}); {self._last_words}", log_tail=self.log_tail())

    def give_up(self) -> None:
        """TERM, wait, KILL. Does nothing to one that has ended."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                return
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_S)

    def log_tail(self, lines: int = 20) -> str:
        return tail(self._log_path, lines)

    @property
    def _last_words(self) -> str:
        words = last_line(self.log_tail(5), otherwise="")
        return f"its output ends with: {words}" if words else "it printed nothing"
