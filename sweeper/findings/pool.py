"""Does the server use the worker count it is given? Never sweep a no-op."""

from __future__ import annotations

from collections.abc import Sequence

from sweeper.findings.limits import Limits, RunContext
from sweeper.records import Evidence, Finding, RunFigures, RunRecord, Severity


def size_not_applied(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
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


def size_unverified(figures: RunFigures, context: RunContext) -> Finding | None:
    if figures.pool_workers is not None or figures.max_concurrency is not None:
        return None
    return Finding(
        "pool-size-unverified",
        Severity.WARNING,
        "the server's /stats/ does not report executor_workers, so that it uses the worker count is inferred "
        "from its thread count only; let /stats/ report executor_workers and executor_max_concurrency",
        {"workers": context.configuration.workers, "threads": figures.threads},
    )


def user_limited(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    workers, seen = context.configuration.workers, figures.max_concurrency
    if seen is None or seen >= workers or size_not_applied(figures, context, limits) is not None:
        return None
    return Finding(
        "user-limited",
        Severity.INFO,
        f"at most {seen} of {workers} workers were busy at once: {context.users} users are too few to see "
        "what this value can do; raise --users to test it",
        {"workers": workers, "max_concurrency": seen, "users": context.users},
    )


def not_applied(workers: int, seen: str, evidence: Evidence) -> Finding:
    return Finding(
        "pool-size-not-applied",
        Severity.ERROR,
        f"the server was started with {workers} workers, but {seen}: it does not use the worker count it is "
        "given, so sweeping it would compare a value with itself; use the fastapi launcher, or make the "
        "server read {workers} or DRUM_FASTAPI_EXECUTOR_WORKERS",
        {"workers": workers, **evidence},
    )


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
