"""Sweeper's side of the talk with a guard: what it is told, and what it reports (guard.py has the words)."""

from __future__ import annotations

import contextlib
import marshal
import os
import select
import signal
import subprocess
import sys
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.processes.program_log import tail

_GUARD = Path(__file__).with_name("guard.py")
_START_TIMEOUT_S = 30.0
_STAGES = {
    "cwd": "cannot enter the working directory",
    "cpus": "cannot run on the cores",
    "groups": "cannot enter the control group",
    "exec": "cannot execute",
    "guard": "cannot guard",
}


@dataclass(frozen=True, slots=True)
class ProgramExit:
    """How the program itself ended, with wait4(2)'s rusage (it includes its ended threads); None: not
    reported."""

    status: int
    """As wait4(2) gives it."""
    cpu_s: float | None = None
    """User and system."""
    max_rss_bytes: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None

    @property
    def code(self) -> int:
        """The exit code; -N: ended by signal N."""
        return os.waitstatus_to_exitcode(self.status)


class GuardClient:
    """One guard. When this object is dropped, or sweeper dies, the guard kills all there is below it."""

    def __init__(self, log_path: Path) -> None:
        """Starts it; its messages and all that its program writes go to `log_path`, which is emptied first.
        Raises OSError."""
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                bufsize=0,
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        # Popen would keep the lifeline open until sweeper ends.
        weakref.finalize(self, self._stdin.close)
        self._log_path = log_path
        self._unread = b""
        self._failure: tuple[int, str] | None = None
        self.pid = self._process.pid
        self.program_pid: int | None = None
        """None until the program runs."""
        self.program_exit: ProgramExit | None = None
        """None until the program has ended."""
        self.killed: bool | None = None
        """Whether it took a KILL until nothing was left; None before that."""
        self.silent = False
        """It has closed its output: it reports nothing more."""

    def begin(self, spec: dict[str, Any]) -> None:
        """Hand over what to start, but for the `parent`, and wait until it runs. Raises OSError."""
        data = marshal.dumps({**spec, "parent": os.getpid()})
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(b"%d\n%s" % (len(data), data))
        program = spec["argv"][0]
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while self.program_pid is None and self._failure is None:
            left_s = deadline_s - time.monotonic()
            if self.silent or left_s <= 0:
                last_words = tail(self._log_path, 1) or "it left no message"
                raise OSError(f"the guard of {program} did not start: {last_words}")
            self.listen(left_s)
        if self._failure is not None:
            number, stage = self._failure
            what = {"cwd": str(spec["cwd"]), "cpus": str(spec["cpus"])}.get(stage, program)
            raise OSError(number, f"{_STAGES[stage]}: {os.strerror(number)}", what)

    def order(self, order: str) -> None:
        # Closed after the end; broken when the guard is dead.
        with contextlib.suppress(OSError, ValueError):
            self._stdin.write(order.encode() + b"\n")

    def listen(self, timeout_s: float) -> None:
        """Take in what it reports, waiting for it up to `timeout_s`."""
        poller = select.poll()
        poller.register(self._stdout, select.POLLIN)
        while not self.silent and poller.poll(timeout_s * 1000):
            data = os.read(self._stdout.fileno(), 4096)
            self.silent = not data
            *lines, self._unread = (self._unread + data).split(b"\n")
            for line in lines:
                self._read(line.decode())
            timeout_s = 0.0

    def kill(self) -> None:
        """It is dead or stuck. Its program dies with it (parent-death signal)."""
        self._process.kill()
        self._process.wait()
        self.program_exit = self.program_exit or ProgramExit(int(signal.SIGKILL))
        self.killed = True

    def close(self) -> None:
        """After its last report."""
        self._process.wait()
        self._stdin.close()
        self._stdout.close()

    def _read(self, line: str) -> None:
        word, *fields = line.split()
        if word == "started":
            self.program_pid = int(fields[0])
        elif word == "failed":
            self._failure = int(fields[0]), fields[1]
        elif word == "exit":
            status, rss_kib, voluntary, involuntary = (int(fields[index]) for index in (0, 2, 3, 4))
            self.program_exit = ProgramExit(status, float(fields[1]), rss_kib * 1024, voluntary, involuntary)
        elif word == "done":
            self.killed = fields[0] == "1"
