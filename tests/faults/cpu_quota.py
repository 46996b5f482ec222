"""A control group of our own with a CPU quota, version 1 or 2, where this machine lets us make one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sweeper.procfs import parse_cgroup_mounts, parse_cgroup_paths

PERIOD_US = 500_000
LEAST_US = 1000  # the kernel's least quota
MEASURED_S = 0.5


@dataclass(frozen=True)
class QuotaGroup:
    """A folder of the `cpu` controller; `take` puts a process into it, `halve` bounds its CPU."""

    folder: Path
    version: int

    def take(self, pid: int) -> None:
        (self.folder / "cgroup.procs").write_text(str(pid))

    def halve(self, pid: int) -> None:
        """Let `pid`, of one thread, have half of what it takes now."""
        before_s = cpu_s(pid)
        time.sleep(MEASURED_S)
        needed = (cpu_s(pid) - before_s) / MEASURED_S
        quota_us = max(LEAST_US, int(PERIOD_US * needed / 2))
        if self.version == 1:
            (self.folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (self.folder / "cpu.cfs_quota_us").write_text(str(quota_us))
        else:
            (self.folder / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")


def cpu_s(pid: int) -> float:
    """To the nanosecond; what /proc/PID/stat has comes in ticks of 10 ms."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def where() -> tuple[Path, int] | str:
    """This process's own group and the version of the `cpu` controller, or what is missing for a quota."""
    mounts = parse_cgroup_mounts(Path("/proc/self/mountinfo").read_text())
    paths = parse_cgroup_paths(Path("/proc/self/cgroup").read_text())
    for mount in sorted(mounts, key=lambda mount: mount.version):
        key = "" if mount.version == 2 else "cpu"
        if key not in paths or (mount.version == 1 and "cpu" not in mount.controllers):
            continue
        root = mount.root.rstrip("/")
        path = paths[key]
        inside = path[len(root) :].strip("/") if path.startswith(root) and ".." not in path else ""
        group = Path(mount.mount_point) / inside
        if mount.version == 2 and "cpu" not in (group / "cgroup.subtree_control").read_text().split():
            return f"{group} hands no cpu controller down to groups in it"
        return group, mount.version
    return "no control group with the cpu controller is mounted"


@contextmanager
def quota_group() -> Iterator[QuotaGroup | str]:
    """A new group, removed at the end; or the sentence that says why this machine lets us make none."""
    found = where()
    if isinstance(found, str):
        yield found
        return
    folder = found[0] / f"sweeper-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        yield f"{found[0]} does not let us make a group: {error.strerror}"
        return
    try:
        yield QuotaGroup(folder, found[1])
    finally:
        folder.rmdir()  # possible, since the run has stopped every process in it
