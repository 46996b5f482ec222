"""`spawn`: a program with a guard above it (guard.py), and sweeper's side of the talk with that guard."""

from __future__ import annotations

import contextlib
import marshal
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from sweeper.processes.container import END_TIMEOUT_S, Container, StartsContainer, end
from sweeper.processes.program_log import BoundedLog, tail
from sweeper.processes.resource_limits import LimitedGroup
from sweeper.records.observations import ServerExit

_GUARD = Path(__file__).with_name("guard.py")
_START_TIMEOUT_S = 30.0
# How much longer than the grace the guard may take to end everything by KILL.
_KILL_TIMEOUT_S = 10.0
_IN_VAIN_S = 1.0  # waited for a container in which nobody obeys TERM
_POLL_S = 0.02
_STAGES = {
    "cwd": "cannot enter the working directory",
    "cpus": "cannot run on the cores",
    "groups": "cannot enter the control group",
    "exec": "cannot execute",
    "guard": "cannot guard",
}


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    log_path: Path,
    cwd: Path | None = None,
    cpus: frozenset[int] | None = None,
    group: LimitedGroup | None = None,
    container: StartsContainer | None = None,
) -> ManagedProcess:
    """Start `argv` with exactly the environment `env`, in a session and process group of its own.

    Standard output and error go to `log_path`, which is emptied first; standard input is empty. `argv[0]` is
    looked up in the PATH of `env`. `cpus` are the cores it may use (None: those of sweeper). With a `group`
    it runs in there, and the group is removed when it has ended. `container`: the program starts one, which
    ends with it. Returns once the program runs, after some 20 ms. Raises OSError (FileNotFoundError,
    PermissionError, ...) where the log cannot be written or the program cannot be started.
    """
    group = group or LimitedGroup()
    argv = [*group.prefix, *argv]
    with log_path.open("wb") as log:
        guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            bufsize=0,
        )
    spec = marshal.dumps(
        {
            "argv": list(argv),
            "env": dict(env),
            "cwd": None if cwd is None else str(cwd),
            "cpus": None if cpus is None else sorted(cpus),
            "groups": [str(folder) for folder in group.folders],
            "parent": os.getpid(),
            "container": container and {"label": container.label, "engine": list(container.engine.command)},
        }
    )
    process = ManagedProcess(guard, log_path, container)
    try:
        process.begin(b"%d\n%s" % (len(spec), spec), argv[0], cwd, cpus)
    except BaseException:
        process.kill()
        raise
    return process


