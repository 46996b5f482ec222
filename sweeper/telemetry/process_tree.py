"""One process and all its descendants: their threads and counters, summed so that none falls."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sweeper.telemetry.process_threads import FileBudget, ProcessThreads, TaskCounts, TaskSources
from sweeper.telemetry.procfs import ProcessStat, parse_stat, try_read_text

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class TreeCounters:
    """The tree at one moment."""

    user_cpu_s: float
    system_cpu_s: float
    rss_bytes: int
    peak_rss_bytes: int
    """The highest sum that was seen, or one process's own peak."""
    threads: int
    processes: int
    counts: TaskCounts
    """They stay at 0 where the sources leave them out."""
    process_cpu_s: tuple[tuple[int, float], ...]
    """The pid and the own CPU time of each process that lives now."""


@dataclass(slots=True)
class _Process:
    stat: ProcessStat
    state: str
    threads: ProcessThreads

    @property
    def is_zombie(self) -> bool:
        """It has ended and keeps its counters until its parent waits for it."""
        return self.state in "ZXx" and self.threads.count <= 1


class ProcessTree:
    """The tree under one process. A descendant stays in it when its parent ends before it does.

    Where the sources have no `children`, all of /proc is searched for them.
    """

    def __init__(self, root_pid: int, proc: str, sources: TaskSources, budget: FileBudget) -> None:
        """`proc` is where /proc is mounted. Raises ProcessLookupError when there is no such process."""
        self._root_pid = root_pid
        self._proc = proc
        self._sources = sources
        self._budget = budget
        self._processes: dict[int, _Process] = {}  # parents before their children
        self._ended_counts = TaskCounts()
        self._lost_user_ticks = self._lost_system_ticks = 0
        self._user_ticks = self._system_ticks = 0
        self._peak_rss_bytes = 0
        if not self._adopt(root_pid):
            raise ProcessLookupError(f"there is no process {root_pid}")

    def sample(self) -> TreeCounters:
        """Read the tree now. Raises ProcessLookupError when its root is gone or a zombie."""
        ended = [process for pid, process in self._processes.items() if not self._refresh(pid, process)]
        root = self._processes[self._root_pid]
        if root in ended or root.is_zombie:
            raise ProcessLookupError(f"process {self._root_pid} is gone")
        for process in ended:
            process.threads.close()
            self._ended_counts.add(process.threads.totals())
            del self._processes[process.stat.pid]
        self._find_new()
        self._read_cpu(ended)
        return self._sum()

    def close(self) -> None:
        for process in self._processes.values():
            process.threads.close()

    def _adopt(self, pid: int) -> bool:
        stat = self._read_stat(pid)
        if stat is None:
            return False
        threads = ProcessThreads(f"{self._proc}/{pid}", self._sources, self._budget)
        process = _Process(stat, stat.state, threads)
        self._processes[pid] = process
        if self._refresh(pid, process):
            return True
        del self._processes[pid]
        return False

    def _refresh(self, pid: int, process: _Process) -> bool:
        """Read the threads; False when the process has ended (or another one has its pid now)."""
        stat = self._read_stat(pid)
        if stat is None or stat.start_ticks != process.stat.start_ticks:
            return False
        process.state = stat.state
        try:
            process.threads.refresh()
        except ProcessLookupError:
            return False
        return True

    def _find_new(self) -> None:
        children = None if self._sources.children else self._children_by_parent()
        todo = list(self._processes)
        while todo:
            pid = todo.pop()
            found = self._processes[pid].threads.children if children is None else children[pid]
            todo.extend(child for child in found if child not in self._processes and self._adopt(child))

    def _read_cpu(self, ended: Iterable[_Process]) -> None:
        """Parents are read first, lest a time be seen twice: at the child, and after its end at its parent.

        The time of a child that was waited for is in its parent's cutime; the time of one that was not
        (SIGCHLD ignored, or its parent died first) is in no file any more and is kept here as last seen.
        """
        waited: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        for pid, process in self._processes.items():
            stat = self._read_stat(pid)
            if stat is not None and stat.start_ticks == process.stat.start_ticks:
                waited[pid][0] += stat.children_user_ticks - process.stat.children_user_ticks
                waited[pid][1] += stat.children_system_ticks - process.stat.children_system_ticks
                process.stat, process.state = stat, stat.state
        parents = {process.stat.pid: process.stat.parent_pid for process in ended}
        for process in ended:
            stat, heir = process.stat, process.stat.parent_pid
            while heir in parents:
                heir = parents[heir]
            user_ticks = stat.user_ticks + stat.children_user_ticks
            system_ticks = stat.system_ticks + stat.children_system_ticks
            self._lost_user_ticks += max(0, user_ticks - waited[heir][0])
            self._lost_system_ticks += max(0, system_ticks - waited[heir][1])
            waited[heir][0] = max(0, waited[heir][0] - user_ticks)
            waited[heir][1] = max(0, waited[heir][1] - system_ticks)

    def _sum(self) -> TreeCounters:
        live = [process for process in self._processes.values() if not process.is_zombie]
        stats = [process.stat for process in self._processes.values()]
        user_ticks = self._lost_user_ticks + sum(stat.user_ticks + stat.children_user_ticks for stat in stats)
        system_ticks = self._lost_system_ticks + sum(
            stat.system_ticks + stat.children_system_ticks for stat in stats
        )
        self._user_ticks = max(self._user_ticks, user_ticks)
        self._system_ticks = max(self._system_ticks, system_ticks)
        rss_bytes = sum(process.stat.rss_pages for process in live) * _PAGE_BYTES
        # The peak of a sum cannot be had from peaks: this is the highest sum seen, or one process's own peak.
        own_peaks = [process.threads.peak_rss_bytes for process in live]
        self._peak_rss_bytes = max(self._peak_rss_bytes, rss_bytes, *own_peaks)
        counts = TaskCounts()
        counts.add(self._ended_counts)
        for process in self._processes.values():
            counts.add(process.threads.totals())
        return TreeCounters(
            user_cpu_s=self._user_ticks * _TICK_S,
            system_cpu_s=self._system_ticks * _TICK_S,
            rss_bytes=rss_bytes,
            peak_rss_bytes=self._peak_rss_bytes,
            threads=sum(process.threads.count for process in live),
            processes=len(live),
            counts=counts,
            process_cpu_s=tuple(
                (process.stat.pid, (process.stat.user_ticks + process.stat.system_ticks) * _TICK_S)
                for process in live
            ),
        )

    def _read_stat(self, pid: int) -> ProcessStat | None:
        text = try_read_text(f"{self._proc}/{pid}/stat")
        return None if text is None else parse_stat(text)

    def _children_by_parent(self) -> defaultdict[int, list[int]]:
        children: defaultdict[int, list[int]] = defaultdict(list)
        for name in os.listdir(self._proc):  # noqa: PTH208
            if name.isdigit() and (stat := self._read_stat(int(name))) is not None:
                children[stat.parent_pid].append(stat.pid)
        return children
