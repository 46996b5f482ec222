"""Samples of a run whose server is on another machine: of the load generator alone (`Telemetry` of
run/interfaces.py). What this machine's cores do says nothing of that server, so that it is not read."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from sweeper.records.observations import QuotaPeriods, TelemetrySample
from sweeper.telemetry.kernel_files import PROC
from sweeper.telemetry.machine import kernel_support
from sweeper.telemetry.process_threads import FileBudget, TaskSources
from sweeper.telemetry.process_tree import ProcessTree


class LoadTelemetry:
    def __init__(self, proc: Path = PROC, *, now_s: Callable[[], float] = time.monotonic) -> None:
        """Raises UsageError on a system without /proc."""
        self._proc = proc
        self._now_s = now_s
        children = kernel_support(proc).task_children
        self._sources = TaskSources(switches=False, schedstat=False, children=children)

    def available_bytes(self) -> int | None:
        """Runs beside each other have no server here that needs any."""
        return None

    def attach(self, server_pid: int | None, client_pid: int) -> LoadProbe:
        """There is no server to look for; a client that is gone has no figures."""
        client: ProcessTree | None = None
        with contextlib.suppress(ProcessLookupError):
            client = ProcessTree(client_pid, str(self._proc), self._sources, FileBudget(None))
        return LoadProbe(client, self._now_s)


class LoadProbe:
    def __init__(self, client: ProcessTree | None, now_s: Callable[[], float]) -> None:
        self._client = client
        self._now_s = now_s

    def sample(self) -> TelemetrySample:
        at_s, client = self._now_s(), None
        if self._client is not None:
            with contextlib.suppress(ProcessLookupError):
                client = self._client.sample()
        return TelemetrySample(
            at_s=at_s,
            server_user_cpu_s=None,
            server_system_cpu_s=None,
            server_rss_bytes=None,
            server_peak_rss_bytes=None,
            server_threads=None,
            server_processes=None,
            server_voluntary_switches=None,
            server_involuntary_switches=None,
            server_run_delay_s=None,
            client_cpu_s=None if client is None else client.user_cpu_s + client.system_cpu_s,
            client_threads=None if client is None else client.threads,
            host_context_switches=None,
            host_busy_cpu_s=None,
            host_steal_s=None,
            host_cpu_pressure_s=None,
            cgroup_throttled_periods=None,
            cgroup_throttled_s=None,
            client_process_cpu_s=None if client is None else client.process_cpu_s,
        )

    def quota_periods(self) -> QuotaPeriods | None:
        return None
