"""The loaded part of a run: all users on, warm-up, window, drain, with /proc sampled all the way.

It goes in steps of half a second (timing.py). sweeper can put the run aside between two steps without effect
on its figures: all its moments are on its own clock (statistics/own_clock.py), which stands still meanwhile.
At each step the generator yields whether the run has a window by now, and the caller sends whether to take
it, so that runs side by side have their windows in the same seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from sweeper.errors import LoadError
from sweeper.records.finding import Finding, FindingCode, Severity
from sweeper.records.observations import RequestLog, TelemetrySample
from sweeper.records.run import RateStep, Window
from sweeper.records.wording import last_line
from sweeper.run.active_run import ActiveRun
from sweeper.run.interfaces import LoadProgress, LoadSession, Parts, RunningServer, Telemetry, TelemetryProbe
from sweeper.run.timing import POLL_S, SAMPLING_PERIOD_S, USERS_ON_TIMEOUT_S, RunSettings
from sweeper.statistics.capacity import SETTLING
from sweeper.statistics.own_clock import own_requests
from sweeper.statistics.warmup import is_steady


class RunState(StrEnum):
    STARTING = "starting"
    TRYING = "trying with one user whether it waits for something outside"
    EXPECTING = "finding out about how many requests/s it answers within the SLO"
    WARMING_UP = "warming up"
    MEASURING = "measuring"
    DRAINING = "draining"
    STOPPING = "stopping"


class RunFailed(Exception):
    """`finding` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of the load. All moments are on the run's own clock."""

    requests: RequestLog
    window: Window
    steady: bool  # the warm-up ended before the window
    users_on_s: float  # when every user had started a request
    ended_s: float  # after the drain


def under_load(
    settings: RunSettings,
    parts: Parts,
    server: RunningServer,
    directory: Path,
    active: ActiveRun,
    state: Callable[[RunState], None],
    climb: Sequence[RateStep] = (),
) -> Generator[bool, bool, Loaded]:
    """Yields wherever the run can be put aside; returns what came of the load. With a `climb` it lasts from
    the first rate to the last."""
    session = parts.load.start(server.base_url, directory)
    try:
        active.probe = _attach(parts.telemetry, server, session)
        active.session = session
        state(RunState.WARMING_UP)
        users_on_s = _users_on(server, session, parts)
        if settings.interleave and server.stands_still:
            active.quota = active.probe.quota_periods()
        yield False
        if climb:
            window, steady = (yield from _climb(climb, active, server, session, users_on_s, state)), True
        else:
            window, steady = yield from _hold(
                settings, active, server, session, parts.load.users, users_on_s, state
            )
        state(RunState.DRAINING)
        session.drain(settings.drain_s)
        ended_s = active.now_s()
        check_alive(server, None)
        active.requests = own_requests(session.requests(), active.pauses)
    finally:
        session.kill()
    return Loaded(active.requests, window, steady, users_on_s, ended_s)


def _attach(telemetry: Telemetry, server: RunningServer, session: LoadSession) -> TelemetryProbe:
    try:
        return telemetry.attach(server.pid, session.pid)
    except ProcessLookupError:
        check_alive(server, session)
        raise _server_died(server) from None


def _users_on(server: RunningServer, session: LoadSession, parts: Parts) -> float:
    """Wait until every user has started a request (or, with slow starters, at least one has)."""
    clock = parts.clock
    deadline_s = clock.monotonic_s() + USERS_ON_TIMEOUT_S
    while True:
        check_alive(server, session)
        started = _progress(session, parts.load.users).started
        now_s = clock.monotonic_s()
        if started >= parts.load.users:
            return now_s
        if now_s >= deadline_s:
            if started == 0:
                raise LoadError(
                    f"no user started a request within {USERS_ON_TIMEOUT_S:g} s: shorten the locust file's "
                    "on_start and first wait, and send with self.client of HttpUser or FastHttpUser; its log "
                    f"ends with: {last_line(session.log_tail(5))}"
                )
            return now_s
        clock.sleep(POLL_S)


