"""Samples of a server's process tree, its client's and the host: `Telemetry` of run/interfaces.py.

How often one is taken is in run/timing.py.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from sweeper.records.observations import QuotaPeriods, TelemetrySample
from sweeper.telemetry.cgroup import CpuBudget, memory_left_bytes, watch_quota_periods
from sweeper.telemetry.machine import KernelSupport, kernel_support
from sweeper.telemetry.process_threads import FileBudget, TaskSources
from sweeper.telemetry.process_tree import ProcessTree, TreeCounters
from sweeper.telemetry.procfs import PROC, parse_cpu_pressure, parse_host_stat, try_read_text

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class ProcTelemetry:
    """Reads /proc. A sample of a server of 64 threads costs some milliseconds of one core."""

    def __init__(
        self,
        proc: Path = PROC,
        *,
        now_s: Callable[[], float] = time.monotonic,
        max_open_files: int | None = None,
    ) -> None:
        """`max_open_files`: how many may stay open between samples, by default a quarter of the soft limit.

        Raises UsageError on a system without /proc.
        """
        self._proc = proc
        self._now_s = now_s
        self._max_open_files = max_open_files
        self._support = kernel_support(proc)

    def available_bytes(self) -> int | None:
        """Memory that can still be used: the host's, or what a control group's limit leaves of it."""
        left = memory_left_bytes(self._proc)
        available = int(psutil.virtual_memory().available)
        return available if left is None else min(available, left)

    def attach(self, server_pid: int | None, client_pid: int) -> ProcProbe:
        """Raises ProcessLookupError when the server is gone, or not on this machine (load_alone.py is for
        those); a client that is gone has no figures."""
        if server_pid is None:
            raise ProcessLookupError("the server is on another machine")
        budget = FileBudget(self._max_open_files)
        return ProcProbe(
            server_pid, client_pid, proc=self._proc, support=self._support, budget=budget, now_s=self._now_s
        )


class ProcProbe:
    """Follows one server and one client. Safe to call from several threads; `close` frees its open files."""

    def __init__(
        self,
        server_pid: int,
        client_pid: int,
        *,
        proc: Path,
        support: KernelSupport,
        budget: FileBudget,
        now_s: Callable[[], float],
    ) -> None:
        self._lock = threading.Lock()
        self._proc = str(proc)
        self._support = support
        self._now_s = now_s
        children = support.task_children
        server_sources = TaskSources(switches=True, schedstat=support.schedstat, children=children)
        client_sources = TaskSources(switches=False, schedstat=False, children=children)
        self._server = ProcessTree(server_pid, self._proc, server_sources, budget)
        self._budget = CpuBudget(proc, server_pid)
        self._client_covered = self._budget.covers(client_pid)
        self._sweeper_covered = self._budget.covers("self")
        self._client: ProcessTree | None = None
        with contextlib.suppress(ProcessLookupError):
            self._client = ProcessTree(client_pid, self._proc, client_sources, budget)

    def sample(self) -> TelemetrySample:
        """Read everything now. Raises ProcessLookupError when the server's main process is gone."""
        with self._lock:
            before_s = self._now_s()
            server = self._server.sample()
            after_s = self._now_s()
            client = self._sample_client()
            host = parse_host_stat(try_read_text(f"{self._proc}/stat") or "")
            throttling = self._budget.throttling()
            client_s = None if client is None else client.user_cpu_s + client.system_cpu_s
            delay_ns = server.counts.delay_ns if self._support.schedstat else None
            return TelemetrySample(
                at_s=(before_s + after_s) / 2,
                server_user_cpu_s=server.user_cpu_s,
                server_system_cpu_s=server.system_cpu_s,
                server_rss_bytes=server.rss_bytes,
                server_peak_rss_bytes=server.peak_rss_bytes,
                server_threads=server.threads,
                server_processes=server.processes,
                server_voluntary_switches=server.counts.voluntary,
                server_involuntary_switches=server.counts.involuntary,
                server_run_delay_s=None if delay_ns is None else delay_ns / 1e9,
                client_cpu_s=client_s,
                client_threads=None if client is None else client.threads,
                host_context_switches=host.context_switches,
                host_busy_cpu_s=None if host.busy_ticks is None else host.busy_ticks * _TICK_S,
                host_steal_s=None if host.steal_ticks is None else host.steal_ticks * _TICK_S,
                host_cpu_pressure_s=parse_cpu_pressure(try_read_text(f"{self._proc}/pressure/cpu") or ""),
                cgroup_throttled_periods=throttling.periods,
                cgroup_throttled_s=throttling.seconds,
                client_process_cpu_s=None if client is None else client.process_cpu_s,
                cgroup_periods=throttling.elapsed_periods,
                cgroup_quota_cores=self._budget.quota_cores(),
                cgroup_period_s=self._budget.period_s(),
                cgroup_cpu_s=self._budget.used_s(),
                cgroup_client_cpu_s=client_s if self._client_covered else None,
                cgroup_sweeper_cpu_s=time.process_time() if self._sweeper_covered else None,
            )

    def quota_periods(self) -> QuotaPeriods | None:
        return watch_quota_periods(self._budget, self._now_s)

    def why_unknown(self) -> str | None:
        return None

    def close(self) -> None:
        with self._lock:
            self._server.close()
            if self._client is not None:
                self._client.close()

    def _sample_client(self) -> TreeCounters | None:
        if self._client is None:
            return None
        try:
            return self._client.sample()
        except ProcessLookupError:
            return None
