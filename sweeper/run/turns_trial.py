"""A trial before the first block: may its runs take turns, or does the server wait for something outside?

If a server waits for something outside, that wait goes on while sweeper stops the server, and the figures
come out too good. One user for a second shows this: any other server works, or waits for a core, while a
request is under way.
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
    """Measure an idle server with one user; None if the trial shows nothing. If the server or the load
    fails here, the run that follows reports it."""
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
