"""A container: which processes are its own, how they stand still and go on, and how it ends for good.

Its engine (podman, docker) starts them, not sweeper, so that they are found by their control group: its name
holds the container's ID. A container that sweeper has started is labelled, so that it is found at any moment
of its life, also one that is being made.

The guard runs this file as a script of its own (`python -I -S container.py LABEL ID ENGINE...`, where LABEL
or ID may be empty): it kills what runs in the container and has the engine remove it. So it imports nothing
of the package.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

LABEL = "sweeper.server"
ENGINE_TIMEOUT_S = 10.0
END_TIMEOUT_S = 30.0
"""Within which a container is killed and removed."""
_KILL_TIMEOUT_S = 5.0
_KILL_PERIOD_S = 0.02
_SETTLE_S = 0.5
_ID = re.compile(r"[0-9a-f]{64}")
# libpod-ID.scope, docker-ID.scope, docker/ID, ...; never libpod-conmon-ID.scope, which is podman's own.
_GROUP = re.compile(r"(?:[a-z]+-)?([0-9a-f]{64})(?:\.scope)?")
_TERM_BIT = 1 << (signal.SIGTERM - 1)


@dataclass(frozen=True, slots=True)
class Engine:
    """What starts containers, and how it is called."""

    command: tuple[str, ...]
    """Up to `run`: its program with its own options, and what stands before it (such as sudo)."""
    env: Mapping[str, str] | None = None
    """None: ours."""

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str] | None:
        """None where it could not be called or did not answer in time."""
        try:
            return subprocess.run(
                [*self.command, *arguments],
                env=self.env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=ENGINE_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None

    def containers(self, label: str, *, running: bool = False) -> list[str]:
        """The IDs of those that were started with `--label sweeper.server=LABEL`."""
        which = () if running else ("--all",)
        answer = self.ask("ps", *which, "--quiet", "--no-trunc", "--filter", f"label={LABEL}={label}")
        return _ID.findall(answer.stdout) if answer is not None else []


@dataclass(frozen=True, slots=True)
class StartsContainer:
    """Of a program that has an engine start a container."""

    engine: Engine
    label: str
    """It is started with, so that it can be found."""

    def running(self) -> str | None:
        """Its ID; None before it runs."""
        return next(iter(self.engine.containers(self.label, running=True)), None)


def container_of(pid: int | str) -> str | None:
    """The ID of the container that a process is in; None where it is in none, or has ended."""
    return next((found[1] for path in group_paths(pid).values() if (found := _innermost(path))), None)


def members(container_id: str) -> list[int]:
    """The processes of a container. Reads all of /proc."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208
    return [pid for pid in pids if container_id in _read(f"/proc/{pid}/cgroup") and _is_in(pid, container_id)]


def first_process(container_id: str) -> int | None:
    """The one that all others of the container descend from; None where none of them is to be seen here."""
    pids = members(container_id)
    return next((pid for pid in pids if parent_of(pid) not in pids), None)


