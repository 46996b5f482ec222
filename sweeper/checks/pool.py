"""Does the server use the worker count it is given, and keep the threads it has? Never sweep a no-op."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sweeper.checks.thresholds import Limits, RunContext
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Evidence, Finding, FindingCode, Severity
from sweeper.records.run import RunFigures, RunRecord
from sweeper.settings.runtime_parameters import GATE, GATE_PER_WORKER
from sweeper.statistics.figures import Measurement
from sweeper.statistics.named_figures import requests_in_server


def gate_limits(figures: RunFigures, context: RunContext, limits: Limits) -> bool:
    """Whether the pool did not fill because the gate before it let as many through as it may. Some of these
    are not in a handler: their bodies are read, or their answers sent."""
    gate, seen, workers = context.gate, figures.max_concurrency, context.configuration.workers
    if gate is None or seen is None:
        return False
    full = min(limits.gate_full * gate, gate - 1)
    return full <= seen < workers and gate < GATE_PER_WORKER * workers


def gated(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    """The gate lets fewer requests through than there are workers, so the pool never fills. There is no
    finding if a search varies the gate, or if the gate is at least the worker count."""
    workers, gate, seen = context.configuration.workers, context.gate, figures.max_concurrency
    if gate is None or gate >= workers or GATE in dict(context.configuration.parameters):
        return None
    if not gate_limits(figures, context, limits):
        return None
    return Finding(
        FindingCode.GATED,
        Severity.WARNING,
        f"the server lets only {gate} requests through to its pool at once ({GATE}): its {workers} workers "
        f"were never all busy, and further workers make no difference; raise {GATE} to "
        f"{GATE_PER_WORKER * workers}, or try worker counts up to {gate}",
        {"workers": workers, "gate": gate, "max_concurrency": seen},
    )


def size_not_applied(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    workers, seen, said = context.configuration.workers, figures.max_concurrency, figures.pool_workers
    if said is not None and said != workers:
        return not_applied(workers, f"/stats/ reports executor_workers = {said}", {"reported": said})
    if seen is None or gate_limits(figures, context, limits):
        return None
    if seen > workers:
        return not_applied(
            workers, f"{seen} requests were in its handlers at once", {"max_concurrency": seen}
        )
    # Little's law: requests in the server = throughput x latency. If they exceed the pool, the pool was full.
    # This is not certain if some requests are no predictions, because they wait elsewhere, or if the server
    # reports the right size and may be too busy to pass its requests to the pool.
    stuffed = context.pooled_share == 1.0 and _fuller_than_seen(figures, context, limits)
    if stuffed and not _may_be_too_busy(figures, context, limits):
        inside = _in_one_process(figures, context)
        return not_applied(
            workers,
            f"never more than {seen} requests were in its handlers although {inside:.0f} were in the server",
            {"max_concurrency": seen, "in_server": round(inside, 1)},
        )
    return None


def _fuller_than_seen(figures: RunFigures, context: RunContext, limits: Limits) -> bool:
    workers, seen = context.configuration.workers, figures.max_concurrency
    if seen is None or limits.all_busy(seen, workers):
        return False
    return _in_one_process(figures, context) > workers * limits.fuller_than_pool + limits.queued_beyond_pool


def _may_be_too_busy(figures: RunFigures, context: RunContext, limits: Limits) -> bool:
    """For a server that reports the right size: may the thread that passes requests to the pool wait for a
    core, or for Python's interpreter lock? True if the figures for that are unknown."""
    cpu_cores, delay_ms = figures.cpu_cores, figures.run_delay_ms_per_request
    if figures.pool_workers != context.configuration.workers:
        return False
    if cpu_cores is None or delay_ms is None or figures.throttled_periods:
        return True
    waiting = delay_ms / 1000.0 * figures.completed / figures.window_s
    processes = context.configuration.processes
    return waiting >= limits.threads_waiting * processes or cpu_cores >= limits.interpreter_busy * processes


def _in_one_process(figures: RunFigures, context: RunContext) -> float:
    """What is seen is what one process says of itself."""
    return requests_in_server(figures) / context.configuration.processes


def not_used(context: RunContext) -> Finding | None:
    """A locust file whose requests all pass by the pool: no fault of the server's."""
    if context.pooled_share != 0.0:
        return None
    return Finding(
        FindingCode.POOL_NOT_USED,
        Severity.WARNING,
        "no request of the locust file reached the server's pool (executor_completed in /stats/ did "
        "not change), so "
        "the worker count can make no difference to this load; send predictions (POST /predict/) as "
        "well, or vary something other than --workers",
        {"workers": context.configuration.workers, "pooled_share": 0.0},
    )


