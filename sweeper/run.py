"""One run: fresh server, ready, all users on, warm-up, window, drain, stop (protocol.md, section 1)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np

from sweeper.errors import LoadError, PoolNotAppliedError, ServerStartError
from sweeper.findings import RunContext, run_findings, verdict
from sweeper.findings.pool import not_applied
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
from sweeper.records import (
    Evidence,
    Finding,
    PoolStats,
    RequestLog,
    RunFigures,
    RunPlan,
    RunRecord,
    Severity,
    TelemetrySample,
    Verdict,
    Window,
)
from sweeper.statistics.figures import Measurement, run_figures
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


@dataclass(frozen=True, slots=True)
class RunResult:
    record: RunRecord
    requests: RequestLog | None = None
    samples: tuple[TelemetrySample, ...] = ()


class _RunFailed(Exception):
    def __init__(self, code: str, message: str, evidence: Evidence) -> None:
        super().__init__(message)
        self.code = code
        self.evidence = evidence


@dataclass(slots=True)
class _Underway:
    """What has been gathered so far; kept outside the phases so that a failure keeps it too."""

    samples: list[TelemetrySample] = field(default_factory=list)
    requests: RequestLog | None = None


def execute_run(
    plan: RunPlan,
    settings: RunSettings,
    parts: Parts,
    directory: Path,
    on_state: Callable[[State, float], None] = lambda state, elapsed_s: None,
) -> RunResult:
    """Make one run; its logs go to `directory`.

    A run that goes wrong is a record with verdict `failed` and the finding that says why, never an
    exception; only an interrupt passes through, after server and load generator have been stopped.
    """
    if plan.arrivals_per_s is not None:
        # The round is the seed: the configurations of one round see the same arrivals.
        parts = dataclasses.replace(parts, load=parts.load.open_loop(plan.arrivals_per_s, seed=plan.block))
    clock = parts.clock
    began_s, started_at = clock.monotonic_s(), clock.utc_now()
    underway = _Underway()

    def state(now: State) -> None:
        on_state(now, clock.monotonic_s() - began_s)

    figures: RunFigures | None = None
    evidence: Evidence
    try:
        state(State.STARTING)
        server = parts.launcher.start(plan.configuration, directory / "server.log")
        try:
            measurement, steady = _measure(plan, settings, parts, server, directory, underway, state)
        finally:
            try:
                state(State.STOPPING)
            finally:
                server.stop()
        figures = run_figures(measurement)
        if figures is None:
            raise _RunFailed(
                "no-requests",
                "no request completed within the window: the server accepts connections but does not answer "
                "in time; see the run's server.log, or give it a longer --window",
                {"window_s": settings.window_s, "started": len(measurement.requests.started_s)},
            )
        context = _context(plan, settings, parts, measurement, steady)
        findings = run_findings(measurement, figures, context)
    except ServerStartError as error:
        evidence = {"workers": plan.configuration.workers, "log": _last_line(error.log_tail)}
        what_to_do = "see the run's server.log, or raise --start-timeout if it only needs longer"
        findings = (_failure(error.code, f"{_first_line(error)}; {what_to_do}", evidence),)
    except LoadError as error:
        evidence = {"users": parts.load.users, "workers": plan.configuration.workers}
        what_to_do = "see the run's load.log; the run says nothing about the server"
        findings = (_failure("load-died", f"{_first_line(error)}; {what_to_do}", evidence),)
    except PoolNotAppliedError as error:
        evidence = {"workers": plan.configuration.workers}
        findings = (_failure("pool-size-not-applied", str(error), evidence),)
    except _RunFailed as error:
        findings = (_failure(error.code, str(error), error.evidence),)
    worth = verdict(findings)
    record = RunRecord(
        plan=plan,
        verdict=worth,
        started_at=started_at,
        elapsed_s=clock.monotonic_s() - began_s,
        figures=None if worth is Verdict.FAILED else figures,
        findings=findings,
    )
    return RunResult(record, underway.requests, tuple(underway.samples))


def _failure(code: str, message: str, evidence: Evidence) -> Finding:
    return Finding(code, Severity.ERROR, message.strip().partition("\n")[0], evidence)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _last_line(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else "(nothing)"


def _measure(
    plan: RunPlan,
    settings: RunSettings,
    parts: Parts,
    server: RunningServer,
    directory: Path,
    underway: _Underway,
    state: Callable[[State], None],
) -> tuple[Measurement, bool]:
    ready_s = server.wait_ready(settings.start_timeout_s)
    workers = plan.configuration.workers
    before = server.pool_stats()
    if before is not None and before.workers is not None and before.workers != workers:
        said = f"/stats/ reports executor_workers = {before.workers}"
        ignored = not_applied(workers, said, {"reported": before.workers})
        raise _RunFailed(ignored.code, ignored.message, ignored.evidence)
    speed = parts.host_speed.start(directory) if parts.host_speed is not None else None
    try:
        loaded = _under_load(settings, parts, server, directory, underway, state)
    finally:
        speed_log = speed.stop() if speed is not None else None
    measurement = Measurement(
        requests=loaded.requests,
        samples=tuple(underway.samples),
        window=loaded.window,
        users_on_s=loaded.users_on_s,
        ended_s=loaded.ended_s,
        ready_s=ready_s,
        pool=_pool_after(before, server.pool_stats()),
        speed=speed_log,
    )
    return measurement, loaded.steady


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What came of the load."""

    requests: RequestLog
    window: Window
    steady: bool
    users_on_s: float
    ended_s: float