def parent_of(pid: int) -> int:
    """0 where it has ended."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


@dataclass(frozen=True, slots=True)
class Freezer:
    """The file that stops a whole control group where it is."""

    path: Path
    stop: str
    go_on: str

    def write(self, text: str) -> bool:
        try:
            self.path.write_text(text)
        except OSError:
            return False
        return True


def freezers(container_id: str, pid: int) -> Iterator[Freezer]:
    """The writable freezers of the container that `pid` is in. Version 2 of control groups comes first: there
    a frozen process can be killed."""
    paths = group_paths(pid)
    mounts = _read("/proc/self/mountinfo").splitlines()
    for line in sorted(mounts, key=lambda line: " - cgroup2 " not in line):
        before, _, after = line.partition(" - ")
        root, top = before.split()[3:5]
        kind, _, options = after.split()[:3]
        if kind == "cgroup2":
            name, stop, go_on, path = "cgroup.freeze", "1", "0", paths.get("")
        elif kind == "cgroup" and "freezer" in options.split(","):
            name, stop, go_on, path = "freezer.state", "FROZEN", "THAWED", paths.get("freezer")
        else:
            continue
        whole = None if path is None else _up_to(path, container_id)
        if whole is None or not whole.startswith(root.rstrip("/")):
            continue
        file = Path(top) / whole[len(root.rstrip("/")) :].strip("/") / name
        if os.access(file, os.W_OK):
            yield Freezer(file, stop, go_on)


class Container:
    """One that runs. Every method may be called after its end, too."""

    def __init__(self, container_id: str) -> None:
        """Raises ProcessLookupError where none of its processes is to be seen from here."""
        first = first_process(container_id)
        if first is None:
            raise ProcessLookupError(container_id)
        self.id = container_id
        self.pid = first
        """Its first process, as we number them: the root of what is measured."""
        self._freezer = next(freezers(container_id, first), None)
        self.stands_still = self._freezer is not None or all(send(pid, 0) for pid in members(container_id))
        """Whether `freeze` stops it: by its control group, or each of its processes."""
        self._stopped: list[int] = []

    def freeze(self) -> None:
        if self._freezer is not None and self._freezer.write(self._freezer.stop):
            return
        # Until no new one is found: a process may fork between our looking and its stopping.
        while new := [pid for pid in members(self.id) if pid not in self._stopped]:
            for pid in new:
                send(pid, signal.SIGSTOP)
            self._stopped += new

    def thaw(self) -> None:
        if self._freezer is not None:
            self._freezer.write(self._freezer.go_on)
        for pid in self._stopped:
            if _is_in(pid, self.id):
                send(pid, signal.SIGCONT)
        self._stopped = []

    def terminate(self) -> bool:
        """TERM to all of its processes; False where that ends none of them: a container's first process
        ignores it unless it handles it."""
        pids = members(self.id)
        obeyed = pids != [self.pid] or handles_term(self.pid)
        for pid in pids:
            send(pid, signal.SIGTERM)
        return obeyed


def handles_term(pid: int) -> bool:
    """Whether a process has a handler of its own for TERM."""
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", _read(f"/proc/{pid}/status"), re.MULTILINE)
    return caught is None or bool(int(caught[1], 16) & _TERM_BIT)


def end(label: str, container_id: str, engine: Engine | None) -> None:
    """Kill what is in the container and have the engine remove it. Does nothing where there is none."""
    now_s = time.monotonic()
    until_s = now_s + END_TIMEOUT_S
    if container_id:
        kill(container_id, engine)
    if engine is None or not label:
        return
    # One that was being made when its client ended may come to be a moment later.
    settled_s = now_s if container_id else now_s + _SETTLE_S
    while (found := engine.containers(label)) or time.monotonic() < settled_s:
        for one in found:
            kill(one, engine)
        if found:
            engine.ask("rm", "--force", "--volumes", *found)
        if time.monotonic() > until_s:
            return
        time.sleep(_KILL_PERIOD_S)


def kill(container_id: str, engine: Engine | None) -> None:
    """KILL to all that is in it, again and again until nothing is left; where that is not allowed to us, the
    engine does it."""
    until_s = time.monotonic() + _KILL_TIMEOUT_S
    while (pids := members(container_id)) and time.monotonic() < until_s:
        for freezer in freezers(container_id, pids[0]):
            freezer.write(freezer.go_on)  # with version 1, what stands still is not killed before it goes on
        sent = [send(pid, signal.SIGKILL) for pid in pids]
        if not all(sent):
            if engine is not None:
                engine.ask("kill", container_id)
            return
        time.sleep(_KILL_PERIOD_S)


def send(pid: int, number: int) -> bool:
    """False where that is not allowed. Number 0 only asks."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        return False
    return True


def group_paths(pid: int | str) -> dict[str, str]:
    """/proc/PID/cgroup: path by controller, version 2 under the key ""; empty where it has ended."""
    paths: dict[str, str] = {}
    for line in _read(f"/proc/{pid}/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        paths |= dict.fromkeys(controllers.split(","), path)
    return paths


def _is_in(pid: int, container_id: str) -> bool:
    return any(_up_to(path, container_id) is not None for path in group_paths(pid).values())


def _up_to(path: str, container_id: str) -> str | None:
    """The container's own group, of which the engine may have made more below."""
    parts = path.split("/")
    for number, part in enumerate(parts):
        if (found := _GROUP.fullmatch(part)) and found[1] == container_id:
            return "/".join(parts[: number + 1])
    return None


def _innermost(path: str) -> re.Match[str] | None:
    return next((found for part in reversed(path.split("/")) if (found := _GROUP.fullmatch(part))), None)


def _read(path: str) -> str:
    """ "" where the process has ended."""
    try:
        with open(path, encoding="latin-1") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return ""


if __name__ == "__main__":
    end(sys.argv[1], sys.argv[2], Engine(tuple(sys.argv[3:])) if sys.argv[3:] else None)
