"""What a locust file's own code did to the load: tasks that crash, users that end, requests elsewhere."""

from __future__ import annotations

from sweeper.findings.limits import RunContext
from sweeper.observations import RequestLog
from sweeper.records import Finding, Severity


def task_crashed(log: RequestLog, context: RunContext) -> Finding | None:
    """locust logs an exception in a task and goes on with the next one; few are a remark, many are another
    load than the file describes."""
    events, started = log.events, len(log.started_s)
    if not events.crashes:
        return None
    many = events.crashes > context.max_error_rate * started
    effect = "the load was not the one it describes" if many else "too few to matter"
    return Finding(
        "task-crashed",
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
    why = f"the first exception was {crash}" if crash else "nothing was raised but StopUser or a return"
    return Finding(
        "users-ended",
        Severity.WARNING,
        f"{ended} of {context.users} users of the locust file ended by themselves ({why}), so that the load "
        "was less than was asked for; let users go on until they are stopped, and see the run's load.log",
        {"ended": ended, "users": context.users, "first": crash},
    )


def requests_elsewhere(log: RequestLog, context: RunContext) -> Finding | None:
    """Absolute URLs: some fetch a token, say; many are a measurement of another server."""
    elsewhere, started = log.events.elsewhere, len(log.started_s)
    if not elsewhere:
        return None
    many = elsewhere > context.max_error_rate * started
    return Finding(
        "requests-elsewhere",
        Severity.WARNING if many else Severity.INFO,
        f"{elsewhere} of {started} requests of the locust file went elsewhere than to the server under test "
        f"(such as to {log.events.first_elsewhere or 'nobody knows where'}), and count all the same; give "
        'the client paths like "/predict/", without a host',
        {"elsewhere": elsewhere, "started": started, "first": log.events.first_elsewhere},
    )
