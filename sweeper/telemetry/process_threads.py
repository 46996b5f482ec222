"""The threads of one process, /proc/PID/task: their context switches and their waits for a core."""

from __future__ import annotations

import contextlib
import os
import resource
from dataclasses import dataclass

from sweeper.telemetry.procfs import (
    parse_children,
    parse_peak_rss_bytes,
    parse_schedstat,
    parse_stat,
    parse_switches,
    read_all,
    read_text,
)


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
            return [read_all(descriptor) for descriptor in self._descriptors]
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


@dataclass(slots=True)
class TaskCounts:
    """Switches, and the time spent runnable without a core, of one thread or of many."""

    voluntary: int = 0
    involuntary: int = 0
    delay_ns: int = 0

    def add(self, other: TaskCounts) -> None:
        self.voluntary += other.voluntary
        self.involuntary += other.involuntary
        self.delay_ns += other.delay_ns


@dataclass(frozen=True, slots=True)
class TaskSources:
    """Which files of a thread are read: what is wanted of it, and what this kernel has."""

    switches: bool
    schedstat: bool
    children: bool

    @property
    def names(self) -> tuple[str, ...]:
        wanted = {"status": self.switches, "schedstat": self.schedstat, "children": self.children}
        return tuple(name for name, use in wanted.items() if use)


class ProcessThreads:
    """All threads of a process (/proc/PID/task). `refresh` reads them; the attributes hold what it saw."""

    def __init__(self, directory: str, sources: TaskSources, budget: FileBudget) -> None:
        """`directory` is /proc/PID."""
        self._directory = f"{directory}/task"
        self._leader = os.path.basename(directory)  # noqa: PTH119
        self._sources = sources
        self._budget = budget
        self._files: dict[str, TaskFiles] = {}
        self._counts: dict[str, TaskCounts] = {}
        self._ended = TaskCounts()
        self.count = 0
        self.peak_rss_bytes = 0
        self.children: list[int] = []

    def refresh(self) -> None:
        """Read every thread now. Raises ProcessLookupError when the process is gone."""
        try:
            tids = os.listdir(self._directory)  # noqa: PTH208
        except FileNotFoundError as error:
            raise ProcessLookupError(str(error)) from error
        self.children = []
        self.count = len(tids)
        for tid in self._files.keys() - set(tids):
            self._forget(tid)
        for tid in tids if self._sources.names else ():
            self._read(tid)

    def totals(self) -> TaskCounts:
        """Of all threads, those that have ended too."""
        sums = TaskCounts()
        sums.add(self._ended)
        for counts in self._counts.values():
            sums.add(counts)
        return sums

    def close(self) -> None:
        """Close all files; the totals stay."""
        for tid in list(self._files):
            self._forget(tid)

    def _read(self, tid: str) -> None:
        if tid in self._files and not self._update(tid):
            self._forget(tid)  # another thread may have its TID by now: fall through and look
        if tid not in self._files:
            try:
                self._files[tid] = TaskFiles(f"{self._directory}/{tid}", self._sources.names, self._budget)
            except (FileNotFoundError, ProcessLookupError):
                return
            self._counts[tid] = TaskCounts()
            if not self._update(tid):
                self._forget(tid)

    def _update(self, tid: str) -> bool:
        """False when the thread has ended."""
        try:
            texts = dict(zip(self._sources.names, self._files[tid].read(), strict=True))
        except ProcessLookupError:
            return False
        counts = self._counts[tid]
        if "status" in texts:
            voluntary, involuntary = parse_switches(texts["status"])
            if voluntary is None or involuntary is None:
                return False
            counts.voluntary, counts.involuntary = voluntary, involuntary
            if tid == self._leader:
                self.peak_rss_bytes = parse_peak_rss_bytes(texts["status"]) or 0
        if "schedstat" in texts and (schedule := parse_schedstat(texts["schedstat"])) is not None:
            counts.delay_ns = schedule.delay_ns
        if "children" in texts:
            self.children.extend(parse_children(texts["children"]))
        return True

    def _forget(self, tid: str) -> None:
        self._files.pop(tid).close()
        self._ended.add(self._counts.pop(tid))
