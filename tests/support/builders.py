"""Records made by hand: a plausible run, and what a test wants to differ in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding, Severity, Verdict, read_code
from sweeper.records.observations import RequestLog, TelemetrySample
from sweeper.records.run import LatencyFigures, RunFigures, RunPlan, RunRecord

LATENCY = LatencyFigures(mean_ms=400.0, p50_ms=390.0, p95_ms=500.0, p99_ms=600.0, max_ms=700.0, samples=1400)
FIGURES = RunFigures(
    window_s=10.0, warmup_s=3.0, ready_s=1.0, started=1400, completed=1400, failed=0, censored=0, rps=140.0,
    error_rate=0.0, latency=LATENCY, cpu_cores=1.0, cpu_user_s=8.0, cpu_system_s=2.0, cpu_ms_per_request=7.0,
    rss_bytes=200_000_000, peak_rss_bytes=210_000_000, threads=20, processes=1,
    voluntary_switches_per_request=10.0, involuntary_switches_per_request=1.0, run_delay_ms_per_request=1.0,
    client_cpu_cores=0.1, host_switches_per_s=3000.0, host_steal_share=0.0,
    host_pressure_share=None, throttled_periods=0, other_cpu_cores=0.0, max_concurrency=4, pool_workers=4,
)  # fmt: skip
LATENCY_NAMES = ("mean_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms")
SAMPLE = TelemetrySample(
    at_s=0.0, server_user_cpu_s=0.0, server_system_cpu_s=0.0, server_rss_bytes=1, server_peak_rss_bytes=2,
    server_threads=10, server_processes=1, server_voluntary_switches=0, server_involuntary_switches=0,
    server_run_delay_s=None, client_cpu_s=None, client_threads=None, host_context_switches=None,
    host_busy_cpu_s=None, host_steal_s=None, host_cpu_pressure_s=None, cgroup_throttled_periods=None,
    cgroup_throttled_s=None,
)  # fmt: skip


def late(share: float, run: RunFigures = FIGURES) -> RunFigures:
    """The run with so much of a user's cycle, and of every latency, taken by the load generator."""
    left = {name: getattr(run.latency, name) * (1 - share) for name in LATENCY_NAMES}
    return dataclasses.replace(
        run,
        client_late_p50_ms=run.latency.p50_ms * share,
        client_late_p99_ms=run.latency.p99_ms * share,
        latency_without_client=dataclasses.replace(run.latency, **left),
        client_share_of_cycle=share,
    )


def figures(**changes: Any) -> RunFigures:
    """Names of the latency's own figures (`p99_ms`, `mean_ms`, …) change those; completed follows rps."""
    own = {field.name for field in dataclasses.fields(LatencyFigures)}
    latency = {name: changes.pop(name) for name in list(changes) if name in own}
    if "rps" in changes and "completed" not in changes:
        changes["completed"] = round(changes["rps"] * 10.0)
    return dataclasses.replace(FIGURES, latency=dataclasses.replace(LATENCY, **latency), **changes)


def finding(code: str, severity: Severity = Severity.WARNING) -> Finding:
    return Finding(read_code(code), severity, f"this is about {code}")


def record(
    workers: int,
    block: int,
    run: RunFigures | None = None,
    *,
    verdict: Verdict = Verdict.VALID,
    findings: Sequence[Finding] = (),
    sentinel: bool = False,
    position: int = 0,
) -> RunRecord:
    configuration = Configuration(workers)
    plan = RunPlan(
        f"b{block:02d}-{position:02d}-w{workers}{'s' if sentinel else ''}", block, position, configuration,
        sentinel,
    )  # fmt: skip
    kept = (
        None if verdict is Verdict.FAILED else run or figures(max_concurrency=workers, pool_workers=workers)
    )
    return RunRecord(plan, verdict, "2026-01-01T00:00:00Z", 20.0, kept, tuple(findings))


def failed(workers: int, block: int, code: str = "server-did-not-start") -> RunRecord:
    return record(workers, block, verdict=Verdict.FAILED, findings=[finding(code, Severity.ERROR)])


def study(rps: dict[int, Iterable[float]], **changes: Any) -> list[RunRecord]:
    """One valid run for each value: the n-th value of each worker count is its run in block n."""
    return [
        record(
            workers,
            block,
            figures(rps=value, max_concurrency=workers, pool_workers=workers, **changes),
            position=position,
        )
        for position, (workers, values) in enumerate(rps.items(), start=1)
        for block, value in enumerate(values, start=1)
    ]


def configurations(*workers: int) -> tuple[Configuration, ...]:
    return tuple(Configuration(count) for count in workers)


def log(
    started_s: Sequence[float] | np.ndarray,
    latency_ms: Sequence[float] | np.ndarray | float,
    *,
    failed: Sequence[bool] | np.ndarray | None = None,
    torn_records: int = 0,
) -> RequestLog:
    """NaN latencies never finished; failed ones answered 500."""
    started = np.asarray(started_s, float)
    latency = np.broadcast_to(np.asarray(latency_ms, float), started.shape).copy()
    broken = np.zeros(len(started), bool) if failed is None else np.asarray(failed, bool)
    finished = np.isfinite(latency)
    return RequestLog(
        started_s=started,
        latency_ms=latency,
        status=np.where(finished, np.where(broken, 500, 200), 0).astype(np.int64),
        response_bytes=np.where(finished, 2000, 0).astype(np.int64),
        failed=broken,
        client_late_ms=np.where(finished, 1.0, np.nan),
        torn_records=torn_records,
    )
