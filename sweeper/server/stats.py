"""What `/stats/` says: memory and CPU as DRUM does, in its units, and the pool's counters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.server.counters import Counters
from sweeper.server.service import Service

if TYPE_CHECKING:
    import psutil

MEBIBYTE = 1024.0 * 1024.0
CGROUP_FILES = {  # of version 2, of version 1
    "container_limit": ("memory.max", "memory/memory.limit_in_bytes"),
    "container_max_used": ("memory.peak", "memory/memory.max_usage_in_bytes"),
    "container_used": ("memory.current", "memory/memory.usage_in_bytes"),
}


class ResourceMonitor:
    """Keeps the psutil objects, since `cpu_percent` is the share of a core since the last call. Blocking."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._known: dict[int, psutil.Process] = {}

    def collect(self) -> dict[str, object]:
        """`mem_info` in MiB, and `drum_info` with one entry for each process of the server."""
        import psutil

        infos: list[dict[str, Any]] = []
        for pid in self._pids():
            try:
                process = self._known.setdefault(pid, psutil.Process(pid))
                infos.append(
                    {
                        "pid": pid,
                        "cmdline": process.cmdline(),
                        "mem": process.memory_info().rss / MEBIBYTE,
                        "cpu_percent": process.cpu_percent(),
                    }
                )
            except psutil.Error:  # ended meanwhile
                self._known.pop(pid, None)
        memory = psutil.virtual_memory()
        return {
            "mem_info": {
                "total": memory.total / MEBIBYTE,
                "avail": memory.available / MEBIBYTE,
                "free": memory.free / MEBIBYTE,
                "drum_rss": sum(float(info["mem"]) for info in infos),
                **container_memory(memory.total),
            },
            "drum_info": infos,
        }

    def _pids(self) -> list[int]:
        import psutil

        if self._processes == 1:
            return [os.getpid()]
        parent = psutil.Process(os.getppid())
        return [parent.pid, *(child.pid for child in parent.children())]


def container_memory(total_bytes: int) -> dict[str, float | None]:
    """The control group's memory; None where the kernel has no such file or sets no limit."""
    found: dict[str, float | None] = {}
    for name, files in CGROUP_FILES.items():
        value = first_number(files)
        # Version 1 writes "no limit" as a number larger than any memory.
        unlimited = name == "container_limit" and value is not None and value > total_bytes
        found[name] = None if value is None or unlimited else value / MEBIBYTE
    return found


def first_number(files: tuple[str, ...]) -> int | None:
    for file in files:
        try:
            return int(Path("/sys/fs/cgroup", file).read_text())
        except (OSError, ValueError):
            continue
    return None


def executor_info(service: Service) -> dict[str, int]:
    """The pool. Counts are sums over the server's processes; sizes and the peak are one pool's."""
    counters = service.counters
    return {
        "executor_workers": service.executor.workers,
        "executor_max_queue": service.executor.queue_depth,
        "executor_pending": sum(counters.column("pending")),
        "executor_running": sum(counters.column("running")),
        "executor_max_concurrency": max(counters.column("max_concurrency")),
        "executor_completed": sum(counters.column("completed")),
        "executor_rejected": sum(counters.column("rejected")),
        "executor_processes": counters.processes,
    }


def time_info(counters: Counters) -> dict[str, dict[str, float | None]]:
    """Seconds in a handler thread since the start, in DRUM's shape; all None before the first request."""
    done = sum(counters.column("completed"))
    if not done:
        return {"run_predictor_total": dict.fromkeys(("avg", "max", "min", "total"))}
    total_s = sum(counters.column("total_ns")) / 1e9
    shortest_ns = min(ns for ns, n in zip(*map(counters.column, ("min_ns", "completed")), strict=True) if n)
    longest_ns = max(counters.column("max_ns"))
    return {
        "run_predictor_total": {
            "avg": total_s / done,
            "max": longest_ns / 1e9,
            "min": shortest_ns / 1e9,
            "total": total_s,
        }
    }
