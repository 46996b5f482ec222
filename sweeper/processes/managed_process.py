"""`spawn`: a program with a guard above it (guard.py), from its start until nothing of it is left."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from sweeper.processes.container import END_TIMEOUT_S, Container, StartsContainer, end
from sweeper.processes.guard_client import GuardClient, ProgramExit
from sweeper.processes.program_log import BoundedLog, tail
from sweeper.processes.resource_limits import LimitedGroup
from sweeper.records.observations import ServerExit
from sweeper.run.timing import STOP_GRACE_S

# How much longer than the grace the guard may take to end everything by KILL.
_KILL_TIMEOUT_S = 10.0
_IN_VAIN_S = 1.0  # waited for a container in which nobody obeys TERM
_POLL_S = 0.02


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
    starts = container and {"label": container.label, "engine": list(container.engine.command)}
    guard = GuardClient(log_path)
    process = ManagedProcess(guard, log_path, container)
    try:
        guard.begin(
            {
                "argv": [*group.prefix, *argv],
                "env": dict(env),
                "cwd": None if cwd is None else str(cwd),
                "cpus": None if cpus is None else sorted(cpus),
                "groups": [str(folder) for folder in group.folders],
                "container": starts,
            }
        )
    except BaseException:
        process.kill()
        raise
    return process


class ManagedProcess:
    """A program under guard. Every method may be called at any time, from any thread.

    When this object is dropped without `stop`, or sweeper dies, the guard kills all there is.
    """

    def __init__(self, guard: GuardClient, log_path: Path, starts: StartsContainer | None = None) -> None:
        self._guard = guard
        self._log_path = log_path
        self._log = BoundedLog(log_path)
        self.log_left_out_bytes = 0
        """Of its log, when it has ended: the first and the last megabytes are kept."""
        self.starts = starts
        """None where it is not known to start a container."""
        self.container: Container | None = None
        """What is measured, instead of the program itself; None where that is no container, or not yet."""
        self._lock = threading.Lock()
        self._exit: ServerExit | None = None
        self._frozen = False
        self._strays: list[psutil.Process] | None = None

    @property
    def pid(self) -> int:
        """The program's own process: the root of what is measured."""
        assert self._guard.program_pid is not None
        return self._guard.program_pid

    @property
    def guard_pid(self) -> int:
        """The process above the program's: all processes of the program descend from it, also daemons."""
        return self._guard.pid

    def descendants(self) -> list[psutil.Process]:
        """All processes of the program. Reads all of /proc; empty when the guard has ended."""
        try:
            return psutil.Process(self._guard.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def adopt(self, container: Container) -> None:
        """From now on this container stands still, goes on and ends with the program."""
        self.container = container
        self._guard.order(f"container {container.id}")

    def poll(self) -> int | None:
        """The exit code of the program itself (-N: ended by signal N), None while it runs."""
        self._log.bound()
        if self._lock.acquire(blocking=False):
            try:
                if self._exit is None:
                    self._guard.listen(0.0)
                    if self._guard.silent and self._guard.killed is None:
                        self._finish_without_guard()
            finally:
                self._lock.release()
        ended = self._guard.program_exit
        return None if ended is None else ended.code

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

    def begin_stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """TERM to all its processes, and KILL to those that are left after `grace_s`; returns at once."""
        self.thaw()  # who is stopped cannot obey
        if self.container is not None and not self.container.terminate():
            grace_s = min(grace_s, _IN_VAIN_S)
        self._guard.order(f"stop {grace_s}")

    def stop(self, grace_s: float = STOP_GRACE_S) -> ServerExit:
        """TERM to all its processes, wait up to `grace_s` for them, KILL the rest. Idempotent."""
        self.begin_stop(grace_s)
        return self._wait_for_end(grace_s)

    def kill(self) -> None:
        """KILL all its processes now, also while another thread waits in `stop`. Idempotent."""
        self._guard.order("kill")
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
        for process in self.descendants():
            with contextlib.suppress(ProcessLookupError):
                if os.getpgid(process.pid) != self.pid:
                    strays.append(process)
        return strays

    def _wait_for_end(self, grace_s: float) -> ServerExit:
        start_s = time.monotonic()
        guard = self._guard
        with self._lock:
            if self._exit is not None:
                return self._exit
            deadline_s = start_s + grace_s + _KILL_TIMEOUT_S
            if self._has_container:
                deadline_s += END_TIMEOUT_S
            while guard.killed is None and not guard.silent:
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    break
                guard.listen(left_s)
            if guard.killed is None:
                self._finish_without_guard()
            guard.close()
            ended = guard.program_exit
            assert ended is not None
            # What is known of the engine's client says nothing of its container.
            usage = ProgramExit(ended.status) if self._has_container else ended
            self.log_left_out_bytes = self._log.close()
            self._exit = ServerExit(
                return_code=ended.code,
                stopped_in_s=time.monotonic() - start_s,
                killed=guard.killed is not False,
                cpu_s=usage.cpu_s,
                max_rss_bytes=usage.max_rss_bytes,
                voluntary_switches=usage.voluntary_switches,
                involuntary_switches=usage.involuntary_switches,
            )
            return self._exit

    @property
    def _has_container(self) -> bool:
        return self.starts is not None or self.container is not None

    def _finish_without_guard(self) -> None:
        """The guard is dead or stuck: end it, its program with it, and the rest."""
        victims = self.descendants()
        if self._has_container:
            engine, label = (self.starts.engine, self.starts.label) if self.starts else (None, "")
            end(label, self.container.id if self.container else "", engine)
        self._guard.kill()
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        for pid in psutil.pids() if self._guard.program_pid is not None else ():
            # The session outlives the program's own process; its number is not given out again before that.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.getsid(pid) == self._guard.program_pid:
                    os.kill(pid, signal.SIGKILL)
