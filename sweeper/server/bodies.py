"""How many bytes of bodies the server holds at once, over all connections: read, and not answered yet.

A body is held several times over while it is parsed; many large ones would use up the memory, although each
is smaller than DRUM_FASTAPI_MAX_UPLOAD_SIZE.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SHARE_OF_MEMORY = 4
"""One part in so many is for bodies."""
CGROUPS = Path("/sys/fs/cgroup")


class NoRoom(Exception):
    """Too much is held already: predict.py answers 503."""


class Body:
    """One that is being read, or has been."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.size_bytes = 0

    def add(self, count: int) -> None:
        """Raises NoRoom."""
        if self._bodies.held_bytes + count > self._bodies.most_bytes:
            raise NoRoom
        self._bodies.held_bytes += count
        self.size_bytes += count


class Bodies:
    """For one event loop."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.held_bytes = 0

    @contextmanager
    def another(self) -> Iterator[Body]:
        """Held within the block."""
        body = Body(self)
        try:
            yield body
        finally:
            self.held_bytes -= body.size_bytes


def room_bytes(processes: int, max_upload_bytes: int) -> int:
    """Bytes that each of `processes` may hold in bodies; always enough for two of the largest."""
    return max(memory_bytes() // SHARE_OF_MEMORY // processes, 2 * max_upload_bytes)


def memory_bytes() -> int:
    """The machine's, or the limit of the control group."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                found += limits(CGROUPS, path, "memory.max")
            elif controllers == "memory":
                found += limits(CGROUPS / "memory", path, "memory.limit_in_bytes")
    return min(found)


def limits(root: Path, path: str, name: str) -> Iterator[int]:
    """Of a group and all above it; in a container its own group may be the root."""
    group = root / path.lstrip("/")
    for folder in (group, *group.parents):
        with suppress(OSError, ValueError):  # "max" is no limit
            yield int((folder / name).read_text())
        if folder == root:
            return
