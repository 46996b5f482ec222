"""The loaded part of a run: all users on, warm-up, window, drain, with /proc sampled all the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np

from sweeper.errors import LoadError
from sweeper.interfaces import (
    Clock,
    HostSpeed,
    Launcher,
    LoadGenerator,
    LoadSession,
    RunningServer,
    Telemetry,
    TelemetryProbe,
)
from sweeper.records import Evidence, RequestLog, TelemetrySample, Window
from sweeper.statistics.warmup import steady_from

USERS_ON_TIMEOUT_S = 15.0
POLL_S = 0.05


class State(StrEnum):
    STARTING = "starting"
    WARMING_UP = "warming up"
    MEASURING = "measuring"
    DRAINING = "draining"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How long each phase of a run may take, and what the checks need to know."""

    window_s: float = 10.0
    warmup_s: float = 3.0
    warmup_cap_s: float = 20.0
    drain_s: float = 30.0
    start_timeout_s: float = 120.0
    max_error_rate: float = 0.01
    cores_shared: bool = True
    host_cores: int = 1

    @property
    def expected_s(self) -> float:
        """A first guess of a run's length, before any has been timed."""
        return self.warmup_s + self.window_s + 6.0


@dataclass(frozen=True, slots=True)
class Parts:
    """The outside things a run is made of. Without `host_speed` no covariate is measured."""

    launcher: Launcher
    load: LoadGenerator
    telemetry: Telemetry
    clock: Clock
    host_speed: HostSpeed | None = None


class RunFailed(Exception):
    def __init__(self, code: str, message: str, evidence: Evidence) -> None:
        super().__init__(message)
        self.code = code
        self.evidence = evidence


@dataclass(slots=True)
class Underway:
    """What has been gathered so far; kept outside the phases so that a failure keeps it too."""

    samples: list[TelemetrySample] = field(default_factory=list)
    requests: RequestLog | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of the load."""

    requests: RequestLog
    window: Window
    steady: bool
    users_on_s: float
    ended_s: float


def under_load(
    settings: RunSettings,
    parts: Parts,
    server: RunningServer,
    directory: Path,
    underway: Underway,
    state: Callable[[State], None],
) -> Loaded:
    session = parts.load.start(server.base_url, directory)
    try:
        probe = _attach(parts.telemetry, server, session)
        state(State.WARMING_UP)
        users_on_s = _users_on(server, session, parts)
        window, steady = _hold(settings, parts.clock, server, session, probe, underway, users_on_s, state)
        state(State.DRAINING)
        session.drain(settings.drain_s)
        ended_s = parts.clock.monotonic_s()
        _check_alive(server, None)
        underway.requests = session.requests()
    finally:
        session.kill()
    return Loaded(underway.requests, window, steady, users_on_s, ended_s)


def _attach(telemetry: Telemetry, server: RunningServer, session: LoadSession) -> TelemetryProbe:
    try:
        return telemetry.attach(server.pid, session.pid)
    except ProcessLookupError:
        _check_alive(server, session)
        raise _server_died(server) from None


def _users_on(server: RunningServer, session: LoadSession, parts: Parts) -> float:
    """Wait until every user has started a request (or, with slow starters, at least one has)."""
    clock = parts.clock
    deadline_s = clock.monotonic_s() + USERS_ON_TIMEOUT_S
    while True:
        _check_alive(server, session)
        started = session.progress().started
        now_s = clock.monotonic_s()
        if started >= parts.load.users:
            return now_s
        if now_s >= deadline_s:
            if started == 0:
                raise LoadError(
                    f"the load generator started no request within {USERS_ON_TIMEOUT_S:g} s; its log ends "
                    f"with: {last_line(session.log_tail(5))}"
                )
            return now_s
        clock.sleep(POLL_S)


def _hold(
    settings: RunSettings,
    clock: Clock,
    server: RunningServer,
    session: LoadSession,
    probe: TelemetryProbe,
    underway: Underway,
    users_on_s: float,
    state: Callable[[State], None],
) -> tuple[Window, bool]:
    """Keep the load on, sampling at about 1 Hz, until the last `window_s` seconds are steady.

    The window is the tail of the series, from sample to sample, so that /proc is exact at its edges. It
    is accepted when MSER-5 puts the end of the warm-up before it; at the warm-up cap it is taken as it
    is, and not called steady.
    """
    ticks = max(2, round(settings.window_s))
    tick_s = settings.window_s / ticks
    earliest = math.ceil(settings.warmup_s / tick_s) + ticks
    latest = max(earliest, math.ceil(settings.warmup_cap_s / tick_s) + ticks)
    samples = underway.samples
    samples.append(_sample(probe, server))
    for tick in range(1, latest + 1):
        clock.sleep(max(0.0, users_on_s + tick * tick_s - clock.monotonic_s()))
        _check_alive(server, session)
        samples.append(_sample(probe, server))
        state(State.WARMING_UP if tick <= earliest - ticks else State.MEASURING)
        if tick < earliest:
            continue
        window = Window(samples[-1 - ticks].at_s, samples[-1].at_s)
        if _steady(session.requests(), users_on_s, window):
            return window, True
    return window, False


def _steady(log: RequestLog, users_on_s: float, window: Window) -> bool:
    """Whether MSER-5 ends the warm-up before the window, as far as the log goes by now."""
    finished = log.finished_s[np.isfinite(log.latency_ms)]
    logged_to_s = min(window.end_s, float(finished.max(initial=users_on_s)))
    steady_s = steady_from(log, users_on_s, logged_to_s)
    # Window and bins are cut from one clock, but not at the same instant: a millisecond is the same.
    return steady_s is not None and steady_s <= window.start_s + 0.001


def _sample(probe: TelemetryProbe, server: RunningServer) -> TelemetrySample:
    try:
        return probe.sample()
    except ProcessLookupError:
        raise _server_died(server) from None


def _check_alive(server: RunningServer, session: LoadSession | None) -> None:
    if not server.alive():
        raise _server_died(server)
    if session is not None and not session.alive():
        raise LoadError(
            f"the load generator ended early; its log ends with: {last_line(session.log_tail(5))}"
        )


def _server_died(server: RunningServer) -> RunFailed:
    words = last_line(server.log_tail(5))
    return RunFailed(
        "server-died",
        f"the server died under load; its log ends with: {words}; see the run's server.log, and free "
        "memory or use fewer --users if the kernel killed it",
        {"log": words},
    )


def last_line(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else "(nothing)"
