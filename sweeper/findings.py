"""Checks on the measurement itself: what a run's figures are worth, and why (protocol.md, section 4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sweeper.records import Configuration, Finding, RequestLog, RunFigures, RunRecord, Severity, Verdict
from sweeper.statistics.figures import Measurement
from sweeper.statistics.warmup import drift

FAILING = frozenset(
    {"accounting", "server-died", "server-did-not-start", "load-died", "pool-size-not-applied", "no-requests"}
)
SUSPICIOUS = frozenset(
    {
        "client-saturated",
        "littles-law",
        "no-steady-state",
        "drift",
        "throttled",
        "steal",
        "pressure",
        "stalled",
    }
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The defaults of the protocol; every threshold stands here and nowhere else."""

    client_cpu_cores: float = 0.8
    client_lag_share_of_p50: float = 0.05
    littles_law_low: float = 0.95
    littles_law_high: float = 1.05
    drift: float = 0.03
    steal_share: float = 0.01
    queued_beyond_pool: float = 1.0


@dataclass(frozen=True, slots=True)
class RunContext:
    """What was asked of the run. `mean_think_s` is None where the users' waits are not known."""

    configuration: Configuration
    users: int
    mean_think_s: float | None
    max_error_rate: float
    steady: bool
    cores_shared: bool
    responses_counted_by_server: int | None


def verdict(findings: Iterable[Finding]) -> Verdict:
    codes = {finding.code for finding in findings}
    if codes & FAILING:
        return Verdict.FAILED
    return Verdict.SUSPECT if codes & SUSPICIOUS else Verdict.VALID


def run_findings(
    measurement: Measurement, figures: RunFigures, context: RunContext, limits: Limits | None = None
) -> tuple[Finding, ...]:
    """Every remark one finished run deserves."""
    limits = limits or Limits()
    log = measurement.requests
    checks = (
        _accounting(log, context),
        _pool_not_applied(figures, context, limits),
        _pool_unverified(figures, context),
        _user_limited(figures, context, limits),
        _errors(figures, context),
        _client_saturated(figures, limits),
        _littles_law(figures, context, limits),
        _steady_state(context),
        _drift(measurement, limits),
        _stalled(measurement, figures),
        _throttled(figures),
        _steal(figures, limits),
        _censored(figures),
    )
    return tuple(finding for finding in checks if finding is not None)


def _accounting(log: RequestLog, context: RunContext) -> Finding | None:
    started = len(log.started_s)
    finished = int(np.isfinite(log.latency_ms).sum())
    censored = started - finished
    responses = int((log.status > 0).sum())
    counted = context.responses_counted_by_server
    if log.torn_records:
        return Finding(
            "accounting",
            Severity.ERROR,
            f"the load generator's log ends in {log.torn_records} torn record(s), so requests are missing; "
            "the run is discarded",
            {"torn_records": log.torn_records, "started": started},
        )
    if counted is None or responses <= counted <= responses + censored + int((log.status == 0).sum()):
        return None
    return Finding(
        "accounting",
        Severity.ERROR,
        f"the server counted {counted} predictions where the load generator saw {responses} answers "
        f"({censored} never finished): something else talks to this server, or answers do not come from "
        "its pool; the run is discarded",
        {"server_completed": counted, "answers": responses, "started": started, "censored": censored},
    )