@dataclass(slots=True)
class _Reports:
    """What the guard has said so far."""

    pid: int | None = None
    failure: tuple[int, str] | None = None
    exit_status: int | None = None
    cpu_s: float | None = None
    max_rss_bytes: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    killed: bool | None = None
    silent: bool = False

    def read(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        fields = rest.split()
        if word == "started":
            self.pid = int(fields[0])
        elif word == "failed":
            self.failure = int(fields[0]), fields[1]
        elif word == "exit":
            self.exit_status = int(fields[0])
            self.cpu_s = float(fields[1])
            self.max_rss_bytes = int(fields[2]) * 1024
            self.voluntary_switches, self.involuntary_switches = int(fields[3]), int(fields[4])
        elif word == "done":
            self.killed = fields[0] == "1"


class ManagedProcess:
    """A program under guard. Every method may be called at any time, from any thread.

    When this object is dropped without `stop`, or sweeper dies, the guard kills all there is.
    """

    def __init__(
        self, guard: subprocess.Popen[bytes], log_path: Path, starts: StartsContainer | None = None
    ) -> None:
        self._guard = guard
        self._log_path = log_path
        self._log = BoundedLog(log_path)
        self.log_left_out_bytes = 0
        """Of its log, when it has ended: the first and the last megabytes are kept."""
        self.starts = starts
        """None where it is not known to start a container."""
        self.container: Container | None = None
        """What is measured, instead of the program itself; None where that is no container, or not yet."""
        self._reports = _Reports()
        self._unread = b""
        self._lock = threading.Lock()
        self._exit: ServerExit | None = None
        self._frozen = False
        self._strays: list[psutil.Process] | None = None
        # Popen would keep the lifeline open until sweeper ends.
        assert guard.stdin is not None
        weakref.finalize(self, guard.stdin.close)

    @property
    def pid(self) -> int:
        """The program's own process: the root of what is measured."""
        assert self._reports.pid is not None
        return self._reports.pid

    @property
    def guard_pid(self) -> int:
        """The process above the program's: all processes of the program descend from it, also daemons."""
        return self._guard.pid

    def begin(self, spec: bytes, program: str, cwd: Path | None, cpus: frozenset[int] | None) -> None:
        """Used by `spawn`: hand over what to start and wait until it runs. Raises OSError."""
        assert self._guard.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.write(spec)
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        reports = self._reports
        while reports.pid is None and reports.failure is None:
            left_s = deadline_s - time.monotonic()
            if reports.silent or left_s <= 0:
                last_words = self.log_tail(1) or "it left no message"
                raise OSError(f"the guard of {program} did not start: {last_words}")
            self._listen(left_s)
        if reports.failure is not None:
            number, stage = reports.failure
            what = {"cwd": str(cwd), "cpus": str(sorted(cpus or ()))}.get(stage, program)
            raise OSError(number, f"{_STAGES[stage]}: {os.strerror(number)}", what)

    def adopt(self, container: Container) -> None:
        """From now on this container stands still, goes on and ends with the program."""
        self.container = container
        self._order(f"container {container.id}")

    def poll(self) -> int | None:
        """The exit code of the program itself (-N: ended by signal N), None while it runs."""
        self._log.bound()
        if self._lock.acquire(blocking=False):
            try:
                if self._exit is None:
                    self._listen(0.0)
                    if self._reports.silent and self._reports.killed is None:
                        self._finish_without_guard()
            finally:
                self._lock.release()
        return self._return_code()

    def wait(self, timeout_s: float) -> int | None:
        """Wait until it ends by itself: as `poll`, after so long at most."""
        deadline_s = time.monotonic() + timeout_s
        while (code := self.poll()) is None and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)
        return code

    def freeze(self) -> None:
        """SIGSTOP to all its processes: none runs until `thaw`. Takes microseconds, but for the first time.

        One that has left the process group since the last `thaw` runs on until the next `freeze`.
        """
        self._frozen = True
        if self.container is not None:
            self.container.freeze()
            return  # its engine has nothing to do meanwhile
        self._signal_all(signal.SIGSTOP)
        if self._strays is None:
            self._strays = self._find_strays()
            self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT to all of them, if they were frozen."""
        if self._frozen:
            self._frozen = False
            if self.container is not None:
                self.container.thaw()
                return
            self._strays = self._find_strays()
            self._signal_all(signal.SIGCONT)

    def begin_stop(self, grace_s: float = 10.0) -> None:
        """TERM to all its processes, and KILL to those that are left after `grace_s`; returns at once."""
        self.thaw()  # who is stopped cannot obey
        if self.container is not None and not self.container.terminate():
            grace_s = min(grace_s, _IN_VAIN_S)
        self._order(f"stop {grace_s}")

    def stop(self, grace_s: float = 10.0) -> ServerExit:
        """TERM to all its processes, wait up to `grace_s` for them, KILL the rest. Idempotent."""
        self.begin_stop(grace_s)
        return self._wait_for_end(grace_s)

    def kill(self) -> None:
        """KILL all its processes now, also while another thread waits in `stop`. Idempotent."""
        self._order("kill")
        self._wait_for_end(0.0)

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of what it wrote."""
        return tail(self._log_path, lines)

    def _signal_all(self, number: signal.Signals) -> None:
        """The program's process group at once, then those of its processes that have left it."""
        # Ended just now, or another user's by now.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        for process in self._strays or ():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process.send_signal(number)

    def _find_strays(self) -> list[psutil.Process]:
        """Its processes outside of its process group. Reads all of /proc."""
        strays = []
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self._guard.pid).children(recursive=True):
                with contextlib.suppress(ProcessLookupError):
                    if os.getpgid(process.pid) != self.pid:
                        strays.append(process)
        return strays

    def _order(self, order: str) -> None:
        stdin = self._guard.stdin
        # Closed after the end; broken when the guard is dead.
        with contextlib.suppress(OSError, ValueError):
            assert stdin is not None
            stdin.write(order.encode() + b"\n")

    def _wait_for_end(self, grace_s: float) -> ServerExit:
        start_s = time.monotonic()
        with self._lock:
            if self._exit is not None:
                return self._exit
            deadline_s = start_s + grace_s + _KILL_TIMEOUT_S
            if self._has_container:
                deadline_s += END_TIMEOUT_S
            while self._reports.killed is None and not self._reports.silent:
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    break
                self._listen(left_s)
            if self._reports.killed is None:
                self._finish_without_guard()
            self._guard.wait()
            for pipe in (self._guard.stdin, self._guard.stdout):
                assert pipe is not None
                pipe.close()
            reports, return_code = self._reports, self._return_code()
            assert return_code is not None
            # What is known of the engine's client says nothing of its container.
            usage = _Reports() if self._has_container else reports
            self.log_left_out_bytes = self._log.close()
            self._exit = ServerExit(
                return_code=return_code,
                stopped_in_s=time.monotonic() - start_s,
                killed=reports.killed is not False,
                cpu_s=usage.cpu_s,
                max_rss_bytes=usage.max_rss_bytes,
                voluntary_switches=usage.voluntary_switches,
                involuntary_switches=usage.involuntary_switches,
            )
            return self._exit

    @property
    def _has_container(self) -> bool:
        return self.starts is not None or self.container is not None

    def _return_code(self) -> int | None:
        status = self._reports.exit_status
        return None if status is None else os.waitstatus_to_exitcode(status)

    def _listen(self, timeout_s: float) -> None:
        """Take in what the guard reports, waiting for it up to `timeout_s`."""
        stdout = self._guard.stdout
        assert stdout is not None
        poller = select.poll()
        poller.register(stdout, select.POLLIN)
        while not self._reports.silent and poller.poll(timeout_s * 1000):
            data = os.read(stdout.fileno(), 4096)
            self._reports.silent = not data
            *lines, self._unread = (self._unread + data).split(b"\n")
            for line in lines:
                self._reports.read(line.decode())
            timeout_s = 0.0

    def _finish_without_guard(self) -> None:
        """The guard is dead or stuck; its program dies with it (parent-death signal). End the rest."""
        reports = self._reports
        victims = []
        with contextlib.suppress(psutil.NoSuchProcess):
            victims = psutil.Process(self._guard.pid).children(recursive=True)
        if self._has_container:
            engine, label = (self.starts.engine, self.starts.label) if self.starts else (None, "")
            end(label, self.container.id if self.container else "", engine)
        self._guard.kill()
        self._guard.wait()
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        for pid in psutil.pids() if reports.pid is not None else ():
            # The session outlives the program's own process; its number is not given out again before that.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.getsid(pid) == reports.pid:
                    os.kill(pid, signal.SIGKILL)
        if reports.exit_status is None:
            reports.exit_status = int(signal.SIGKILL)
        reports.killed = True
