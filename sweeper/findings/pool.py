"""Does the server use the worker count it is given? Never sweep a no-op."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sweeper.findings.limits import Limits, RunContext
from sweeper.records import Configuration, Evidence, Finding, RunFigures, RunRecord, Severity


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
    # Where not all of them are predictions, it says nothing: the others wait elsewhere.
    if context.pooled_share == 1.0 and _fuller_than_seen(figures, context, limits):
        inside = _in_one_process(figures, context)
        return not_applied(
            workers,
            f"never more than {seen} requests were in its handlers although {inside:.0f} were in the server",
            {"max_concurrency": seen, "in_server": round(inside, 1)},
        )
    return None


def _fuller_than_seen(figures: RunFigures, context: RunContext, limits: Limits) -> bool:
    workers, seen = context.configuration.workers, figures.max_concurrency
    if seen is None or seen >= workers:
        return False
    return _in_one_process(figures, context) > workers * 1.2 + limits.queued_beyond_pool


def _in_one_process(figures: RunFigures, context: RunContext) -> float:
    """What is seen is what one process says of itself."""
    return in_server(figures) / context.configuration.processes


def not_used(context: RunContext) -> Finding | None:
    """A locust file whose requests all pass by the pool: no fault of the server's."""
    if context.pooled_share != 0.0:
        return None
    return Finding(
        "pool-not-used",
        Severity.WARNING,
        "no request of the locust file came to the server's pool (its executor_completed stood still), so "
        "that the worker count can make no difference to this load; send predictions (POST /predict/) as "
        "well, or vary something other than --workers",
        {"workers": context.configuration.workers, "pooled_share": 0.0},
    )


def size_unverified(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    if not context.has_pool:
        return None
    if figures.max_concurrency is not None:
        if context.pooled_share is not None or not _fuller_than_seen(figures, context, limits):
            return None
        return Finding(
            "pool-size-unverified",
            Severity.WARNING,
            f"never more than {figures.max_concurrency} requests were in the server's handlers although more "
            "were in the server: it ignores the worker count, or the locust file's other requests pass by "
            "its pool; let /stats/ report executor_completed (of one process)",
            {"workers": context.configuration.workers, "max_concurrency": figures.max_concurrency},
        )
    if figures.pool_workers is not None:
        return Finding(
            "pool-size-unverified",
            Severity.WARNING,
            f"the server's /stats/ says executor_workers = {figures.pool_workers} but not how many were ever "
            "busy at once, so there is only its word that it uses the worker count; let /stats/ report "
            "executor_max_concurrency",
            {"workers": context.configuration.workers, "reported": figures.pool_workers},
        )
    return Finding(
        "pool-size-unverified",
        Severity.WARNING,
        "the server's /stats/ does not report executor_workers, so whether it uses the worker count can only "
        "be inferred from its thread count; let /stats/ report executor_workers and executor_max_concurrency",
        {"workers": context.configuration.workers, "threads": figures.threads},
    )


def user_limited(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    workers, seen = context.configuration.workers, figures.max_concurrency
    if context.open_loop or context.of_scenario or context.pooled_share == 0.0:
        return None
    if seen is None or seen >= workers or size_not_applied(figures, context, limits) is not None:
        return None
    if size_unverified(figures, context, limits) is not None:
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


def pool_ignored(records: Sequence[RunRecord], limits: Limits | None = None) -> Finding | None:
    """For servers without a pool figure: a thread count that does not follow the worker count.

    A pool has a thread for every request it works on, so from the fewest to the most workers the count
    must grow by about as many as Little's law puts into the server. A server whose throughput follows
    the worker count all the same (coroutines behind a semaphore, say) evidently does use it.
    """
    alike: dict[Configuration, dict[int, list[RunFigures]]] = {}
    for record in records:
        figures = record.figures
        if figures is not None and figures.pool_workers is None and figures.max_concurrency is None:
            counts = alike.setdefault(replace(record.configuration, workers=1), {})
            counts.setdefault(record.configuration.workers, []).append(figures)
    found = (_ignored(silent, limits or Limits()) for silent in alike.values() if len(silent) > 1)
    return next((finding for finding in found if finding is not None), None)


def _ignored(silent: Mapping[int, Sequence[RunFigures]], limits: Limits) -> Finding | None:
    """By worker count, everything else alike."""
    fewest, most = min(silent), max(silent)
    few, many = _seen(silent[fewest]), _seen(silent[most])
    expected = min(most, many.in_server) - min(fewest, few.in_server)
    grown = many.threads - few.threads
    speeds = [_seen(runs).rps for runs in silent.values()]
    if (
        expected < limits.fewest_threads_to_tell
        or grown >= expected / 2
        or few.processes != many.processes
        or min(speeds) <= 0
        or max(speeds) / min(speeds) > limits.throughput_follows
    ):
        return None
    values = ", ".join(str(count) for count in sorted(silent))
    return not_applied(
        most,
        f"from {fewest} to {most} workers its thread count under load went from {few.threads:.0f} to "
        f"{many.threads:.0f} only, its throughput hardly changed, and its /stats/ reports no "
        "executor_workers",
        {"threads_fewest": few.threads, "threads_most": many.threads, "configurations": values},
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    threads: float
    processes: float
    rps: float
    in_server: float


def _seen(runs: Sequence[RunFigures]) -> _Seen:
    return _Seen(
        threads=statistics.fmean(run.threads for run in runs),
        processes=max(run.processes for run in runs),
        rps=statistics.fmean(run.rps for run in runs),
        in_server=statistics.fmean(in_server(run) for run in runs),
    )


def in_server(figures: RunFigures) -> float:
    """Requests in the server at once on average, by Little's law: rate of completion x mean latency."""
    return figures.completed / figures.window_s * figures.latency.mean_ms / 1000.0
