"""A running locust: how far it is, how it is drained, what it logged."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sweeper.errors import LoadError
from sweeper.load.request_log import RequestLogsFollower, read_request_logs
from sweeper.locust_side.wire import (
    LOG_FAILED,
    MEMORY_FULL,
    PROCESS_ENDED,
    STOOD_STILL,
    WORKERS_UNFIT,
    quotation,
)
from sweeper.processes import ManagedProcess, tail
from sweeper.records.observations import RequestLog
from sweeper.records.wording import last_line
from sweeper.run.interfaces import LoadProgress

START_TIMEOUT_S = 60.0
"""How long locust may take to read its file and start its users."""
POLL_S = 0.01
_ERROR = re.compile(
    r"(\[[^\]]*\] \S+/(ERROR|CRITICAL)/\S+: "
    r"|sweeper: "
    r"|(?=([A-Za-z_]\w*\.)*\w*(Error|Exception)\b)"
    r")(?P<what>.+)"
)
"""Errors that locust logs, messages of our code inside locust, or the last line of a traceback."""


class LocustSession:
    """A `LoadSession`. Made by LocustGenerator.start, which waits until all users run."""

    def __init__(
        self, process: ManagedProcess, raw_paths: Sequence[Path], log_path: Path, still_path: Path
    ) -> None:
        self._process = process
        self._raw_paths = raw_paths
        self._log_path = log_path
        self._still_path = still_path
        self._follower = RequestLogsFollower(raw_paths)
        self._stopped = False
        self._requests: RequestLog | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_spawned(self, timeout_s: float) -> None:
        """Wait until all users run. LoadError when locust ends first or needs longer."""
        deadline = time.monotonic() + timeout_s
        while True:
            ended = not self.alive()
            self._follower.read()
            if self._follower.spawned:
                return
            if ended:
                raise self._ended("locust did not start its users")
            if time.monotonic() > deadline:
                raise self._error(f"locust did not start its users within {timeout_s:g} s")
            time.sleep(POLL_S)

    def progress(self) -> LoadProgress:
        """Reads what was appended to the log since the last call. LoadError when locust has died."""
        self._check_alive()
        return self._follower.read()

    def freeze(self) -> None:
        """Stop locust where it is, requests under way and all, until `thaw`."""
        self._process.freeze()

    def thaw(self, stood_still_s: float) -> None:
        """Let it go on, after it has stood still for so long in all: its users' waits leave that out."""
        with self._still_path.open("r+b") as file:  # in place: locust has it mapped
            file.write(STOOD_STILL.pack(stood_still_s))
        self._process.thaw()

    def drain(self, timeout_s: float) -> None:
        """Start no further request, wait `timeout_s` at most for those in flight, end locust.

        LoadError when locust had already ended by itself. Calling it again does nothing.
        """
        if self._stopped:
            return
        self._check_alive()
        self._stopped = True
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGUSR1)
        deadline = time.monotonic() + timeout_s
        while self.alive() and time.monotonic() < deadline:
            time.sleep(POLL_S)
        incomplete = self._process.poll() in (LOG_FAILED, MEMORY_FULL, PROCESS_ENDED, WORKERS_UNFIT)
        self.kill()
        if incomplete:
            raise self._ended("locust ended by itself")

    def requests(self) -> RequestLog:
        """All requests so far. LoadError when there is none to read.

        Once `drain` or `kill` has ended locust, the raw log is deleted when it has been read.
        """
        if not self._stopped:
            return self._read()
        if self._requests is None:
            requests = self._read()
            if len(requests.started_s) == 0:
                raise self._error(
                    "the users made no request that sweeper can see: send with self.client of HttpUser or "
                    "FastHttpUser"
                )
            self._requests = requests
            for raw_path in self._raw_paths:
                raw_path.unlink()
        return self._requests

    @property
    def log_left_out_bytes(self) -> int:
        return self._process.log_left_out_bytes

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of what locust printed; empty when there is nothing."""
        return tail(self._log_path, lines)

    def kill(self) -> None:
        """End the whole process group now. Idempotent."""
        self._stopped = True
        self._process.kill()
        self._still_path.unlink(missing_ok=True)

    def _read(self) -> RequestLog:
        log = read_request_logs(self._raw_paths)
        events = replace(
            log.events,
            first_crash=self._quoted("crash") if log.events.crashes else "",
            first_elsewhere=self._quoted("elsewhere") if log.events.elsewhere else "",
        )
        return replace(log, events=events)

    def _quoted(self, what: str) -> str:
        """What raw_log.py wrote of the first such event; empty where there was none."""
        start = quotation(what)
        with self._log_path.open(encoding="utf-8", errors="replace") as log:
            return next((line.removeprefix(start).strip() for line in log if line.startswith(start)), "")

    def _check_alive(self) -> None:
        if not self._stopped and not self.alive():
            raise self._ended("locust ended by itself")

    def _ended(self, event: str) -> LoadError:
        """`event`, how the process ended, and its last words."""
        code = self._process.poll()
        if code == -signal.SIGALRM:
            end = "sweeper's time limit for the load was reached"
        elif code is not None and code < 0:
            end = f"killed by {signal.Signals(-code).name}"
        elif code == PROCESS_ENDED:
            end = "one of its processes had ended"
        elif code == MEMORY_FULL:
            end = "it needed too much memory"
        elif code == WORKERS_UNFIT:
            end = "its load workers could not be used"
        else:
            end = f"exit code {code}"
        words = last_words(self.log_tail(200))
        return self._error(f"{event} ({end}){': ' if words else ''}{words}")

    def _error(self, sentence: str) -> LoadError:
        """LoadError that says where locust's log is and carries its tail as a note (PEP 678)."""
        error = LoadError(f"{sentence} (see {self._log_path})")
        error.add_note(self.log_tail())
        return error


def last_words(log: str) -> str:
    """The last line that names an error, else the last line; without the time and place of logging."""
    errors = [match.group("what") for line in log.splitlines() if (match := _ERROR.match(line.strip()))]
    return errors[-1] if errors else last_line(log, otherwise="")
