"""Where the control groups of a process are, in version 1, version 2, or both.

A limit may sit on any level above the process, so its groups are listed from its own up to the mount.
Formats: cgroups(7), Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_OCTAL_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class CgroupMount:
    """One hierarchy of /proc/PID/mountinfo."""

    version: int
    """1 or 2."""
    controllers: frozenset[str]
    """Empty for version 2."""
    root: str
    """The group that is mounted."""
    mount_point: str
    """Where."""


def group_levels(proc: Path, pid: int | str, controller: str) -> tuple[int, list[Path]]:
    """The version that has the controller and the group's folders, from the process's own up to the mount."""
    # Where the groups are mounted for us; a process in a container has mounts of its own.
    mountinfo = _text(proc / "self/mountinfo") or _text(proc / str(pid) / "mountinfo")
    mounts = parse_cgroup_mounts(mountinfo)
    paths = parse_cgroup_paths(_text(proc / str(pid) / "cgroup"))
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


def parse_cgroup_paths(text: str) -> dict[str, str]:
    """/proc/PID/cgroup: path by controller, the unified hierarchy of version 2 under the key ""."""
    paths: dict[str, str] = {}
    for line in text.split("\n"):
        parts = line.split(":", 2)
        if len(parts) == 3:
            for controller in parts[1].split(","):
                paths.setdefault(controller, parts[2])
    return paths


def parse_cgroup_mounts(text: str) -> tuple[CgroupMount, ...]:
    mounts: list[CgroupMount] = []
    for line in text.split("\n"):
        before, _, after = line.partition(" - ")
        mount, source = before.split(" "), after.split(" ")
        if len(mount) < 5 or source[0] not in ("cgroup", "cgroup2"):
            continue
        version = 2 if source[0] == "cgroup2" else 1
        options = source[2].split(",") if version == 1 and len(source) > 2 else ()
        mounts.append(CgroupMount(version, frozenset(options), _unescape(mount[3]), _unescape(mount[4])))
    return tuple(mounts)


def _unescape(path: str) -> str:
    return _OCTAL_ESCAPE.sub(lambda match: chr(int(match[1], 8)), path)


def _text(path: Path) -> str:
    """Empty where there is none, or the process has ended."""
    with suppress(OSError):
        return path.read_text(encoding="latin-1")
    return ""


class MemoryKills:
    """Counts the processes of a server's own group that the kernel killed for lack of memory, whether the
    group's limit or the machine's memory ran out. Call `look` while the server lives."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._file: Path | None = None
        self._before: int | None = None
        self._after: int | None = None

    def look(self, pid: int) -> None:
        """Find the group of `pid`, and read what it counts by now. Nothing happens where there is none."""
        version, levels = group_levels(self._proc, pid, "memory")
        if levels:
            file = levels[0] / ("memory.events" if version == 2 else "memory.oom_control")
            # One that is dying is shown at the root of all groups.
            dying = self._file is not None and self._file.is_relative_to(levels[0])
            if file != self._file and not dying:
                self._file, self._before = file, _oom_kills(_text(file))
        self.read()

    def read(self) -> int | None:
        """Since it was first looked at; None where the kernel does not count them. The last known number
        once the group is gone."""
        if self._file is not None:
            now = _oom_kills(_text(self._file))
            self._after = self._after if now is None else now
        return None if self._after is None or self._before is None else self._after - self._before


def _oom_kills(text: str) -> int | None:
    """`oom_kill N` of memory.events (version 2) and memory.oom_control (version 1)."""
    for line in text.splitlines():
        name, _, count = line.partition(" ")
        if name == "oom_kill" and count.isdecimal():
            return int(count)
    return None
