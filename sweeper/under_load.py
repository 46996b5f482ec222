"""The loaded part of a run: all users on, warm-up, window, drain, with /proc sampled all the way.

It goes in steps of half a second. Between two of them the run can be put aside, and does not notice: all its
moments are on its own clock (statistics/own_clock.py), which stands still meanwhile. With each step it yields
whether it has a window by now, and is sent whether to take it, so that runs side by side have theirs in the
same seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
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
from sweeper.statistics.own_clock import Pause, growth, own_requests, own_sample
from sweeper.statistics.warmup import is_steady

USERS_ON_TIMEOUT_S = 15.0
POLL_S = 0.05
STEP_S = 0.5
CLIENT_FIRST_S = 0.002


class State(StrEnum):
    STARTING = "starting"
    WARMING_UP = "warming up"
    MEASURING = "measuring"
    DRAINING = "draining"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How long each phase of a run may take, and what the checks need to know.

    With `interleave` the runs of a block take turns, step by step (turns.py).
    """

    window_s: float = 10.0
    warmup_s: float = 3.0
    warmup_cap_s: float = 20.0
    drain_s: float = 30.0
    start_timeout_s: float = 120.0
    max_error_rate: float = 0.01
    cores_shared: bool = True
    host_cores: int = 1
    interleave: bool = True

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
    """A run under way: its server and load once there are, what has been gathered so far (a failure keeps
    it too), and its own clock."""

    clock: Clock
    server: RunningServer | None = None
    session: LoadSession | None = None
    probe: TelemetryProbe | None = None
    samples: list[TelemetrySample] = field(default_factory=list)
    requests: RequestLog | None = None
    pauses: list[Pause] = field(default_factory=list)
    rss_bytes: int = 0
    _paused_s: float = 0.0
    _switching_s: float = 0.0
    _grown: dict[str, float] = field(default_factory=dict)
    _aside_s: float | None = None
    _aside: TelemetrySample | None = None

    def now_s(self) -> float:
        """On the run's own clock."""
        now_s = self.clock.monotonic_s() if self._aside_s is None else self._aside_s
        return now_s - self._paused_s

    def spent_s(self) -> float:
        """Its own time, and what it took to put it aside and take it up."""
        return self.now_s() + self._switching_s

    def put_aside(self) -> None:
        """Stop server and load where they are; their clock stands still. Does nothing twice."""
        if self._aside_s is not None or self.server is None or self.session is None:
            return
        self.session.freeze()
        self.server.freeze()
        self._aside_s = self.clock.monotonic_s()
        self._aside = self._look()
        if self._aside is not None:
            self.rss_bytes = self._aside.server_rss_bytes
        self._switching_s += self.clock.monotonic_s() - self._aside_s

    def take_up(self) -> None:
        """Let them go on from where they are. Does nothing to a run that is not aside."""
        if self._aside_s is None or self.server is None or self.session is None:
            return
        begun_s = self.clock.monotonic_s()
        now = self._look()
        if self._aside is not None and now is not None:
            for name, grown in growth(self._aside, now).items():
                self._grown[name] = self._grown.get(name, 0) + grown
        self.pauses.append(Pause(self._aside_s, self.clock.monotonic_s()))
        self._paused_s += self.pauses[-1].duration_s
        self._switching_s += self.pauses[-1].end_s - begun_s
        self._aside_s = None
        self.session.thaw(self._paused_s)
        # Woken together with many server threads, one client process would have to wait for a core.
        self.clock.sleep(CLIENT_FIRST_S)
        self.server.thaw()

    def sample(self) -> None:
        """Keep a sample of now, on the run's own clock. Raises ProcessLookupError when the server is gone."""
        assert self.probe is not None
        self.samples.append(own_sample(self.probe.sample(), self._paused_s, self._grown))

    def _look(self) -> TelemetrySample | None:
        """None when the server has died meanwhile: the next step of the run will find out."""
        with suppress(ProcessLookupError):
            return self.probe.sample() if self.probe is not None else None
        return None


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
) -> Generator[bool, bool, Loaded]:
    """Yields wherever the run can be put aside; returns what came of the load."""
    session = parts.load.start(server.base_url, directory)
    try:
        underway.probe = _attach(parts.telemetry, server, session)
        underway.session = session
        state(State.WARMING_UP)
        users_on_s = _users_on(server, session, parts)
        yield False
        window, steady = yield from _hold(settings, underway, server, session, users_on_s, state)
        state(State.DRAINING)
        session.drain(settings.drain_s)
        ended_s = underway.now_s()
        _check_alive(server, None)
        underway.requests = own_requests(session.requests(), underway.pauses)
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
    underway: Underway,
    server: RunningServer,
    session: LoadSession,
    users_on_s: float,
    state: Callable[[State], None],
) -> Generator[bool, bool, tuple[Window, bool]]:
    """Keep the load on, sampling every `STEP_S`, until the last `window_s` seconds are steady and wanted.

    The window is the tail of the series, from sample to sample, so that /proc is exact at its edges. It
    can be taken from when MSER-5 puts the end of the warm-up before it; at the warm-up cap it can be taken as
    it is, and is not called steady.
    """
    ticks = max(2, round(settings.window_s / STEP_S))
    tick_s = settings.window_s / ticks
    earliest = math.ceil(settings.warmup_s / tick_s) + ticks
    latest = max(earliest, math.ceil(settings.warmup_cap_s / tick_s) + ticks)
    _sample(underway, server)
    steady, wanted, tick = False, False, 0
    while not wanted:
        tick += 1
        underway.clock.sleep(max(0.0, users_on_s + tick * tick_s - underway.now_s()))
        _check_alive(server, session)
        _sample(underway, server)
        state(State.WARMING_UP if tick <= earliest - ticks else State.MEASURING)
        if not steady and tick >= earliest:
            log = own_requests(session.requests(), underway.pauses)
            steady = _steady(log, users_on_s, _tail(underway.samples, ticks))
        wanted = yield steady or tick >= latest
    return _tail(underway.samples, ticks), steady


def _tail(samples: Sequence[TelemetrySample], ticks: int) -> Window:
    return Window(samples[-1 - ticks].at_s, samples[-1].at_s)


def _steady(log: RequestLog, users_on_s: float, window: Window) -> bool:
    """Whether the warm-up ended before the window, as far as the log goes by now."""
    finished = log.finished_s[np.isfinite(log.latency_ms)]
    logged_to_s = min(window.end_s, float(finished.max(initial=users_on_s)))
    return is_steady(log, users_on_s, window.start_s, logged_to_s)


def _sample(underway: Underway, server: RunningServer) -> None:
    try:
        underway.sample()
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
