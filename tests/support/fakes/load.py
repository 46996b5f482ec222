"""Users who are not there: a closed system of N of them, or arrivals at random, at one server."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sweeper.errors import LoadError
from sweeper.records.observations import FirstAnswer, RequestLog
from sweeper.records.run import RateStep
from sweeper.run.interfaces import LoadProgress
from tests.support.fakes.behaviour import Behaviour, generator

if TYPE_CHECKING:
    from tests.support.fakes.server import FakeServer
    from tests.support.fakes.world import World


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
        self._answered_s = np.zeros(users)  # each user's last request
        mean_think = sum(self._think) / 2
        least_s = behaviour.alone_ms / 1000 if users == 1 else 0.001
        self._mean_latency_s = max(0.001, least_s, users / behaviour.rps - mean_think)
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
        if self._behaviour.clock_goes_on:
            self.grow()
            later = np.maximum(np.maximum(self._answered_s, elapsed_s), self._next - lost_s)
            self._next = np.where(self._next > elapsed_s, later, self._next)
        if self._behaviour.fails_after_pauses:
            self.grow()
            since_s = self._started + self._latency - elapsed_s
            self._failed = self._failed | ((since_s > 0) & (since_s < 0.02))
        if self._behaviour.waits_outside:
            self.grow()
            ends_s = self._started + self._latency
            woken_s = elapsed_s + 0.004  # its server, a moment after the users
            sooner_s = np.where(ends_s > woken_s, np.maximum(woken_s, ends_s - lost_s), ends_s)
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
            self._answered_s[busy] = starts + latency
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

    def log(self, at_s: float, late_ms: float, error_status: int) -> RequestLog:
        started, latency, failed = self._known(at_s)
        finished = np.isfinite(latency)
        return RequestLog(
            started_s=self._on_the_wall(started),
            latency_ms=(self._on_the_wall(started + latency) - self._on_the_wall(started)) * 1000.0,
            status=np.where(finished, np.where(failed, error_status, 200), 0).astype(np.int64),
            response_bytes=np.where(finished, 2000, 0).astype(np.int64),
            failed=failed & finished,
            client_late_ms=1000.0
            * (
                self._on_the_wall(started + latency) - self._on_the_wall(started + latency - late_ms / 1000.0)
            ),
        )


class OpenTraffic(Traffic):
    """Requests that arrive at random at one server with a slot for each worker, first come first served."""

    def __init__(
        self,
        world: World,
        server: FakeServer,
        arrivals_per_s: float,
        seed: int,
        climb: Sequence[RateStep] = (),
    ) -> None:
        """Without a `climb` at one rate for ever, with one until its last request."""
        super().__init__(world, server.behaviour, server.run_id, world.users, (0.1, 0.5))
        self.arrivals_per_s = arrivals_per_s
        self._rates = [step.arrivals_per_s for step in climb for _ in range(step.requests)][::-1]
        self._climbs = bool(climb)
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
            if self._climbs and not self._rates:
                self._due_s = np.inf
                break
            rate = self._rates.pop() if self._climbs else self.arrivals_per_s
            self._due_s += float(self._gaps.exponential(1 / rate))
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

    log_left_out_bytes = 0

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
        log = self.traffic.log(at_s, behaviour.late_ms, behaviour.error_status)
        sizes = np.where(
            np.arange(len(log.started_s)) % 100 < 100 * behaviour.short_share, 20, log.response_bytes
        )
        return replace(
            log,
            torn_records=behaviour.torn_records,
            too_long=behaviour.too_long,
            given_up_after_bytes=1_048_600 if behaviour.too_long else None,
            events=behaviour.events,
            response_bytes=sizes,
        )

    def log_tail(self, lines: int = 20) -> str:
        return "locust says hello\nlocust says goodbye\n\n"

    def kill(self) -> None:
        self.kills += 1
        self._world.step("kill")


class FakeLoad:
    def __init__(
        self,
        world: World,
        arrivals: tuple[float, int] | None = None,
        users: int | None = None,
        climb: Sequence[RateStep] = (),
    ) -> None:
        self._world = world
        self._climb = climb
        self._arrivals = arrivals
        self.arrivals_per_s = None if arrivals is None else arrivals[0]
        self.users = 1 if arrivals is not None else users or world.users
        self._think_s = (0.02, 0.03) if users == 1 else world.think_s

    def with_users(self, users: int) -> FakeLoad:
        return FakeLoad(self._world, users=users)

    def among(self, runs: int) -> FakeLoad:
        return self

    def open_loop(self, arrivals_per_s: float, seed: int) -> FakeLoad:
        return FakeLoad(self._world, (arrivals_per_s, seed))

    def climbing(self, steps: Sequence[RateStep], seed: int) -> FakeLoad:
        return FakeLoad(self._world, (steps[0].arrivals_per_s, seed), climb=steps)

    @property
    def mean_think_s(self) -> float | None:
        think_s = self._think_s
        return None if think_s is None or self._arrivals is not None else sum(think_s) / 2

    def first_answer(self, base_url: str, timeout_s: float) -> FirstAnswer:
        self._world.step("first answer")
        behaviour = self._world.server_of(int(base_url.rpartition(":")[2])).behaviour
        self._world.clock.sleep(behaviour.alone_ms / 1000.0)
        return behaviour.answer

    def start(self, base_url: str, directory: Path) -> FakeSession:
        self._world.step("load start")
        if self._world.load_fails == "cannot start":
            raise LoadError("locust could not be started: no such file")
        server = self._world.server_of(int(base_url.rpartition(":")[2]))
        traffic = (
            Traffic(self._world, server.behaviour, server.run_id, self.users, self._think_s or (0.1, 0.5))
            if self._arrivals is None
            else OpenTraffic(self._world, server, *self._arrivals, self._climb)
        )
        if server.traffic is not None:
            server.answered_before += server.traffic.answered(errors=server.behaviour.counts_errors)
        session = FakeSession(self._world, server, traffic)
        self._world.sessions.append(session)
        return session
