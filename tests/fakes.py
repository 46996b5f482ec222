"""The outside world on a simulated clock: every Protocol of `sweeper.interfaces`, deterministic by seed.

A `World` holds the clock, what was started, and how servers behave. The load is a closed system of N
users, simulated user by user, so that throughput, latency and think time obey Little's law by themselves.
"""

from __future__ import annotations

import heapq
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from sweeper.answers import Recommendation, Search
from sweeper.errors import LoadError, ServerStartError
from sweeper.interfaces import LoadProgress
from sweeper.observations import FirstAnswer, PoolStats, RequestLog, ServerExit, TelemetrySample, UserEvents
from sweeper.records import Configuration, RunPlan, RunRecord
from sweeper.scenarios.outcome import Outcome
from sweeper.scenarios.terms import Scenario
from sweeper.study import Progress
from sweeper.under_load import Parts, State

LAG_PERIOD_S = 0.5
PREDICTIONS = FirstAnswer(200, "status 200", size_bytes=2000, predictions=100, rows=100)
NO_EVENTS = UserEvents()


@dataclass(frozen=True)
class Behaviour:
    """How one server behaves in one run. `rps` is what it can do with all users on."""

    rps: float = 140.0
    wobble: float = 0.0  # sd of the log of its speed from second to second
    ramp_share: float = 0.0  # how much slower it starts, fading with `ramp_s`
    ramp_s: float = 1.0
    trend_per_s: float = 0.0  # speed gained for ever
    pause: tuple[float, float] | None = None  # no completion from, to; seconds under load
    error_share: float = 0.0
    error_ms: float = 2.0
    error_status: int = 500
    counts_errors: bool = True  # in /stats/: whether failed requests went through the pool
    hangs: int = 0  # requests of the last users on that never finish
    ready_after_s: float = 1.0
    dies_at_start: bool = False
    dies_after_s: float | None = None  # seconds under load
    # honest, absent, fixed (says 4), lying (says what it is told, has 4), half-silent, passed-by
    pool: str = "honest"
    threads: Callable[[int], int] = lambda workers: workers + 10
    cpu_ms: float = 7.0
    voluntary: float = 10.0
    involuntary: float = 1.0
    run_delay_ms: float | None = 1.0
    client_cpu_ms: float = 0.7
    lag_ms: float = 0.5
    steal: float = 0.0
    other_cpu_cores: float = 0.0
    throttled_per_s: float = 0.0
    miscount: int = 0
    leaks_per_s: float = 0.0  # threads
    step: tuple[float, float] | None = None  # from then on, seconds under load, its speed is times that
    torn_records: int = 0
    waits_outside: bool = False  # what is under way goes on while the server is frozen
    answer: FirstAnswer = PREDICTIONS  # to one upload before the load
    short_share: float = 0.0  # of its answers under load
    events: UserEvents = NO_EVENTS  # in the load generator


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic_s(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now_s += seconds

    def utc_now(self) -> str:
        return datetime.fromtimestamp(1_700_000_000 + self.now_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Script = Callable[[Configuration, int, str], Behaviour]


@dataclass
class World:
    """`script(configuration, block, run_id)` says how the server of a run behaves.

    `interrupt_at` raises KeyboardInterrupt at that step; every call into a fake is a step. What starts
    something is interrupted before it, what stops something after it, as the real parts promise.
    """

    script: Script
    users: int = 100
    think_s: tuple[float, float] | None = (0.1, 0.5)
    waits_longer_s: float = 0.0  # than the load generator says
    seed: int = 0
    flush_s: float = 0.25
    load_fails: str = ""
    available_bytes: int | None = None
    interrupt_at: int | None = None
    clock: FakeClock = field(default_factory=FakeClock)
    steps: list[str] = field(default_factory=list)
    servers: list[FakeServer] = field(default_factory=list)
    sessions: list[FakeSession] = field(default_factory=list)

    def step(self, name: str) -> None:
        self.steps.append(name)
        if len(self.steps) == self.interrupt_at:
            raise KeyboardInterrupt

    def parts(self, *servers: str) -> Parts:
        """With a launcher for each server that scenarios name."""
        named = {name: FakeLauncher(self) for name in servers}
        return Parts(FakeLauncher(self), FakeLoad(self), FakeTelemetry(self), self.clock, servers=named)

    def server_of(self, pid: int) -> FakeServer:
        return next(server for server in self.servers if server.pid == pid)

    @property
    def left_running(self) -> list[object]:
        servers = [server for server in self.servers if server.stops == 0]
        return [*servers, *(session for session in self.sessions if session.kills == 0)]


def world_of(behaviour: Behaviour | dict[int, Behaviour], **options: object) -> World:
    """The same behaviour in every run, or one for each worker count."""
    if isinstance(behaviour, Behaviour):
        return World(lambda configuration, block, run_id: behaviour, **options)  # type: ignore[arg-type]
    table = behaviour
    return World(lambda configuration, block, run_id: table[configuration.workers], **options)  # type: ignore[arg-type]


def noisy(
    rps: dict[int, float], *, noise: float = 0.02, block_drift: float = 0.0, seed: int = 0, **options: object
) -> Script:
    """Throughput by workers, times a seeded log-normal error of each run and one of each block."""

    def script(configuration: Configuration, block: int, run_id: str) -> Behaviour:
        drift = generator(seed, f"block {block}").normal(0, block_drift)
        error = generator(seed, run_id).normal(0, noise)
        speed = rps[configuration.workers] * float(np.exp(drift + error))
        return Behaviour(rps=speed, **options)  # type: ignore[arg-type]

    return script


def generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


class FakeServer:
    def __init__(self, world: World, configuration: Configuration, block: int, run_id: str) -> None:
        self._world = world
        self.configuration = configuration
        self.run_id = run_id
        self.behaviour = world.script(configuration, block, run_id)
        self.started_s = world.clock.now_s
        self.traffic: Traffic | None = None
        self.frozen = False
        self.stops = 0
        self.pid = 1000 + len(world.servers)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.pid}"

    def wait_ready(self, timeout_s: float) -> float:
        self._world.step("wait_ready")
        if self.behaviour.dies_at_start:
            self._world.clock.sleep(0.5)
            raise ServerStartError("the server ended with exit code 3 before it was ready")
        if self.behaviour.ready_after_s > timeout_s:
            self._world.clock.sleep(timeout_s)
            raise ServerStartError(f"the server was not ready within {timeout_s:g} s")
        self._world.clock.sleep(self.behaviour.ready_after_s)
        return self.behaviour.ready_after_s

    @property
    def dead(self) -> bool:
        dies = self.behaviour.dies_after_s
        return dies is not None and self.traffic is not None and self.traffic.elapsed_s() >= dies

    def alive(self) -> bool:
        self._world.step("alive")
        return self.stops == 0 and not self.dead

    def pool_stats(self) -> PoolStats | None:
        self._world.step("pool_stats")
        behaviour, asked = self.behaviour, self.configuration.workers
        if behaviour.pool == "absent":
            return None
        if behaviour.pool == "half-silent":
            return PoolStats(completed=self._completed())
        if behaviour.pool == "passed-by":
            return PoolStats(workers=asked, max_concurrency=0, pending=0, completed=7, rejected=0)
        size = asked if behaviour.pool == "honest" else 4
        return PoolStats(
            workers=4 if behaviour.pool == "fixed" else asked,
            max_concurrency=min(size, self.traffic.most_in_flight()) if self.traffic else 0,
            pending=0,
            completed=self._completed(),
            rejected=0,
        )

    def _completed(self) -> int:
        if self.traffic is None:
            return 7  # of somebody's smoke test before the load
        return 7 + self.traffic.answered(errors=self.behaviour.counts_errors) + self.behaviour.miscount

    def log_tail(self, lines: int = 20) -> str:
        return "Traceback (most recent call last):\n  in the middle\nMemoryError\nKilled\n"

    def freeze(self) -> None:
        self._world.step("freeze")
        self.frozen = True

    def thaw(self) -> None:
        self._world.step("thaw")
        self.frozen = False

    def stop(self, grace_s: float = 10.0) -> ServerExit:
        self.stops += 1
        self._world.clock.sleep(0.1)
        self._world.step("stop")
        return ServerExit(return_code=-15, stopped_in_s=0.1, killed=False)


class FakeLauncher:
    name = "fake"

    def __init__(self, world: World) -> None:
        self._world = world

    def among(self, runs: int) -> FakeLauncher:
        return self

    def start(self, configuration: Configuration, log_path: Path) -> FakeServer:
        self._world.step("launch")
        assert all(server.frozen or server.stops for server in self._world.servers), "two servers run at once"
        run_id = log_path.parent.name
        found = re.search(r"(?:^\w|-b)(\d\d)", run_id)
        block = int(found[1]) if found else 1
        server = FakeServer(self._world, configuration, block, run_id)
        self._world.servers.append(server)
        return server


class Traffic:
    """What N users do to one server; grown as far as it is looked at."""

    def __init__(
        self, world: World, behaviour: Behaviour, run_id: str, users: int, think_s: tuple[float, float]
    ) -> None:
        self._clock = world.clock
        self._behaviour = behaviour
        self._think = tuple(wait + world.waits_longer_s for wait in think_s)
        self._random = generator(world.seed, f"traffic {run_id}")
        self.begun_s = world.clock.now_s
        self._next = self._random.uniform(0.0, 0.05, users)
        mean_think = sum(self._think) / 2
        self._mean_latency_s = max(0.001, users / behaviour.rps - mean_think)
        self._cycle_s = users / behaviour.rps
        self._speed = np.exp(self._random.normal(0.0, behaviour.wobble, 4000))
        self._grown_s = 0.0
        self._started = np.empty(0)
        self._latency = np.empty(0)
        self._failed = np.empty(0, bool)
        self._chunks: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.stopped_s: float | None = None
        self._frozen_at_s: float | None = None
        self._gaps_s: list[tuple[float, float]] = []  # when it stood still, and for how long

    def elapsed_s(self) -> float:
        """Under load; the clock stands still while the load is frozen."""
        now_s = self._clock.now_s if self._frozen_at_s is None else self._frozen_at_s
        return now_s - self.begun_s - sum(lost_s for _, lost_s in self._gaps_s)

    def freeze(self) -> None:
        self._frozen_at_s = self._clock.now_s

    def thaw(self) -> None:
        assert self._frozen_at_s is not None
        elapsed_s, lost_s = self.elapsed_s(), self._clock.now_s - self._frozen_at_s
        self._frozen_at_s = None
        self._gaps_s.append((elapsed_s, lost_s))
        if self._behaviour.waits_outside:
            self.grow()
            ends_s = self._started + self._latency
            sooner_s = np.where(ends_s > elapsed_s, np.maximum(elapsed_s, ends_s - lost_s), ends_s)
            self._latency = sooner_s - self._started

    def _on_the_wall(self, elapsed_s: np.ndarray) -> np.ndarray:
        """Moments of CLOCK_MONOTONIC, as the load generator logs them."""
        moments_s = self.begun_s + elapsed_s
        for at_s, lost_s in self._gaps_s:
            moments_s = moments_s + np.where(elapsed_s > at_s, lost_s, 0.0)
        return moments_s

    def grow(self) -> None:
        """Every request started until now (or until the load was stopped)."""
        until = self.elapsed_s() if self.stopped_s is None else self.stopped_s
        if until <= self._grown_s:
            return
        self._grown_s = until
        while (busy := np.flatnonzero(self._next <= until)).size:
            starts = self._next[busy]
            latency, failed = self._serve(starts, busy)
            self._chunks.append((starts, latency, failed))
            self._next[busy] = starts + latency + self._random.uniform(*self._think, len(busy))
        parts = [(self._started, self._latency, self._failed), *self._chunks]
        self._chunks = []
        started, latency, failed = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(started, kind="stable")
        self._started, self._latency, self._failed = started[order], latency[order], failed[order]

    def _serve(self, starts: np.ndarray, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        behaviour = self._behaviour
        speed = self._speed[starts.astype(int)] * (
            1 - behaviour.ramp_share * np.exp(-starts / behaviour.ramp_s)
        )
        speed = speed * (1 + behaviour.trend_per_s * starts)
        if behaviour.step is not None:
            speed = np.where(starts >= behaviour.step[0], speed * behaviour.step[1], speed)
        # A slower server stretches the whole cycle: all of it falls on the latency.
        mean = np.maximum(self._mean_latency_s + self._cycle_s * (1 / speed - 1), 0.001)
        latency = mean * self._random.gamma(20.0, 1 / 20.0, len(starts))
        failed = self._random.random(len(starts)) < behaviour.error_share
        latency = np.where(failed, behaviour.error_ms / 1000.0, latency)
        if behaviour.pause is not None:
            begin, end = behaviour.pause
            finish = starts + latency
            held = (finish >= begin) & (starts < end)
            latency = np.where(held, latency + (end - begin), latency)
        hung = users >= len(self._next) - behaviour.hangs
        latency = np.where(hung & (starts > 8.0), 1e6, latency)
        return latency, failed

    def _known(self, at_s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Started, latency and failed of requests started by `at_s`; NaN where not finished by then."""
        self.grow()
        count = int(np.searchsorted(self._started, at_s, side="right"))
        started, latency = self._started[:count], self._latency[:count]
        return started, np.where(started + latency <= at_s, latency, np.nan), self._failed[:count]

    def progress(self) -> LoadProgress:
        started, latency, failed = self._known(self.elapsed_s())
        finished = np.isfinite(latency)
        return LoadProgress(len(started), int(finished.sum()), int((finished & failed).sum()))

    def answered(self, *, errors: bool) -> int:
        _, latency, failed = self._known(self.elapsed_s())
        finished = np.isfinite(latency)
        return int(finished.sum() if errors else (finished & ~failed).sum())

    def most_in_flight(self) -> int:
        started, latency, _ = self._known(self.elapsed_s())
        finished = np.sort((started + latency)[np.isfinite(latency)])
        return int((np.arange(1, len(started) + 1) - np.searchsorted(finished, started)).max(initial=0))

    def stop(self, timeout_s: float) -> None:
        self.grow()
        self.stopped_s = self.elapsed_s()
        last = float((self._started + self._latency).max(initial=0.0))
        self._clock.sleep(min(max(0.0, last - self.stopped_s), timeout_s) + 0.001)

    def log(self, at_s: float, lag_ms: float, error_status: int) -> RequestLog:
        started, latency, failed = self._known(at_s)
        finished = np.isfinite(latency)
        lags = np.arange(0.0, at_s, LAG_PERIOD_S)
        return RequestLog(
            started_s=self._on_the_wall(started),
            latency_ms=(self._on_the_wall(started + latency) - self._on_the_wall(started)) * 1000.0,
            status=np.where(finished, np.where(failed, error_status, 200), 0).astype(np.int64),
            response_bytes=np.where(finished, 2000, 0).astype(np.int64),
            failed=failed & finished,
            lag_at_s=self._on_the_wall(lags),
            lag_s=self._on_the_wall(lags) - self._on_the_wall(lags - lag_ms / 1000.0),
        )


class OpenTraffic(Traffic):
    """Requests that arrive at random at one server with a slot for each worker, first come first served."""

    def __init__(self, world: World, server: FakeServer, arrivals_per_s: float, seed: int) -> None:
        super().__init__(world, server.behaviour, server.run_id, world.users, (0.1, 0.5))
        self.arrivals_per_s = arrivals_per_s
        self._gaps = np.random.default_rng(seed)
        workers = server.configuration.workers
        self._slots = [0.0] * workers
        self._mean_service_s = workers / server.behaviour.rps
        self._due_s = 0.0

    def grow(self) -> None:
        until = self.elapsed_s() if self.stopped_s is None else self.stopped_s
        rows: list[tuple[float, float, bool]] = []
        while self._due_s <= until:
            if self._due_s > 0.0:
                rows.append((self._due_s, *self._answer(self._due_s)))
            self._due_s += float(self._gaps.exponential(1 / self.arrivals_per_s))
        if rows:
            started, latency, failed = map(np.array, zip(*rows, strict=True))
            self._started = np.concatenate((self._started, started))
            self._latency = np.concatenate((self._latency, latency))
            self._failed = np.concatenate((self._failed, failed))

    def _answer(self, due_s: float) -> tuple[float, bool]:
        if self._random.random() < self._behaviour.error_share:
            return self._behaviour.error_ms / 1000.0, True
        begin = max(due_s, heapq.heappop(self._slots))
        end = begin + self._mean_service_s * float(self._random.gamma(20.0, 1 / 20.0))
        heapq.heappush(self._slots, end)
        return end - due_s, False


class FakeSession:
    def __init__(self, world: World, server: FakeServer, traffic: Traffic) -> None:
        self._world = world
        self._behaviour = server.behaviour
        self.traffic = server.traffic = traffic
        self.kills = 0
        self.pid = 5000 + len(world.sessions)

    def alive(self) -> bool:
        self._world.step("load alive")
        return (self.kills == 0 and self._world.load_fails != "dies") or self.traffic.elapsed_s() < 5.0

    def progress(self) -> LoadProgress:
        self._world.step("progress")
        if self._world.load_fails == "never starts":
            return LoadProgress(0, 0, 0)
        return replace(self.traffic.progress(), ended=self._behaviour.events.ended)

    def freeze(self) -> None:
        self._world.step("freeze load")
        self.traffic.freeze()

    def thaw(self, stood_still_s: float) -> None:
        self._world.step("thaw load")
        self.traffic.thaw()

    def drain(self, timeout_s: float) -> None:
        self._world.step("drain")
        self.traffic.stop(timeout_s)

    def requests(self) -> RequestLog:
        self._world.step("requests")
        if self._world.load_fails == "unreadable":
            raise LoadError("the load generator's log is unreadable")
        behaviour, now_s = self._behaviour, self.traffic.elapsed_s()
        at_s = now_s if self.traffic.stopped_s is not None else now_s - now_s % max(self._world.flush_s, 1e-9)
        log = self.traffic.log(at_s, behaviour.lag_ms, behaviour.error_status)
        sizes = np.where(
            np.arange(len(log.started_s)) % 100 < 100 * behaviour.short_share, 20, log.response_bytes
        )
        return replace(
            log, torn_records=behaviour.torn_records, events=behaviour.events, response_bytes=sizes
        )

    def log_tail(self, lines: int = 20) -> str:
        return "locust says hello\nlocust says goodbye\n\n"

    def kill(self) -> None:
        self.kills += 1
        self._world.step("kill")


class FakeLoad:
    def __init__(
        self, world: World, arrivals: tuple[float, int] | None = None, users: int | None = None
    ) -> None:
        self._world = world
        self._arrivals = arrivals
        self.users = 1 if arrivals is not None else users or world.users
        self._think_s = (0.02, 0.03) if users == 1 else world.think_s

    def with_users(self, users: int) -> FakeLoad:
        return FakeLoad(self._world, users=users)

    def among(self, runs: int) -> FakeLoad:
        return self

    def open_loop(self, arrivals_per_s: float, seed: int) -> FakeLoad:
        return FakeLoad(self._world, (arrivals_per_s, seed))

    @property
    def mean_think_s(self) -> float | None:
        think_s = self._think_s
        return None if think_s is None or self._arrivals is not None else sum(think_s) / 2

    def first_answer(self, base_url: str, timeout_s: float) -> FirstAnswer:
        self._world.step("first answer")
        return self._world.server_of(int(base_url.rpartition(":")[2])).behaviour.answer

    def start(self, base_url: str, directory: Path) -> FakeSession:
        self._world.step("load start")
        if self._world.load_fails == "cannot start":
            raise LoadError("locust could not be started: no such file")
        server = self._world.server_of(int(base_url.rpartition(":")[2]))
        traffic = (
            Traffic(self._world, server.behaviour, server.run_id, self.users, self._think_s or (0.1, 0.5))
            if self._arrivals is None
            else OpenTraffic(self._world, server, *self._arrivals)
        )
        session = FakeSession(self._world, server, traffic)
        self._world.sessions.append(session)
        return session


class FakeTelemetry:
    def __init__(self, world: World) -> None:
        self._world = world

    def available_bytes(self) -> int | None:
        self._world.step("available")
        return self._world.available_bytes

    def attach(self, server_pid: int, client_pid: int) -> FakeProbe:
        self._world.step("attach")
        server = self._world.server_of(server_pid)
        if server.dead:
            raise ProcessLookupError(server_pid)
        return FakeProbe(self._world, server)


class FakeProbe:
    def __init__(self, world: World, server: FakeServer) -> None:
        self._world = world
        self._server = server

    def sample(self) -> TelemetrySample:
        self._world.step("sample")
        if self._server.dead:
            raise ProcessLookupError(self._server.pid)
        behaviour, traffic = self._server.behaviour, self._server.traffic
        assert traffic is not None
        done, elapsed_s = traffic.progress().finished, traffic.elapsed_s()
        # What others do while it stands still is in the host's counters alone.
        others_s = self._world.clock.now_s - traffic.begun_s - elapsed_s
        server_s, client_s = done * behaviour.cpu_ms / 1000, done * behaviour.client_cpu_ms / 1000
        delay = behaviour.run_delay_ms
        return TelemetrySample(
            at_s=self._world.clock.now_s,
            server_user_cpu_s=server_s * 0.8,
            server_system_cpu_s=server_s * 0.2,
            server_rss_bytes=200_000_000,
            server_peak_rss_bytes=210_000_000,
            server_threads=behaviour.threads(self._server.configuration.workers)
            + int(behaviour.leaks_per_s * elapsed_s),
            server_processes=1,
            server_voluntary_switches=round(done * behaviour.voluntary),
            server_involuntary_switches=round(done * behaviour.involuntary),
            server_run_delay_s=None if delay is None else done * delay / 1000,
            client_cpu_s=client_s,
            client_threads=3,
            host_context_switches=round(done * 15 + 1000 * elapsed_s + 5000 * others_s),
            host_busy_cpu_s=server_s + client_s + behaviour.other_cpu_cores * elapsed_s + 2.0 * others_s,
            host_steal_s=behaviour.steal * elapsed_s + 0.3 * others_s,
            host_cpu_pressure_s=None,
            cgroup_throttled_periods=round(behaviour.throttled_per_s * elapsed_s) + round(10 * others_s),
            cgroup_throttled_s=None,
        )


class MemoryStore:
    """Records in a list; `folders` says which run directories were asked for."""

    def __init__(self, records: tuple[RunRecord, ...] = ()) -> None:
        self.saved = list(records)
        self.folders: list[str] = []

    def run_directory(self, run_id: str) -> Path:
        self.folders.append(run_id)
        return Path("runs") / run_id

    def save(
        self, record: RunRecord, requests: RequestLog | None, telemetry: tuple[TelemetrySample, ...]
    ) -> None:
        assert record.plan.run_id not in {saved.plan.run_id for saved in self.saved}
        self.saved.append(record)

    def records(self) -> tuple[RunRecord, ...]:
        return tuple(self.saved)


class Watching:
    """An observer that keeps what it was told."""

    def __init__(self) -> None:
        self.states: list[tuple[str, State]] = []
        self.progress: list[Progress] = []
        self.finished: list[RunRecord] = []
        self.blocks: list[tuple[int, Recommendation]] = []
        self.dropped: list[tuple[Configuration, int, str]] = []
        self.rounds: list[tuple[int, Search]] = []
        self.waits: list[str] = []
        self.looks: list[tuple[Scenario, int, Outcome]] = []

    def runs_started(self, plans: Sequence[RunPlan], progress: Progress) -> None:
        self.progress.append(progress)

    def run_state(self, plan: RunPlan, state: State, elapsed_s: float) -> None:
        self.states.append((plan.run_id, state))

    def run_finished(self, record: RunRecord) -> None:
        self.finished.append(record)

    def block_finished(self, block: int, so_far: Recommendation) -> None:
        self.blocks.append((block, so_far))

    def eliminated(self, configuration: Configuration, block: int, why: str) -> None:
        self.dropped.append((configuration, block, why))

    def round_finished(self, number: int, so_far: Search) -> None:
        self.rounds.append((number, so_far))

    def waiting(self, why: str) -> None:
        self.waits.append(why)

    def scenario_look(self, scenario: Scenario, block: int, so_far: Outcome) -> None:
        self.looks.append((scenario, block, so_far))
