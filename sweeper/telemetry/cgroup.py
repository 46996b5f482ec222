"""The control groups a process is in (version 1, 2, or both): CPU quota, throttling and memory limit.

A limit may sit on any level above the process, so every level up to the mount is read. cgroups(7).
"""

from __future__ import annotations

from pathlib import Path

from sweeper.procfs import (
    Throttling,
    parse_cfs_quota,
    parse_cgroup_mounts,
    parse_cgroup_paths,
    parse_cpu_max,
    parse_inactive_file,
    parse_memory_limit,
    parse_throttling,
)
from sweeper.telemetry.files import try_read_text


class CpuThrottling:
    """How often and how long the process's groups ran out of CPU quota."""

    def __init__(self, proc: Path, pid: int | str) -> None:
        _, levels = _levels(proc, pid, "cpu")
        paths = [level / "cpu.stat" for level in levels]
        self._paths = [path for path in paths if _read_throttling(path).periods is not None]

    def read(self) -> Throttling:
        """Sums over the levels, since a quota on any of them stops the process; None where none counts."""
        found = [_read_throttling(path) for path in self._paths]
        periods = [one.periods for one in found if one.periods is not None]
        seconds = [one.seconds for one in found if one.seconds is not None]
        return Throttling(sum(periods) if periods else None, sum(seconds) if seconds else None)


def cpu_quota_cores(proc: Path, pid: int | str = "self") -> float | None:
    """The smallest CPU quota that holds for the process, in cores; None without one."""
    version, levels = _levels(proc, pid, "cpu")
    quotas = []
    for level in levels:
        if version == 2:
            quota = parse_cpu_max(try_read_text(level / "cpu.max") or "")
        else:
            period = try_read_text(level / "cpu.cfs_period_us") or ""
            quota = parse_cfs_quota(try_read_text(level / "cpu.cfs_quota_us") or "", period)
        quotas.append(quota)
    return min((quota for quota in quotas if quota is not None), default=None)


def cpu_group_known(proc: Path, pid: int | str = "self") -> bool:
    """Whether the process's CPU group can be seen, so that "no quota" means that there is none."""
    _, levels = _levels(proc, pid, "cpu")
    return any(level.is_dir() for level in levels)


def memory_limit_bytes(proc: Path, pid: int | str = "self") -> int | None:
    """The smallest memory limit that holds for the process; None without one."""
    version, levels = _levels(proc, pid, "memory")
    name = "memory.max" if version == 2 else "memory.limit_in_bytes"
    limits = [parse_memory_limit(try_read_text(level / name) or "") for level in levels]
    return min((limit for limit in limits if limit is not None), default=None)


def memory_left_bytes(proc: Path, pid: int | str = "self") -> int | None:
    """What the tightest memory limit leaves to its group; None without a limit. Cached files count as used,
    unless the kernel says which of them it would give up."""
    version, levels = _levels(proc, pid, "memory")
    limit_name, used_name = (
        ("memory.max", "memory.current")
        if version == 2
        else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    )
    left = []
    for level in levels:
        limit = parse_memory_limit(try_read_text(level / limit_name) or "")
        used = try_read_text(level / used_name)
        if limit is not None and used is not None:
            cached = parse_inactive_file(try_read_text(level / "memory.stat") or "")
            left.append(limit - max(0, int(used) - cached))
    return min(left, default=None)


def _levels(proc: Path, pid: int | str, controller: str) -> tuple[int, list[Path]]:
    """The version that has the controller and the group's folders, from the process's own up to the mount."""
    mounts = parse_cgroup_mounts(try_read_text(proc / str(pid) / "mountinfo") or "")
    paths = parse_cgroup_paths(try_read_text(proc / str(pid) / "cgroup") or "")
    # Where both versions are mounted, a controller belongs to one of them: to version 1 if that names it.
    for mount in sorted(mounts, key=lambda mount: mount.version):
        key = "" if mount.version == 2 else controller
        if key not in paths or (mount.version == 1 and controller not in mount.controllers):
            continue
        top = Path(mount.mount_point)
        path, root = paths[key], mount.root.rstrip("/")
        # In a container the path may lie outside of what is mounted: then the mount itself is the group.
        inside = path[len(root) :].strip("/") if path == root or path.startswith(root + "/") else ""
        group = top / inside if ".." not in inside.split("/") else top
        return mount.version, [level for level in (group, *group.parents) if level.is_relative_to(top)]
    return 2, []


def _read_throttling(path: Path) -> Throttling:
    return parse_throttling(try_read_text(path) or "")
