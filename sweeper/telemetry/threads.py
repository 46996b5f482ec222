"""The threads of one process: their context switches and run delay, summed, ended threads included.

/proc/PID/status (and psutil, which reads it) has the context switches of the *main thread* only, so each
thread's own status is read. The counts of a thread that ended stay as last seen: what it did after the last
sample is lost, and so is a thread that came and went between two samples; /proc has no total for these.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from sweeper.procfs import parse_children, parse_schedstat, parse_status, parse_switches
from sweeper.telemetry.files import FileBudget, TaskFiles


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
                self.peak_rss_bytes = parse_status(texts["status"]).peak_rss_bytes or 0
        if "schedstat" in texts and (schedule := parse_schedstat(texts["schedstat"])) is not None:
            counts.delay_ns = schedule.delay_ns
        if "children" in texts:
            self.children.extend(parse_children(texts["children"]))
        return True

    def _forget(self, tid: str) -> None:
        self._files.pop(tid).close()
        self._ended.add(self._counts.pop(tid))