def size_unverified(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    if not context.has_pool:
        return None
    if figures.max_concurrency is not None:
        if gate_limits(figures, context, limits) or not _fuller_than_seen(figures, context, limits):
            return None
        if context.pooled_share == 1.0 and _may_be_too_busy(figures, context, limits):
            return _busy_before_pool(figures, context)
        if context.pooled_share is not None:
            return None
        return Finding(
            FindingCode.POOL_SIZE_UNVERIFIED,
            Severity.WARNING,
            f"never more than {figures.max_concurrency} requests were in the server's handlers although more "
            "were in the server: the server ignores the worker count, or the locust file's other requests "
            "do not use its pool; let /stats/ report executor_completed (of one process)",
            {"workers": context.configuration.workers, "max_concurrency": figures.max_concurrency},
        )
    if figures.pool_workers is not None:
        return Finding(
            FindingCode.POOL_SIZE_UNVERIFIED,
            Severity.WARNING,
            f"the server's /stats/ says executor_workers = {figures.pool_workers} but not how many "
            "workers were "
            "ever busy at once, so nothing else shows that the server uses the worker count; let "
            "/stats/ report "
            "executor_max_concurrency",
            {"workers": context.configuration.workers, "reported": figures.pool_workers},
        )
    knows = "cannot know" if figures.threads is None else "can only infer from the thread count"
    return Finding(
        FindingCode.POOL_SIZE_UNVERIFIED,
        Severity.WARNING,
        f"the server's /stats/ does not report executor_workers, so sweeper {knows} whether the server "
        "uses the worker count; let /stats/ report executor_workers and executor_max_concurrency",
        {"workers": context.configuration.workers, "threads": figures.threads},
    )


def _busy_before_pool(figures: RunFigures, context: RunContext) -> Finding:
    workers, inside = context.configuration.workers, _in_one_process(figures, context)
    return Finding(
        FindingCode.POOL_SIZE_UNVERIFIED,
        Severity.WARNING,
        f"the server's /stats/ says executor_workers = {workers}, but never more than "
        f"{figures.max_concurrency} requests were in its handlers although {inside:.0f} were in the server: "
        "it was too busy to take the others to the pool, or it does not use the worker count; run again on a "
        "machine with idle cores to know",
        {"workers": workers, "max_concurrency": figures.max_concurrency, "in_server": round(inside, 1)},
    )


def user_limited(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    workers, seen = context.configuration.workers, figures.max_concurrency
    asked_for = context.of_scenario or context.of_smaller_load
    if context.open_loop or asked_for or context.pooled_share == 0.0:
        return None
    if figures.error_rate > context.max_error_rate:
        return None  # what is refused may never come to a worker, however many users there are
    if gate_limits(figures, context, limits):
        return None
    if not seen or limits.all_busy(seen, workers) or size_not_applied(figures, context, limits) is not None:
        return None
    if size_unverified(figures, context, limits) is not None:
        return None
    return Finding(
        FindingCode.USER_LIMITED,
        Severity.INFO,
        f"at most {seen} of {workers} workers were busy at once: {context.users} users are too few to see "
        "what this value can do; raise --users to test it",
        {"workers": workers, "max_concurrency": seen, "users": context.users},
    )


def not_applied(workers: int, seen: str, evidence: Evidence) -> Finding:
    return Finding(
        FindingCode.POOL_SIZE_NOT_APPLIED,
        Severity.ERROR,
        f"the server was started with {workers} workers, but {seen}: the server does not use the worker "
        "count that sweeper gives it, so all counts would measure the same; make the server read "
        "{workers} or DRUM_FASTAPI_EXECUTOR_WORKERS, or use sweeper's own server (--launcher fastapi)",
        {"workers": workers, **evidence},
    )


def pool_ignored(records: Sequence[RunRecord], limits: Limits | None = None) -> Finding | None:
    """For servers that report nothing about a pool: a thread count that does not follow the worker count.

    A pool has a thread for every request it works on. From the fewest to the most workers, the thread count
    must therefore grow about as the requests in the server do (Little's law), up to the worker count. If the
    throughput follows the worker count (coroutines behind a semaphore, for example), the server does use it.
    """
    alike: dict[Configuration, dict[int, list[RunFigures]]] = {}
    for record in records:
        figures = record.figures
        if figures is None or figures.threads is None:
            continue
        if figures.pool_workers is None and figures.max_concurrency is None:
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
        or grown >= limits.threads_follow * expected
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
        threads=statistics.fmean(run.threads or 0 for run in runs),
        processes=max(run.processes or 0 for run in runs),
        rps=statistics.fmean(run.rps for run in runs),
        in_server=statistics.fmean(requests_in_server(run) for run in runs),
    )


def thread_leak(
    measurement: Measurement, figures: RunFigures, context: RunContext, limits: Limits
) -> Finding | None:
    """A thread count that grows in every third of the window, never falls, and exceeds the pool.

    A pool that is known to have been full has filled in the warm-up, since all users are on at once. Any
    other one may fill within the window, on top of the threads that the server had at first. A server with a
    thread for each request has a count that goes up and down.
    """
    window = measurement.window
    samples = [s for s in measurement.samples if window.start_s <= s.at_s <= window.end_s]
    counts = [sample.server_threads for sample in samples if sample.server_threads is not None]
    steps = len(counts) - 1
    if len(counts) < limits.fewest_thread_samples or len({sample.server_processes for sample in samples}) > 1:
        return None
    first, last = counts[0], counts[-1]
    thirds = [counts[round(steps * third / 3)] for third in range(4)]
    falls = any(after < before for before, after in itertools.pairwise(counts))
    pauses = any(after <= before for before, after in itertools.pairwise(thirds))
    pool = context.configuration.workers * context.configuration.processes
    at_once = figures.max_concurrency
    filled = not context.open_loop and at_once is not None and at_once >= context.configuration.workers
    before = 0 if filled else measurement.samples[0].server_threads
    if falls or pauses or last - first < limits.leaked_threads or last <= pool + (before or 0):
        return None
    per_s = (last - first) / (samples[-1].at_s - samples[0].at_s)
    return Finding(
        FindingCode.THREAD_LEAK,
        Severity.WARNING,
        f"the server's threads grew from {first} to {last} within the window ({per_s:.1f} per second, none "
        f"ended), beyond its pool of {pool}: the server will slow down the longer it serves; look in the "
        "model's code for a thread, pool or client that is made for each request and never closed",
        {"threads_first": first, "threads_last": last, "threads_per_s": per_s, "pool": pool},
    )
