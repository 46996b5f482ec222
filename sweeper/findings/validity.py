"""Checks on one run: is the load what was asked for, is the machine quiet, is the count right?"""

from __future__ import annotations

import itertools
import math

import numpy as np

from sweeper.findings.limits import Limits, RunContext
from sweeper.observations import RequestLog
from sweeper.records import Finding, RunFigures, Severity
from sweeper.statistics.figures import Measurement
from sweeper.statistics.percentiles import percentile
from sweeper.statistics.warmup import drift


def damaged_log(log: RequestLog, context: RunContext) -> Finding | None:
    """Is the load generator's log of requests whole, as far as it can say itself?"""
    started = len(log.started_s)
    if log.torn_records:
        return Finding(
            "accounting",
            Severity.ERROR,
            f"the load generator's log ends in {log.torn_records} torn record(s), so requests are missing "
            "and the run is discarded; see load.log for what ended it, and check the disk's free space",
            {"torn_records": log.torn_records, "started": started},
        )
    # One of our users sends a request when the last one has ended; with others' users nobody knows.
    if log.overtaken and context.mean_think_s is not None:
        return Finding(
            "accounting",
            Severity.ERROR,
            f"the load generator's log has no end of {log.overtaken} requests whose users went on to the "
            "next one, so records are missing and the run is discarded; check the studies' disk",
            {"overtaken": log.overtaken, "started": started},
        )
    return None


def accounting(log: RequestLog, context: RunContext) -> Finding | None:
    """Do both sides count the same? A refusal (413, 422) may come from before the server's pool, so
    that only successes must be in its count; a request without an answer may or may not be."""
    started = len(log.started_s)
    censored = int(np.isnan(log.latency_ms).sum())
    answered = log.status > 0
    responses, successes = int(answered.sum()), int((answered & ~log.failed).sum())
    counted = context.responses_counted_by_server
    if counted is None or successes <= counted <= started:
        return None
    cause = (
        "something else talks to this server; stop it"
        if counted > started
        else "some answers do not come from its pool; send the load where predictions are made"
    )
    return Finding(
        "accounting",
        Severity.ERROR,
        f"the server counted {counted} predictions where the load generator saw {responses} answers "
        f"({censored} never finished), so the run is discarded: {cause}",
        {"server_completed": counted, "answers": responses, "started": started, "censored": censored},
    )


def errors(log: RequestLog, figures: RunFigures, context: RunContext) -> Finding | None:
    if figures.error_rate <= context.max_error_rate:
        return None
    # Under catch_response a task may have failed what the server answered with 200.
    statuses, counts = np.unique(log.status[log.failed], return_counts=True)
    most = int(statuses[counts.argmax()]) if len(counts) else None
    named = {None: "", 0: ", mostly without an answer"}.get(most, f", mostly with status {most}")
    return Finding(
        "errors",
        Severity.WARNING,
        f"{figures.error_rate:.1%} of the requests failed{named} (limit {context.max_error_rate:.1%}); a "
        "value that fails so often over all its runs is not recommended; see the run's server.log and "
        "load.log",
        {
            "error_rate": figures.error_rate,
            "failed": figures.failed,
            "completed": figures.completed,
            "status": most,
        },
    )


