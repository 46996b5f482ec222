"""A trial before the first block: may its runs take turns, or does the server wait for something outside?

What a server waits for outside goes on while the server is stopped for the others' turns, and flatters it.
One user for a second shows it: while a request is under way, any other server works or waits for a core.
"""

from __future__ import annotations

from pathlib import Path

from sweeper.errors import LoadError
from sweeper.run.interfaces import Clock, LoadSession, Parts, RunningServer
from sweeper.run.timing import POLL_S, RunSettings
from sweeper.statistics.outside_waits import OutsideWaits, outside_waits

TRIAL_S = 1.0
FIRST_ANSWER_WITHIN_S = 5.0  # of its user; it may be the one for which the model is read from the disk


def try_server(
    settings: RunSettings, parts: Parts, server: RunningServer, directory: Path
) -> OutsideWaits | None:
    """One user at an idle server; None where nothing can be said of it. What is wrong with server or load the
    run that follows says."""
    try:
        session = parts.load.with_users(1).start(server.base_url, directory)
    except LoadError:
        return None
    try:
        _wait_for_the_first(session, parts.clock)
        probe = parts.telemetry.attach(server.pid, session.pid)
        first = probe.sample()
        parts.clock.sleep(TRIAL_S)
        last = probe.sample()
        # What it has under way must not be counted by the server later on.
        session.drain(settings.answer_timeout_s)
        return outside_waits(session.requests(), first, last)
    except (LoadError, ProcessLookupError):
        return None
    finally:
        session.kill()


def _wait_for_the_first(session: LoadSession, clock: Clock) -> None:
    deadline_s = clock.monotonic_s() + FIRST_ANSWER_WITHIN_S
    while clock.monotonic_s() < deadline_s and session.alive() and not session.progress().finished:
        clock.sleep(POLL_S)
