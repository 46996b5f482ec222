"""A CPU and a memory limit for a program: it runs in a control group of its own that has them.

There are three ways, and the first that works here is used: in version 1, a group below sweeper's own; in
version 2, one below the nearest level that hands the controllers down (a level that has processes cannot); or
systemd-run, which asks systemd for such a group and needs no extra rights.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sweeper.errors import UsageError
from sweeper.processes.control_group import PROC, group_levels
from sweeper.settings.notation import size_text

PERIOD_US = 100_000  # what container runtimes take
LEAST_QUOTA_US = 1_000  # the kernel's least
PREFIX = "sweeper-"
PROBE_TIMEOUT_S = 10.0
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """What a server may use; None: without a limit."""

    cpu_cores: float | None = None
    memory_bytes: int | None = None

    @property
    def options(self) -> str:
        """As on the command line."""
        cpu = [] if self.cpu_cores is None else [f"--cpu-limit {self.cpu_cores:g}"]
        memory = [] if self.memory_bytes is None else [f"--memory-limit {size_text(self.memory_bytes)}"]
        return " ".join(cpu + memory)

    @property
    def controllers(self) -> tuple[str, ...]:
        cpu = () if self.cpu_cores is None else ("cpu",)
        return cpu if self.memory_bytes is None else (*cpu, "memory")


@dataclass(frozen=True, slots=True)
class LimitedGroup:
    """A control group for one program: `folders` (one for each hierarchy) that it enters before it starts, or
    a `prefix` of its command line that makes the group."""

    folders: tuple[Path, ...] = ()
    prefix: tuple[str, ...] = ()

    def remove(self) -> None:
        """Once nothing runs in it. What is left is removed when the next group is made."""
        for folder in self.folders:
            with suppress(OSError):
                folder.rmdir()


@dataclass(frozen=True, slots=True)
class LimitedGroups:
    """How groups with `limits` are made on this machine (`limited_groups` finds it out)."""

    limits: ResourceLimits
    way: str  # "cgroup v1", "cgroup v2" or "systemd-run", for the record
    parents: dict[str, Path] = field(default_factory=dict)  # by controller; empty with systemd-run
    command: tuple[str, ...] = ()  # of systemd-run, with its limits

    def new(self) -> LimitedGroup:
        """A fresh one. Raises OSError."""
        if self.command:
            return LimitedGroup(prefix=self.command)
        name = f"{PREFIX}{os.getpid()}-{next(_numbers)}"
        parents = dict.fromkeys(self.parents.values())
        _remove_orphans(parents)
        group = LimitedGroup(tuple(parent / name for parent in parents))
        try:
            for folder in group.folders:
                folder.mkdir()
            for controller, parent in self.parents.items():
                self._limit(controller, parent / name)
        except OSError:
            group.remove()
            raise
        return group

    def _limit(self, controller: str, folder: Path) -> None:
        cores, size = self.limits.cpu_cores, self.limits.memory_bytes
        if controller == "cpu" and cores is not None:
            quota_us = max(LEAST_QUOTA_US, round(cores * PERIOD_US))
            if (folder / "cpu.max").exists():
                _write(folder / "cpu.max", f"{quota_us} {PERIOD_US}")
            else:
                _write(folder / "cpu.cfs_period_us", str(PERIOD_US))
                _write(folder / "cpu.cfs_quota_us", str(quota_us))
        if controller == "memory" and size is not None:
            v2 = (folder / "memory.max").exists()
            _write(folder / ("memory.max" if v2 else "memory.limit_in_bytes"), str(size))
            # Without swap, as in Kubernetes: a server that swaps is measured for its disk.
            swap = folder / ("memory.swap.max" if v2 else "memory.memsw.limit_in_bytes")
            if swap.exists():
                _write(swap, "0" if v2 else str(size))


def limited_groups(limits: ResourceLimits, proc: Path = PROC) -> LimitedGroups:
    """The way to set `limits` on this machine; tried once. Raises UsageError where there is none."""
    reasons = []
    for find in (_cgroup_directly, _systemd_run):
        found = find(limits, proc)
        if isinstance(found, LimitedGroups):
            return found
        reasons.append(found)
    raise UsageError(
        f"{limits.options}: sweeper cannot make a control group with such a limit here "
        f"({'; '.join(reasons)}): run sweeper as root, in a user session of systemd, or in a container that "
        "may write /sys/fs/cgroup; or leave the limit out and run all of sweeper in a container that has it"
    )


def _cgroup_directly(limits: ResourceLimits, proc: Path) -> LimitedGroups | str:
    found = {controller: group_levels(proc, "self", controller) for controller in limits.controllers}
    parents = {controller: levels[0] for controller, (version, levels) in found.items() if version == 1}
    unified = tuple(controller for controller in found if controller not in parents)
    if unified:
        parent = _handing_down(found[unified[0]][1], unified)
        if isinstance(parent, str):
            return parent
        parents |= dict.fromkeys(unified, parent)
    groups = LimitedGroups(limits, "cgroup v2" if unified else "cgroup v1", parents)
    try:
        groups.new().remove()
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return groups


def _handing_down(levels: Sequence[Path], controllers: Sequence[str]) -> Path | str:
    """Of version 2 the nearest group that hands these controllers down, as long as no limit is left behind on
    the way up to it."""
    for level in levels:
        if _hands_down(level, controllers):
            return level
        if level == levels[-1]:
            # The root of all groups may do so even with processes in it.
            with suppress(OSError):
                _write(level / "cgroup.subtree_control", " ".join(f"+{name}" for name in controllers))
            if _hands_down(level, controllers):
                return level
        for name in ("cpu.max", "memory.max"):
            if _read(level / name).split()[:1] not in ([], ["max"]):
                return f"{level} has a limit of its own ({name}), and its children can have none"
    return f"no control group lets its children use {' and '.join(controllers)}"


def _hands_down(level: Path, controllers: Sequence[str]) -> bool:
    return set(controllers) <= set(_read(level / "cgroup.subtree_control").split())


def _systemd_run(limits: ResourceLimits, proc: Path) -> LimitedGroups | str:
    program = shutil.which("systemd-run")
    if program is None:
        return "there is no systemd-run"
    user = () if os.geteuid() == 0 else ("--user",)
    properties = []
    if limits.cpu_cores is not None:
        properties += ["-p", f"CPUQuota={limits.cpu_cores:.2%}"]
    if limits.memory_bytes is not None:
        properties += ["-p", f"MemoryMax={limits.memory_bytes}", "-p", "MemorySwapMax=0"]
    command = (program, *user, "--scope", "--quiet", "--collect", *properties, "--")
    try:
        tried = subprocess.run(
            [*command, "true"], capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "systemd-run does not answer"
    if tried.returncode != 0:
        words = tried.stderr.strip().splitlines() or ["it fails"]
        return f"systemd-run: {words[0].rstrip('.')}"
    return LimitedGroups(limits, "systemd-run", command=command)


def _remove_orphans(parents: Sequence[Path] | dict[Path, None]) -> None:
    """Groups of a sweeper that was killed together with its guards; the kernel keeps one that is in use."""
    for parent in parents:
        for folder in parent.glob(f"{PREFIX}[0-9]*-[0-9]*"):
            pid = folder.name.removeprefix(PREFIX).partition("-")[0]
            if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
                with suppress(OSError):
                    folder.rmdir()


def _write(path: Path, text: str) -> None:
    """In one call, as the kernel wants it. Raises OSError that names the file."""
    try:
        path.write_text(text)
    except OSError as error:
        error.filename = str(path)
        raise


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text()
    return ""
