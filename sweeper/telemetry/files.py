"""Reading small kernel files fast: no buffering, no text layer, and open files that stay on one thread."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

from sweeper.procfs import parse_stat

PROC = Path("/proc")
_CHUNK_BYTES = 65_536


def read_text(path: str | Path) -> str:
    """The whole file as Latin-1, which every byte is. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _read_all(descriptor)
    finally:
        os.close(descriptor)


def try_read_text(path: str | Path) -> str | None:
    """None where the file is missing or cannot be read: this kernel, or this moment, does not have it."""
    try:
        return read_text(path)
    except OSError:
        return None


class FileBudget:
    """How many files may stay open; what is beyond it is opened for each read instead."""

    def __init__(self, limit: int | None = None) -> None:
        """By default a quarter of what this process may have open."""
        soft_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft_limit == resource.RLIM_INFINITY:
            soft_limit = 65_536
        self._left = soft_limit // 4 if limit is None else limit

    def take(self, count: int) -> bool:
        if count > self._left:
            return False
        self._left -= count
        return True

    def give_back(self, count: int) -> None:
        self._left += count


class TaskFiles:
    """The files of one thread, /proc/PID/task/TID, that never change over to a later thread of the same TID.

    An open file of /proc stays with its thread: once that has ended, reads fail with ESRCH. Where the budget
    does not allow open files, the thread's start time tells the two apart.
    """

    def __init__(self, directory: str, names: tuple[str, ...], budget: FileBudget) -> None:
        """Raises OSError (FileNotFoundError, ProcessLookupError) when the thread is gone already."""
        self._paths = [f"{directory}/{name}" for name in names]
        self._stat_path = f"{directory}/stat"
        self._budget = budget
        self._descriptors: list[int] = []
        self._start_ticks: int | None = None
        if not budget.take(len(names)):
            self._start_ticks = self._read_start_ticks()
            return
        try:
            for path in self._paths:
                self._descriptors.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            budget.give_back(len(names) - len(self._descriptors))
            self.close()
            raise

    def read(self) -> list[str]:
        """The text of each file, as named. Raises ProcessLookupError when the thread has ended."""
        if self._start_ticks is None:
            return [_read_all(descriptor) for descriptor in self._descriptors]
        try:
            texts = [read_text(path) for path in self._paths]
            start_ticks = self._read_start_ticks()
        except FileNotFoundError as error:
            raise ProcessLookupError(str(error)) from error
        if start_ticks != self._start_ticks:
            raise ProcessLookupError(f"{self._stat_path} is another thread's now")
        return texts

    def close(self) -> None:
        for descriptor in self._descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._budget.give_back(len(self._descriptors))
        self._descriptors = []

    def __del__(self) -> None:
        self.close()

    def _read_start_ticks(self) -> int:
        stat = parse_stat(read_text(self._stat_path))
        if stat is None:
            raise ProcessLookupError(f"{self._stat_path} is unreadable")
        return stat.start_ticks


def _read_all(descriptor: int) -> str:
    data = os.pread(descriptor, _CHUNK_BYTES, 0)
    if len(data) == _CHUNK_BYTES:
        parts = [data]
        while data := os.pread(descriptor, _CHUNK_BYTES, sum(map(len, parts))):
            parts.append(data)
        data = b"".join(parts)
    return data.decode("latin-1")