def _pool_not_applied(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    workers, seen, said = context.configuration.workers, figures.max_concurrency, figures.pool_workers
    if said is not None and said != workers:
        return not_applied(workers, f"/stats/ reports executor_workers = {said}", {"reported": said})
    if seen is None:
        return None
    if seen > workers:
        return not_applied(
            workers, f"{seen} requests were in its handlers at once", {"max_concurrency": seen}
        )
    # Little: requests in the server = throughput x latency. If that exceeds the pool, the pool was full.
    inside = (figures.rps + figures.failed / figures.window_s) * figures.latency.mean_ms / 1000.0
    if seen < workers and inside > workers * 1.2 + limits.queued_beyond_pool:
        return not_applied(
            workers,
            f"never more than {seen} requests were in its handlers although {inside:.0f} were in the server",
            {"max_concurrency": seen, "in_server": round(inside, 1)},
        )
    return None


def not_applied(workers: int, seen: str, evidence: dict[str, float | int | str | bool | None]) -> Finding:
    return Finding(
        "pool-size-not-applied",
        Severity.ERROR,
        f"the server was started with {workers} workers, but {seen}: it does not use the worker count it is "
        "given, so sweeping it would compare a value with itself; use the fastapi launcher, or make the "
        "server read {workers} or DRUM_FASTAPI_EXECUTOR_WORKERS",
        {"workers": workers, **evidence},
    )


def _pool_unverified(figures: RunFigures, context: RunContext) -> Finding | None:
    if figures.pool_workers is not None or figures.max_concurrency is not None:
        return None
    return Finding(
        "pool-size-unverified",
        Severity.WARNING,
        "the server's /stats/ does not report executor_workers, so that it uses the worker count is inferred "
        "from its thread count only; let /stats/ report executor_workers and executor_max_concurrency",
        {"workers": context.configuration.workers, "threads": figures.threads},
    )


def _user_limited(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    workers, seen = context.configuration.workers, figures.max_concurrency
    if seen is None or seen >= workers or _pool_not_applied(figures, context, limits) is not None:
        return None
    return Finding(
        "user-limited",
        Severity.INFO,
        f"at most {seen} of {workers} workers were busy at once: {context.users} users are too few to see "
        "what this value can do; raise --users to test it",
        {"workers": workers, "max_concurrency": seen, "users": context.users},
    )


def _errors(figures: RunFigures, context: RunContext) -> Finding | None:
    if figures.error_rate <= context.max_error_rate:
        return None
    return Finding(
        "errors",
        Severity.WARNING,
        f"{figures.error_rate:.1%} of the requests failed (limit {context.max_error_rate:.1%}); this value "
        "cannot be recommended; see the run's server.log and load.log",
        {"error_rate": figures.error_rate, "failed": figures.failed, "completed": figures.completed},
    )


def _client_saturated(figures: RunFigures, limits: Limits) -> Finding | None:
    cpu, lag, p50 = figures.client_cpu_cores, figures.client_lag_p99_ms, figures.latency.p50_ms
    evidence = {"client_cpu_cores": cpu, "client_lag_p99_ms": lag, "p50_ms": p50}
    if cpu is not None and cpu > limits.client_cpu_cores:
        return Finding(
            "client-saturated",
            Severity.WARNING,
            f"the load generator used {cpu:.2f} of one core (limit {limits.client_cpu_cores:.2f}), so the "
            "figures show its limit as much as the server's; use fewer --users or a machine with more cores",
            evidence,
        )
    if lag is not None and lag > limits.client_lag_share_of_p50 * p50:
        return Finding(
            "client-saturated",
            Severity.WARNING,
            f"the load generator's event loop was late by {lag:.1f} ms (p99), over "
            f"{limits.client_lag_share_of_p50:.0%} of the median latency of {p50:.1f} ms; give it cores of its "
            "own (--load-cpus) or use fewer --users",
            evidence,
        )
    return None


def _littles_law(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    if context.mean_think_s is None:
        return None
    rate = figures.completed / figures.window_s
    ratio = rate * (figures.latency.mean_ms / 1000.0 + context.mean_think_s) / context.users
    if limits.littles_law_low <= ratio <= limits.littles_law_high:
        return None
    return Finding(
        "littles-law",
        Severity.WARNING,
        f"throughput x (latency + wait) accounts for {ratio:.0%} of the {context.users} users (95% to 105% "
        "expected): the load was not what was asked for; look for a saturated client or a longer --window",
        {"ratio": ratio, "requests_per_s": rate, "mean_ms": figures.latency.mean_ms},
    )


def _steady_state(context: RunContext) -> Finding | None:
    if context.steady:
        return None
    return Finding(
        "no-steady-state",
        Severity.WARNING,
        "throughput or latency never became steady within the warm-up allowed; raise --warmup-cap, or look in "
        "server.log for what keeps changing",
    )


def _drift(measurement: Measurement, limits: Limits) -> Finding | None:
    change = drift(measurement.requests, measurement.window.start_s, measurement.window.end_s)
    if change is None or abs(change) <= limits.drift:
        return None
    return Finding(
        "drift",
        Severity.WARNING,
        f"throughput changed by at least {change:+.1%} from the window's first half to its second (limit "
        f"{limits.drift:.0%}): the server was still warming up, or the host changed speed",
        {"change": change},
    )


def _stalled(measurement: Measurement, figures: RunFigures) -> Finding | None:
    """A gap without any completion much longer than the rest explains: a pause, not a queue."""
    finished = measurement.requests.finished_s
    window = measurement.window
    inside = np.sort(
        finished[np.isfinite(finished) & (finished >= window.start_s) & (finished < window.end_s)]
    )
    moments = np.concatenate(([window.start_s], inside, [window.end_s]))
    gaps = np.diff(moments)
    longest = float(gaps.max())
    # Twenty mean gaps without one completion happen by chance once in 5e8 windows of Poisson arrivals.
    expected = max(20.0 * window.duration_s / max(figures.completed, 1), 0.5)
    others = float(np.partition(gaps, -2)[-2]) if len(gaps) > 1 else 0.0
    if longest <= expected or longest < 3.0 * others:
        return None
    return Finding(
        "stalled",
        Severity.WARNING,
        f"nothing completed for {longest:.2f} s within the window: the server or the host was stopped; look "
        "for a garbage collection, a suspended machine, or another job",
        {"longest_gap_s": longest, "expected_below_s": expected},
    )


def _throttled(figures: RunFigures) -> Finding | None:
    if not figures.throttled_periods:
        return None
    return Finding(
        "throttled",
        Severity.WARNING,
        f"the control group's CPU quota throttled this machine in {figures.throttled_periods} periods: the "
        "quota, not the worker count, was the limit; raise the quota or sweep inside the deployment's own",
        {"throttled_periods": figures.throttled_periods},
    )


def _steal(figures: RunFigures, limits: Limits) -> Finding | None:
    share = figures.host_steal_share
    if share is None or share <= limits.steal_share:
        return None
    return Finding(
        "steal",
        Severity.WARNING,
        f"the hypervisor took {share:.1%} of a core away (limit {limits.steal_share:.0%}); run again when the "
        "host is quieter",
        {"steal_share": share},
    )


def _censored(figures: RunFigures) -> Finding | None:
    if not figures.latency.censored:
        return None
    return Finding(
        "censored-tail",
        Severity.INFO,
        f"{figures.latency.censored} requests of the window never finished, so p99 is a lower bound; raise "
        "--drain",
        {"censored": figures.latency.censored},
    )


def study_findings(records: Sequence[RunRecord], cores_shared: bool) -> tuple[Finding, ...]:
    """Remarks on the study as a whole: what applies to every run, and how many runs each code touched."""
    findings: list[Finding] = []
    if cores_shared:
        findings.append(
            Finding(
                "shared-cores",
                Severity.INFO,
                "server and load generator share the same cores, so the load costs the server CPU; compare "
                "configurations with each other, not with another machine (4 cores or more separate them)",
            )
        )
    by_code: dict[str, list[RunRecord]] = {}
    for record in records:
        for finding in record.findings:
            by_code.setdefault(finding.code, []).append(record)
    for code, touched in sorted(by_code.items()):
        first = next(f for f in touched[0].findings if f.code == code)
        runs = ", ".join(sorted({record.configuration.label for record in touched}))
        findings.append(
            Finding(
                code,
                first.severity,
                f"{first.message} ({len(touched)} of {len(records)} runs: {runs})",
                {**first.evidence, "runs": len(touched), "of": len(records)},
            )
        )
    return tuple(findings)


def pool_ignored(records: Sequence[RunRecord]) -> Finding | None:
    """For servers without a pool figure: threads under load that never vary with the worker count."""
    silent = [
        record
        for record in records
        if record.figures is not None
        and record.figures.pool_workers is None
        and record.figures.max_concurrency is None
    ]
    counts = {record.configuration.workers for record in silent}
    threads = {(record.figures.threads, record.figures.processes) for record in silent if record.figures}
    if len(counts) < 2 or len(threads) > 1:
        return None
    (seen, processes) = threads.pop()
    values = ", ".join(str(count) for count in sorted(counts))
    return not_applied(
        max(counts),
        f"its thread count under load was the same ({seen} in {processes} process(es)) for {values} workers "
        "and its /stats/ reports no executor_workers",
        {"threads": seen, "configurations": values},
    )
