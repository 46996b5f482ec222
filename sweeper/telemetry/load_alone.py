"""Samples of a run whose server is on another machine (`Telemetry` of run/interfaces.py): the load generator,
and what the server reports about itself if it has a page of metrics. This machine's cores are not sampled:
they say nothing about that server."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from sweeper.errors import UsageError
from sweeper.records.observations import QuotaPeriods, TelemetrySample
from sweeper.telemetry.machine import kernel_support
from sweeper.telemetry.metrics_page import MetricsPage, MetricsReader, NoMetricsError
from sweeper.telemetry.process_threads import FileBudget, TaskSources
from sweeper.telemetry.process_tree import ProcessTree
from sweeper.telemetry.procfs import PROC


class LoadTelemetry:
    def __init__(
        self,
        proc: Path = PROC,
        *,
        metrics: MetricsPage | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`metrics`: where the server itself reports its CPU time and memory; None: nowhere. Raises
        UsageError on a system without /proc."""
        self._proc = proc
        self._metrics = metrics
        self._now_s = now_s
        children = kernel_support(proc).task_children
        self._sources = TaskSources(switches=False, schedstat=False, children=children)

    def check(self) -> None:
        """Raises UsageError where the server answers, and not with a page of metrics."""
        if self._metrics is None:
            return
        try:
            self._metrics.read()
        except NoMetricsError as error:
            if error.answered:
                raise UsageError(
                    f"--metrics-path '{self._metrics.path}': GET {self._metrics.address} brought {error}: it "
                    "must be a page in the text format of Prometheus, such as /metrics"
                ) from None

    def available_bytes(self) -> int | None:
        """Runs beside each other have no server here that needs any."""
        return None

    def attach(self, server_pid: int | None, client_pid: int) -> LoadProbe:
        """There is no server to look for; a client that is gone has no figures. Reads the page of metrics, if
        there is one."""
        client: ProcessTree | None = None
        with contextlib.suppress(ProcessLookupError):
            client = ProcessTree(client_pid, str(self._proc), self._sources, FileBudget(None))
        metrics = None if self._metrics is None else MetricsReader(self._metrics, self._now_s)
        return LoadProbe(client, metrics, self._now_s)


class LoadProbe:
    def __init__(
        self, client: ProcessTree | None, metrics: MetricsReader | None, now_s: Callable[[], float]
    ) -> None:
        self._client = client
        self._metrics = metrics
        self._now_s = now_s

    def sample(self) -> TelemetrySample:
        at_s, client = self._now_s(), None
        if self._client is not None:
            with contextlib.suppress(ProcessLookupError):
                client = self._client.sample()
        read = None if self._metrics is None else self._metrics.latest()
        return TelemetrySample(
            at_s=at_s,
            server_user_cpu_s=None,
            server_system_cpu_s=None,
            server_rss_bytes=None if read is None else read.reported.rss_bytes,
            server_peak_rss_bytes=None if read is None else read.peak_rss_bytes,
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
            server_reported_cpu_s=None if read is None else read.reported.cpu_s,
            server_reported_at_s=None if read is None else read.at_s,
        )

    def why_unknown(self) -> str | None:
        return None if self._metrics is None else self._metrics.why_unknown()

    def quota_periods(self) -> QuotaPeriods | None:
        return None