def _hold(
    settings: RunSettings,
    active: ActiveRun,
    server: RunningServer,
    session: LoadSession,
    users: int,
    users_on_s: float,
    state: Callable[[RunState], None],
) -> Generator[bool, bool, tuple[Window, bool]]:
    """Keep the load on, and sample, until the last `window_s` seconds are steady and wanted.

    The window is the tail of the series, from sample to sample, so that /proc is exact at its edges. It
    can be taken from when MSER-5 puts the end of the warm-up before it; at the warm-up cap it can be taken as
    it is, and is not called steady.
    """
    ticks = max(2, round(settings.window_s / SAMPLING_PERIOD_S))
    tick_s = settings.window_s / ticks
    earliest = math.ceil(settings.warmup_s / tick_s) + ticks
    latest = max(earliest, math.ceil(settings.warmup_cap_s / tick_s) + ticks)
    _sample(active, server)
    steady, wanted, tick = False, False, 0
    while not wanted:
        tick += 1
        active.clock.sleep(max(0.0, users_on_s + tick * tick_s - active.now_s()))
        check_alive(server, session)
        _progress(session, users)
        _sample(active, server)
        active.end_turn(users_on_s + tick * tick_s)
        state(RunState.WARMING_UP if tick <= earliest - ticks else RunState.MEASURING)
        if not steady and tick >= earliest:
            log = own_requests(session.requests(), active.pauses)
            steady = _steady(log, users_on_s, _tail(active.samples, ticks))
        wanted = yield steady or tick >= latest
    return _tail(active.samples, ticks), steady


def _climb(
    climb: Sequence[RateStep],
    active: ActiveRun,
    server: RunningServer,
    session: LoadSession,
    users_on_s: float,
    state: Callable[[RunState], None],
) -> Generator[bool, bool, Window]:
    """Keep the load on until all requests of the last rate have arrived. The window begins with the first
    request that counts, to the next sample."""
    settled, planned = int(SETTLING * climb[0].requests), sum(step.requests for step in climb)
    start_s: float | None = None
    end_s: float | None = None
    wanted, tick = False, 0
    while not wanted:
        tick += 1
        active.clock.sleep(max(0.0, users_on_s + tick * SAMPLING_PERIOD_S - active.now_s()))
        check_alive(server, session)
        arrived = _progress(session, 1).started
        if end_s is None:
            _sample(active, server)
        if start_s is None and arrived >= settled:
            start_s = active.samples[-1].at_s
        if end_s is None and arrived >= planned:
            end_s = active.samples[-1].at_s
        active.end_turn(users_on_s + tick * SAMPLING_PERIOD_S)
        state(RunState.WARMING_UP if start_s is None else RunState.MEASURING)
        wanted = yield end_s is not None
    assert start_s is not None and end_s is not None
    return Window(start_s, end_s)


def _tail(samples: Sequence[TelemetrySample], ticks: int) -> Window:
    return Window(samples[-1 - ticks].at_s, samples[-1].at_s)


def _steady(log: RequestLog, users_on_s: float, window: Window) -> bool:
    """Whether the warm-up ended before the window, as far as the log goes by now."""
    finished = log.finished_s[np.isfinite(log.latency_ms)]
    logged_to_s = min(window.end_s, float(finished.max(initial=users_on_s)))
    return is_steady(log, users_on_s, window.start_s, logged_to_s)


def _sample(active: ActiveRun, server: RunningServer) -> None:
    try:
        active.sample()
    except ProcessLookupError:
        raise _server_died(server) from None


def _progress(session: LoadSession, users: int) -> LoadProgress:
    """Raises LoadError where nobody is left to send anything."""
    progress = session.progress()
    if progress.ended >= users:
        crash = session.requests().events.first_crash
        why = f"the first exception: {crash}" if crash else "none with an exception"
        raise LoadError(f"all {users} users of the locust file ended by themselves ({why})")
    return progress


def check_alive(server: RunningServer, session: LoadSession | None) -> None:
    """Raises RunFailed or LoadError where one of them has ended."""
    if not server.alive():
        raise _server_died(server)
    if session is not None and not session.alive():
        raise LoadError(
            f"the load generator ended early; its log ends with: {last_line(session.log_tail(5))}"
        )


def out_of_memory(server: RunningServer) -> RunFailed | None:
    """None where the kernel has killed nothing of it, or does not tell."""
    killed = server.memory_kills()
    if not killed:
        return None
    return RunFailed(
        Finding(
            FindingCode.OUT_OF_MEMORY,
            Severity.ERROR,
            "the kernel killed the server, or a process of it, because memory ran out: give it more "
            "(--memory-limit, or that of its container), fewer workers or fewer processes",
            {"killed": killed},
        )
    )


def _server_died(server: RunningServer) -> RunFailed:
    for_memory = out_of_memory(server)
    if for_memory is not None:
        return for_memory
    words = last_line(server.log_tail(5))
    return RunFailed(
        Finding(
            FindingCode.SERVER_DIED,
            Severity.ERROR,
            f"the server died under load; its log ends with: {words}; see the run's server.log, and free "
            "memory or use fewer users if the kernel killed it",
            {"log": words},
        )
    )