def _under_load(
    settings: RunSettings,
    parts: Parts,
    server: RunningServer,
    directory: Path,
    underway: _Underway,
    state: Callable[[State], None],
) -> _Loaded:
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
    return _Loaded(underway.requests, window, steady, users_on_s, ended_s)


def _attach(telemetry: Telemetry, server: RunningServer, session: LoadSession) -> TelemetryProbe:
    try:
        return telemetry.attach(server.pid, session.pid)
    except ProcessLookupError:
        _check_alive(server, session)
        raise _server_died(server) from None


def _pool_after(before: PoolStats | None, after: PoolStats | None) -> PoolStats | None:
    """The pool at the end, its counters without what was counted before the load."""
    if after is None or before is None:
        return after
    return PoolStats(
        workers=after.workers,
        max_concurrency=after.max_concurrency,
        pending=after.pending,
        completed=None if after.completed is None else after.completed - (before.completed or 0),
        rejected=None if after.rejected is None else after.rejected - (before.rejected or 0),
    )


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
                    f"with: {_last_line(session.log_tail(5))}"
                )
            return now_s
        clock.sleep(POLL_S)


def _hold(
    settings: RunSettings,
    clock: Clock,
    server: RunningServer,
    session: LoadSession,
    probe: TelemetryProbe,
    underway: _Underway,
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
            f"the load generator ended early; its log ends with: {_last_line(session.log_tail(5))}"
        )


def _server_died(server: RunningServer) -> _RunFailed:
    last_line = _last_line(server.log_tail(5))
    return _RunFailed(
        "server-died",
        f"the server died under load; its log ends with: {last_line}; see the run's server.log, and free "
        "memory or use fewer --users if the kernel killed it",
        {"log": last_line},
    )


def _context(
    plan: RunPlan, settings: RunSettings, parts: Parts, measurement: Measurement, steady: bool
) -> RunContext:
    pool = measurement.pool
    counted = None
    # Only of our own users do we know that every request is a prediction; `/stats/` is one process's.
    ours = parts.load.mean_think_s is not None or plan.arrivals_per_s is not None
    comparable = ours and plan.configuration.processes == 1
    if comparable and pool is not None and pool.completed is not None:
        counted = pool.completed + (pool.rejected or 0)
    return RunContext(
        configuration=plan.configuration,
        users=parts.load.users,
        mean_think_s=parts.load.mean_think_s,
        max_error_rate=settings.max_error_rate,
        steady=steady,
        host_cores=settings.host_cores,
        responses_counted_by_server=counted,
        open_loop=plan.arrivals_per_s is not None,
    )
