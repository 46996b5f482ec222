"""Stands between sweeper and one program, so that none of the program's processes outlives sweeper.

Run as a script of its own (`python -I -S guard.py`). It is part of every start, so it imports only what loads
in a millisecond or two (not json, re, typing, contextlib). Its stdin is the lifeline that sweeper holds, its
stdout what it reports, its stderr the program's log. It

- makes itself a child subreaper (PR_SET_CHILD_SUBREAPER(2const)): whatever the program starts stays below the
  guard, in whichever process group or session, also when the processes in between end;
- starts the program in a session and process group of its own, on the given cores;
- waits for all that ends below it, and reports the program's own end with wait4(2)'s rusage;
- ends everything below it on the word "stop" (TERM, wait, KILL) or "kill", and when sweeper dies: then the
  kernel closes the lifeline and makes sweeper's pidfd readable, however it died. The pidfd is for the case
  that a process forked from sweeper holds a copy of the lifeline and lives on.

A parent-death signal alone would not do: it fires when the *thread* that started the program ends, and it
reaches the program but not its children. It is set as well, for the case that the guard itself is killed.

When the program starts a container, the engine may start it outside of the guard's process tree. So the guard
lets container.py end the container before it kills its own descendants.

Input: a line with a number of bytes, these bytes, marshalled {"argv", "env", "cwd", "cpus", "groups",
"parent", "container"}, and later "container ID", "stop SECONDS" or "kill". "container" is {"label", "engine"}
where the program is known to start one, else None. The guard itself stays outside of the control groups that
the program runs in, and removes them at the end.
Output: "started PID", or "failed ERRNO STAGE" and nothing more; "exit STATUS CPU_S RSS_KIB VOLUNTARY
INVOLUNTARY" when the program itself has ended; "done 0|1" when nothing is left, 1 if that took a KILL.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
FIRST_KILL_PERIOD_S, LAST_KILL_PERIOD_S = 0.02, 1.0
TIDY_S = 3.0  # for an engine's own processes, once their container is gone
NEVER = float("inf")


def main() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    data = read(0, int(read_line(0) or 0))
    if data:
        Guard(marshal.loads(data)).run()  # from sweeper, by the same interpreter


class Guard:
    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._main_pid = 0
        self._childless = False
        self._container_id = ""
        self._end_at_s = NEVER  # when to turn to KILL
        self._poller = select.poll()
        self._poller.register(0, select.POLLIN)
        self._parent = open_pidfd(spec["parent"])
        if self._parent is not None:
            self._poller.register(self._parent, select.POLLIN)
        # Signals write to this pipe, so that poll wakes up for them too.
        self._wake, wake_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._end_in(0.0))
        self._poller.register(self._wake, select.POLLIN)

    def run(self) -> None:
        if os.getppid() != self._spec["parent"]:
            return
        self._main_pid = start(self._spec)
        if self._main_pid == 0:
            return
        try:
            while self._end_at_s == NEVER:
                self._wait(None)
            self._reap()
            if time.monotonic() < self._end_at_s:
                self._signal_all(signal.SIGTERM)
            while not self._childless and (left_s := self._end_at_s - time.monotonic()) > 0:
                self._wait(left_s)
        finally:
            killed = not self._childless
            self._end_container()
            period_s = FIRST_KILL_PERIOD_S
            while not self._childless:
                # Again and again: a process may fork between our looking and its dying.
                self._signal_all(signal.SIGKILL)
                self._wait(period_s)
                period_s = min(2 * period_s, LAST_KILL_PERIOD_S)
        for folder in self._spec["groups"]:
            remove_group(folder)
        report("done", int(killed))

    def _wait(self, timeout_s: float | None) -> None:
        """Until something ended, an order came, sweeper died, or the time is up."""
        for descriptor, _ in self._poller.poll(None if timeout_s is None else timeout_s * 1000 + 1):
            if descriptor == self._wake:
                os.read(self._wake, 4096)
            elif descriptor == self._parent:
                self._poller.unregister(descriptor)
                self._end_in(0.0)
            else:
                self._obey(read_line(descriptor).split())
        self._reap()

    def _end_container(self) -> None:
        container = self._spec["container"]
        if container is None and not self._container_id:
            return
        import subprocess

        label, engine = ("", ()) if container is None else (container["label"], container["engine"])
        script = os.path.join(os.path.dirname(__file__), "container.py")  # noqa: PTH118, PTH120
        argv = [sys.executable, "-I", "-S", script, label, self._container_id, *engine]
        quiet = subprocess.DEVNULL
        try:  # noqa: SIM105
            subprocess.run(argv, env=self._spec["env"], stdin=quiet, stdout=quiet, stderr=quiet, check=False)
        except OSError:
            pass  # the rest must end all the same
        until_s = time.monotonic() + TIDY_S
        while not self._childless and (left_s := until_s - time.monotonic()) > 0:
            self._wait(left_s)

    def _obey(self, words: list[str]) -> None:
        if words[:1] == ["container"]:
            self._container_id = words[1]
            return
        if not words:
            self._poller.unregister(0)
        self._end_in(float(words[1]) if words[:1] == ["stop"] else 0.0)

    def _end_in(self, grace_s: float) -> None:
        """A later order may bring the end nearer, never push it back."""
        self._end_at_s = min(self._end_at_s, time.monotonic() + grace_s)

    def _reap(self) -> None:
        while not self._childless:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                self._childless = True
                return
            if pid == 0:
                return
            if pid == self._main_pid:
                cpu_s = usage.ru_utime + usage.ru_stime
                report("exit", status, cpu_s, usage.ru_maxrss, usage.ru_nvcsw, usage.ru_nivcsw)

    def _signal_all(self, number: int) -> None:
        groups = descendants(os.getpid())
        if self._main_pid in groups.values():
            # One call for the whole group: a process it forks meanwhile cannot slip through.
            send(os.killpg, self._main_pid, number)
        for pid, group in groups.items():
            if group != self._main_pid:
                send(os.kill, pid, number)


def start(spec: dict[str, Any]) -> int:
    """The program's pid, or 0 if it could not be started; reports either."""
    guard_pid = os.getpid()
    failure, failure_end = os.pipe()  # closed by a successful exec
    pid = os.fork()
    if pid == 0:
        become_program(spec, guard_pid, failure_end)
    os.close(failure_end)
    reason = read(failure, 4096)
    os.close(failure)
    if reason:
        os.waitpid(pid, 0)
        report("failed", reason.decode())
        return 0
    report("started", pid)
    return pid


