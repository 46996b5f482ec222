"""Is the load what was asked for? The load generator may be too slow, and a locust file may do otherwise."""

from __future__ import annotations

import math

import numpy as np

from sweeper.checks.thresholds import Limits, RunContext
from sweeper.records.finding import Evidence, Finding, FindingCode, Severity
from sweeper.records.observations import RequestLog
from sweeper.records.run import Objective, RunFigures
from sweeper.records.wording import milliseconds
from sweeper.statistics.client_share import client_share
from sweeper.statistics.figures import Measurement
from sweeper.statistics.named_figures import requests_in_server


def client_saturated(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    """The load generator has no core left, or reads answers so late that the objective is its own more than
    the server's. What is less than that widens the limits (statistics/client_share.py)."""
    cpu = _cpu_cores(figures, context)
    if figures.capacity is not None:
        figure, limit, suffers = "capacity_rps", limits.client_share_of_cycle, "the capacity"
    elif context.open_loop or context.objective is Objective.P99:
        figure, limit, suffers = "p99_ms", limits.client_share_of_p99, "the p99 latency"
    else:
        figure, limit = "rps", limits.client_share_of_cycle
        suffers = "the time from one request of a user to the next"
    share = client_share(figures, figure)
    if cpu is not None and cpu > limits.client_cpu_cores:
        message = (
            f"{_who(context)} used {cpu:.2f} of one core (limit {limits.client_cpu_cores:.2f}), so the "
            "figures may show the limit of the load generator, not that of the server; "
            f"{_remedy(figures, context, limits)}"
        )
    elif share > limit:
        own_doing = context.load_elsewhere or (cpu is not None and cpu > limits.client_busy_cores)
        remedy = _remedy(figures, context, limits) if own_doing else _cores_of_its_own(context)
        median, p99 = (
            milliseconds(ms or 0.0) for ms in (figures.client_late_p50_ms, figures.client_late_p99_ms)
        )
        message = (
            f"the load generator read answers late, by {median} (median) and {p99} (p99); this delay is "
            f"{share:.0%} of {suffers} (limit {limit:.0%}); {remedy}"
        )
    else:
        return None
    return Finding(FindingCode.CLIENT_SATURATED, Severity.WARNING, message, _evidence(figures, context))


def _may_be_fewer(context: RunContext) -> bool:
    """Random arrivals have no users, and fewer than one there cannot be."""
    return context.users > 1 and not context.open_loop


def _cores_of_its_own(context: RunContext) -> str:
    otherwise = "use fewer users" if _may_be_fewer(context) else "take a machine with more of them"
    return f"give it cores of its own (--load-cpus) or {otherwise}"


def _cpu_cores(figures: RunFigures, context: RunContext) -> float | None:
    """What cannot exceed one core. Of another host's it is not known."""
    if context.load_elsewhere:
        return None
    return figures.client_cpu_cores if context.load_processes == 1 else figures.client_busiest_cores


def _who(context: RunContext) -> str:
    if context.load_processes == 1:
        return "the load generator"
    return f"the busiest of the load generator's {context.load_processes} processes"


def _evidence(figures: RunFigures, context: RunContext) -> Evidence:
    evidence: dict[str, float | int | None] = {
        "client_cpu_cores": figures.client_cpu_cores,
        "client_late_p50_ms": figures.client_late_p50_ms,
        "client_late_p99_ms": figures.client_late_p99_ms,
        "share_of_cycle": figures.client_share_of_cycle,
        "share_of_p99": client_share(figures, "p99_ms"),
    }
    if context.load_processes > 1 and not context.load_elsewhere:
        evidence["load_processes"] = context.load_processes
        evidence["client_busiest_cores"] = figures.client_busiest_cores
    return evidence


def _remedy(figures: RunFigures, context: RunContext, limits: Limits) -> str:
    """More processes, where there are cores for them: such that the load may use, and that are idle."""
    cores, processes = context.load_cores or context.host_cores, context.load_processes
    more = 2 * processes if context.open_loop else min(2 * processes, context.users)
    fewer = ", or use fewer users" if _may_be_fewer(context) else ""
    if more == processes:
        return f"use {'fewer users or ' if fewer else ''}a machine with faster cores"
    if context.load_elsewhere:
        return f"expect more load workers (--expect-load-workers {more}){fewer}"
    if _idle_cores(figures, context) < limits.cores_for_load:
        if context.of_scenario:
            return f"use {'fewer users or ' if fewer else ''}a machine with more cores"
        return f"let other hosts make the load (--expect-load-workers 2){fewer}"
    if cores > processes:
        return f"spread it with --load-processes {min(more, cores)}{fewer}"
    return f"give it more cores (--load-cpus) and --load-processes {more}{fewer}"


def _idle_cores(figures: RunFigures, context: RunContext) -> float:
    """Cores of the machine that nobody used; what is not known counts as idle."""
    server = 0.0 if context.server_elsewhere else figures.cpu_cores or 0.0
    return context.host_cores - server - (figures.client_cpu_cores or 0.0) - (figures.other_cpu_cores or 0.0)


def littles_law(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    """Each user has a request in flight or waits between requests: the two numbers must add up to all users.

    By Little's law, the number in flight is throughput x latency. If the log gives the number itself (sample
    path), the check uses that: throughput counts requests that completed in the window, latency counts
    requests that started in it, and the two differ while a slow server changes its pace. Waits are random, so
    the sum of a few waits can differ from their mean times their number.
    """
    if context.mean_think_s is None or context.open_loop:
        return None
    rate = figures.completed / figures.window_s
    in_flight = figures.mean_in_flight
    if in_flight is None:
        in_flight = requests_in_server(figures)
    waiting = rate * context.mean_think_s / context.users
    ratio = in_flight / context.users + waiting
    noise = limits.littles_law_noise * waiting / math.sqrt(max(figures.completed, 1))
    low, high = min(limits.littles_law_low, 1 - noise), max(limits.littles_law_high, 1 + noise)
    if low <= ratio <= high:
        return None
    cause = (
        "users waited longer between requests than they should; see load.log for what delayed them"
        if ratio < low
        else "long requests ended only after the window, or users sent their next request too soon"
    )
    return Finding(
        FindingCode.LITTLES_LAW,
        Severity.WARNING,
        f"requests in flight and waits between them account for {ratio:.0%} of the {context.users} users "
        f"({low:.0%} to {high:.0%} expected), so the load was not what you asked for: {cause}; a longer "
        "--window reduces chance effects",
        {"ratio": ratio, "requests_per_s": rate, "in_flight": in_flight, "users": context.users},
    )


def left_waiting(measurement: Measurement, context: RunContext, limits: Limits) -> Finding | None:
    """Requests that started before the window and still waited at its end, while the server answered many
    later ones. No latency of the window includes them. A server that is only slow, or that has a queue,
    answers the oldest request first."""
    log, window = measurement.requests, measurement.window
    ends_s = np.nan_to_num(log.finished_s, nan=np.inf)
    waiting = int(np.count_nonzero((log.started_s < window.start_s) & (ends_s > window.end_s)))
    overtook = int(np.count_nonzero((log.started_s >= window.start_s) & (ends_s <= window.end_s)))
    if context.open_loop or overtook < context.users or waiting <= limits.left_waiting * context.users:
        return None
    return Finding(
        FindingCode.LITTLES_LAW,
        Severity.WARNING,
        f"{waiting} of {context.users} users waited for one answer during the whole window, while "
        f"the server answered {overtook} other requests, so the load was not what you asked for, and no "
        "latency figure includes these waits: the server loses some of its connections, or its "
        "listen queue is "
        "too short for so many users; give the server a longer listen queue (backlog), or use fewer users",
        {"waiting": waiting, "overtook": overtook, "users": context.users},
    )


def task_crashed(log: RequestLog, context: RunContext) -> Finding | None:
    """locust logs an exception in a task and goes on with the next one; few are a remark, many are another
    load than the file describes."""
    events, started = log.events, len(log.started_s)
    if not events.crashes:
        return None
    many = events.crashes > context.max_error_rate * started
    effect = "the load was not the one that the file describes" if many else "too few to matter"
    return Finding(
        FindingCode.TASK_CRASHED,
        Severity.WARNING if many else Severity.INFO,
        f"tasks of the locust file ended with an exception {events.crashes} times in {started} requests "
        f"({effect}); the first one: {events.first_crash or 'not logged'}; see the run's load.log for where",
        {"crashes": events.crashes, "started": started, "first": events.first_crash},
    )


def users_ended(log: RequestLog, context: RunContext) -> Finding | None:
    ended = log.events.ended
    if not ended:
        return None
    crash = log.events.first_crash
    why = f"the first exception was {crash}" if crash else "locust reported no exception"
    return Finding(
        FindingCode.USERS_ENDED,
        Severity.WARNING,
        f"{ended} of {context.users} users of the locust file ended by themselves ({why}), so the load was "
        "less than you asked for; let the users run until sweeper stops them, and see the run's load.log",
        {"ended": ended, "users": context.users, "first": crash},
    )


def requests_elsewhere(log: RequestLog, context: RunContext) -> Finding | None:
    """Absolute URLs: some fetch a token, say; many are a measurement of another server."""
    elsewhere, started = log.events.elsewhere, len(log.started_s)
    if not elsewhere:
        return None
    many = elsewhere > context.max_error_rate * started
    return Finding(
        FindingCode.REQUESTS_ELSEWHERE,
        Severity.WARNING if many else Severity.INFO,
        f"{elsewhere} of {started} requests of the locust file went to another address than that of the "
        f"server under test (such as {log.events.first_elsewhere or 'an unknown one'}) and still count; give "
        'the client paths like "/predict/", without a host',
        {"elsewhere": elsewhere, "started": started, "first": log.events.first_elsewhere},
    )