def littles_law(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    """Every user has a request in flight or waits: together they must be the users that were asked for.

    The number in flight is Little's throughput x latency; where the log gives it, it is taken as it was
    (sample path), because throughput is of the requests that completed in the window and latency of those
    that started in it, which are not the same while a slow server changes its pace. Waits are drawn at
    random, and of few requests their sum is not their mean times their number.
    """
    if context.mean_think_s is None or context.open_loop:
        return None
    rate = figures.completed / figures.window_s
    in_flight = figures.mean_in_flight
    if in_flight is None:
        in_flight = rate * figures.latency.mean_ms / 1000.0
    waiting = rate * context.mean_think_s / context.users
    ratio = in_flight / context.users + waiting
    noise = limits.littles_law_noise * waiting / math.sqrt(max(figures.completed, 1))
    low, high = min(limits.littles_law_low, 1 - noise), max(limits.littles_law_high, 1 + noise)
    if low <= ratio <= high:
        return None
    cause = (
        "users stood still for longer than they were to wait; see load.log for what kept them"
        if ratio < low
        else "requests took long that are over only after the window, or users came back too soon"
    )
    return Finding(
        "littles-law",
        Severity.WARNING,
        f"requests in flight and waits between them account for {ratio:.0%} of the {context.users} users "
        f"({low:.0%} to {high:.0%} expected), so the load was not what was asked for: {cause}; a longer "
        "--window has less of chance",
        {"ratio": ratio, "requests_per_s": rate, "in_flight": in_flight, "users": context.users},
    )


def steady_state(measurement: Measurement, context: RunContext) -> Finding | None:
    if context.steady:
        return None
    warmup_s = measurement.window.start_s - measurement.users_on_s
    return Finding(
        "no-steady-state",
        Severity.WARNING,
        f"throughput or latency was not steady after {warmup_s:.1f} s of warm-up, all that is allowed; raise "
        "--warmup-cap, or look in the run's server.log for what keeps changing",
        {"warmup_s": warmup_s},
    )


def drifting(measurement: Measurement, limits: Limits) -> Finding | None:
    change = drift(measurement.requests, measurement.window.start_s, measurement.window.end_s)
    if change is None or abs(change) <= limits.drift:
        return None
    cause = (
        "the server was still warming up (raise --warmup)"
        if change > 0
        else "the server slows down as it serves (see the run's server.log)"
    )
    return Finding(
        "drift",
        Severity.WARNING,
        f"throughput {'rose' if change > 0 else 'fell'} by at least {abs(change):.1%} from the window's "
        f"first half to its second (limit {limits.drift:.0%}): {cause}, or the host changed speed (run again "
        "when it is quiet)",
        {"change": change},
    )


def falling_behind(measurement: Measurement, context: RunContext, limits: Limits) -> Finding | None:
    """Under open-loop load: does the queue grow all through the window?

    Where arrivals exceed what is served by a share e, latency grows by e seconds every second; where they
    do not, it stays. So it grows where nearly all of the window's last third waited longer than nearly all
    of its first; a burst passes sooner.
    """
    log, window = measurement.requests, measurement.window
    if not context.open_loop:
        return None
    waited_ms = (measurement.ended_s - log.started_s) * 1000.0
    latency_ms = np.where(np.isnan(log.latency_ms), waited_ms, log.latency_ms)
    third_s = window.duration_s / 3.0
    edges = window.start_s + third_s * np.arange(4)
    thirds = [
        latency_ms[(log.started_s >= low) & (log.started_s < high)] for low, high in itertools.pairwise(edges)
    ]
    if any(len(third) == 0 for third in thirds):
        return None
    first, middle, last = (float(third.mean()) for third in thirds)
    slope = (last - first) / (2.0 * third_s)
    apart = percentile(np.sort(thirds[2]), 0.05) > percentile(np.sort(thirds[0]), 0.95)
    if not (apart and first < middle < last) or slope < limits.latency_grows_ms_per_s:
        return None
    return Finding(
        "falling-behind",
        Severity.WARNING,
        f"latency grew from {first:,.0f} ms in the window's first third to {last:,.0f} ms in its last: more "
        "requests arrived than the server answers, so its latency here only shows how long it was watched; "
        "in production send it fewer requests",
        {"first_ms": first, "last_ms": last, "grows_ms_per_s": slope},
    )


def stalled(measurement: Measurement, figures: RunFigures) -> Finding | None:
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
        f"nothing completed for {longest:.2f} s within the window ({expected:.2f} s at most are usual): "
        "the server or the host was stopped; look for a garbage collection, a suspended machine, another job",
        {"longest_gap_s": longest, "expected_below_s": expected},
    )


def throttled(figures: RunFigures) -> Finding | None:
    if not figures.throttled_periods:
        return None
    return Finding(
        "throttled",
        Severity.WARNING,
        f"the control group's CPU quota stopped these processes in {figures.throttled_periods} of its "
        "periods: the quota, not the worker count, was the limit; raise the quota, or give whole cores "
        "(docker run --cpuset-cpus)",
        {"throttled_periods": figures.throttled_periods},
    )


def steal(figures: RunFigures, limits: Limits) -> Finding | None:
    share = figures.host_steal_share
    if share is None or share <= limits.steal_share:
        return None
    return Finding(
        "steal",
        Severity.WARNING,
        f"the hypervisor gave {share:.1%} of a core to others (limit {limits.steal_share:.0%}), so the "
        "server had less than its cores; run again when the host is quieter",
        {"steal_share": share},
    )


def pressure(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    """Others' CPU only matters where it is not spent on cores that would be idle."""
    others, client = figures.other_cpu_cores, figures.client_cpu_cores
    if others is None or client is None:
        return None
    allowed = max(limits.other_cpu_cores, limits.other_cpu_share * context.host_cores)
    idle = context.host_cores - (others + client + figures.cpu_cores)
    if others <= allowed or idle > (1 - limits.cores_contended) * context.host_cores:
        return None
    return Finding(
        "pressure",
        Severity.WARNING,
        f"other processes on this machine kept {others:.2f} cores busy (limit {allowed:g}) and left "
        "hardly any idle: stop them, or run again when the machine is quiet",
        {"other_cpu_cores": others},
    )


def censored(figures: RunFigures) -> Finding | None:
    if not figures.latency.censored:
        return None
    return Finding(
        "censored-tail",
        Severity.INFO,
        f"{figures.latency.censored} of {figures.latency.samples} requests of the window never finished, so "
        "p99 is a lower bound; raise --drain, or look in the run's server.log for what they wait for",
        {"censored": figures.latency.censored, "started": figures.latency.samples},
    )