def become_program(spec: dict[str, Any], guard_pid: int, failure_end: int) -> None:
    """In the forked child: never returns."""
    stage = "guard"
    try:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard_pid:
            os._exit(127)
        signal.set_wakeup_fd(-1)
        # Python ignores some signals, and what is ignored stays so across exec.
        for name in ("SIGINT", "SIGQUIT", "SIGHUP", "SIGPIPE", "SIGXFSZ", "SIGTERM", "SIGCHLD"):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        stage = "cwd"
        if spec["cwd"] is not None:
            os.chdir(spec["cwd"])
        stage = "groups"
        for folder in spec["groups"]:
            with open(folder + "/cgroup.procs", "w") as file:  # noqa: PTH123
                file.write("0")
        stage = "cpus"
        if spec["cpus"] is not None:
            os.sched_setaffinity(0, spec["cpus"])
        stage = "exec"
        os.execvpe(spec["argv"][0], spec["argv"], spec["env"])
    except OSError as error:
        os.write(failure_end, f"{error.errno} {stage}".encode())
    finally:
        os._exit(127)


def remove_group(folder: str) -> None:
    """Now and then the kernel takes a moment to see that the last process has gone."""
    for _ in range(20):
        try:
            os.rmdir(folder)  # noqa: PTH106
            break
        except FileNotFoundError:
            break
        except OSError:
            time.sleep(0.01)


def descendants(root_pid: int) -> dict[int, int]:
    """The process group of each process below that one."""
    groups: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    _state, parent, group = file.read().rpartition(b")")[2].split()[:3]
            except OSError:
                continue
            groups[int(name)] = int(group)
            children.setdefault(int(parent), []).append(int(name))
    found = list(children.get(root_pid, ()))
    for pid in found:  # grows meanwhile
        found += children.get(pid, ())
    return {pid: groups[pid] for pid in found}


def send(kill: Any, target: int, number: int) -> None:
    try:  # noqa: SIM105
        kill(target, number)
    except (ProcessLookupError, PermissionError):
        pass  # ended just now, or it took another user's identity


def open_pidfd(pid: int) -> int | None:
    """None on a kernel (before 5.3) or in a sandbox that has none: the lifeline has to do."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def report(*words: object) -> None:
    try:  # noqa: SIM105
        os.write(1, (" ".join(map(str, words)) + "\n").encode())
    except OSError:
        pass  # sweeper is gone, and the lifeline says so too


def read_line(descriptor: int) -> str:
    """Up to the newline, and no further; "" at the end of the input."""
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(descriptor, 1)
        if not piece:
            return ""
        line += piece
    return line.decode()


def read(descriptor: int, size: int) -> bytes:
    """Up to `size` bytes, fewer at the end of the input."""
    data = b""
    while len(data) < size and (piece := os.read(descriptor, size - len(data))):
        data += piece
    return data


if __name__ == "__main__":
    main()
