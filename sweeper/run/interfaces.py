"""The outside world as Protocols: server, load, telemetry, clock and store, each with a fake in tests.

`Parts` is what of it a run needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeVar

from sweeper.records.claims import Claim, Shared
from sweeper.records.configuration import Configuration
from sweeper.records.observations import (
    FirstAnswer,
    PoolStats,
    QuotaPeriods,
    RequestLog,
    ServerExit,
    SpeedLog,
    TelemetrySample,
)
from sweeper.records.run import RateStep, RunPlan, RunRecord
from sweeper.records.search import Search
from sweeper.run.timing import STOP_GRACE_S

Result = TypeVar("Result")


class Clock(Protocol):
    def monotonic_s(self) -> float:
        """Seconds of CLOCK_MONOTONIC."""

    def sleep(self, seconds: float) -> None: ...

    def utc_now(self) -> str:
        """The moment as ISO 8601 in UTC, to the second."""


class RunningServer(Protocol):
    @property
    def pid(self) -> int | None:
        """None: it is on another machine."""

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:PORT`, no trailing slash."""

    def wait_ready(self, timeout_s: float) -> float:
        """Wait for a 200 on the ready path from a live process; seconds since start.

        Raises ServerStartError when the process dies (at once) or the time runs out.
        """

    def alive(self) -> bool: ...

    def memory_kills(self) -> int | None:
        """How many of its processes the kernel has killed for want of memory, also after its end; None: the
        kernel does not tell."""

    def pool_stats(self) -> PoolStats | None:
        """What `/stats/` says of the pool; None when there is no such page or no answer."""

    @property
    def log_left_out_bytes(self) -> int:
        """When it has ended: how much of its log was too much to keep."""

    def log_tail(self, lines: int = 20) -> str: ...

    @property
    def stands_still(self) -> bool:
        """Whether `freeze` stops it; known once it is ready."""

    def freeze(self) -> None:
        """Stop all its processes where they are, until `thaw`."""

    def thaw(self) -> None:
        """Let them go on. Does nothing to a server that runs."""

    def begin_stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """As `stop`, without waiting for it: several servers then end at the same time."""

    def stop(self, grace_s: float = STOP_GRACE_S) -> ServerExit:
        """TERM, wait, KILL, for the whole group, also when it is frozen. Idempotent."""


class Launcher(Protocol):
    @property
    def name(self) -> str: ...

    def among(self, runs: int) -> Launcher:
        """The same launcher for servers of which so many take turns: what they wait for by the wall clock
        may take that many times as long."""

    def start(self, configuration: Configuration, log_path: Path) -> RunningServer:
        """Start a fresh server process; returns at once. Raises ServerStartError."""


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """What the load generator has logged so far, for the live line and early abort."""

    started: int  # requests, as the next two
    finished: int
    failed: int
    ended: int = 0  # users that ended by themselves


class LoadSession(Protocol):
    @property
    def pid(self) -> int: ...

    def alive(self) -> bool: ...

    def progress(self) -> LoadProgress:
        """Reads what was appended to the log since the last call."""

    def freeze(self) -> None:
        """Stop it where it is, requests under way and all, until `thaw`."""

    def thaw(self, stood_still_s: float) -> None:
        """Let it go on, after it has stood still for so long in all: its users' waits leave that out."""

    def drain(self, timeout_s: float) -> None:
        """Stop starting requests, wait for those in flight (bounded), end the process."""

    def requests(self) -> RequestLog:
        """All requests so far; after `drain`, for good. Raises LoadError when the log is unreadable."""

    @property
    def log_left_out_bytes(self) -> int:
        """When it has ended: how much of its log was too much to keep."""

    def log_tail(self, lines: int = 20) -> str: ...

    def kill(self) -> None:
        """End the whole process group now. Idempotent."""


class LoadGenerator(Protocol):
    @property
    def users(self) -> int: ...

    @property
    def arrivals_per_s(self) -> float | None:
        """Requests that arrive at random, in an open loop; None: users who wait for each answer."""

    @property
    def mean_think_s(self) -> float | None:
        """Mean wait between a user's requests; None when a custom locustfile, or no user, decides it."""

    def with_users(self, users: int) -> LoadGenerator:
        """The same load by so many users. One by itself waits next to nothing between its requests: it is
        there for the latency of a server that has nothing else to do."""

    def open_loop(self, arrivals_per_s: float, seed: int) -> LoadGenerator:
        """The same request without users: arriving at random at that rate, whatever becomes of those
        before, latency from the intended arrival. UsageError where the load is a locustfile of the user's.
        """

    def climbing(self, steps: Sequence[RateStep], seed: int) -> LoadGenerator:
        """As `open_loop`, at one rate after the other; nothing arrives after the last. Gaps between arrivals
        are the same for the same seed, but for the rate. UsageError likewise."""

    def among(self, runs: int) -> LoadGenerator:
        """The same load, patient enough to be one of so many that take turns: what it waits for by the
        wall clock may take that many times as long."""

    def first_answer(self, base_url: str, timeout_s: float) -> FirstAnswer | None:
        """What one of its requests brings before there is any load, within `timeout_s` for each of a few
        attempts; None where only the user's locustfile knows what to send."""

    def start(self, base_url: str, directory: Path) -> LoadSession:
        """Start all users at once against `base_url`; logs go to `directory`. Raises LoadError."""


class TelemetryProbe(Protocol):
    def sample(self) -> TelemetrySample:
        """Read /proc now. Raises ProcessLookupError when the server is gone."""

    def quota_periods(self) -> QuotaPeriods | None:
        """When the periods of the server's CPU quota begin, found by watching them for some of them; None
        without a quota, or where none began meanwhile."""

    def why_unknown(self) -> str | None:
        """Why the server did not report its CPU time or memory; None: it reported both, or sweeper did not
        ask."""


class Telemetry(Protocol):
    def attach(self, server_pid: int | None, client_pid: int) -> TelemetryProbe:
        """Without a server's pid, samples are of the load generator alone. Raises ProcessLookupError."""

    def available_bytes(self) -> int | None:
        """How much memory can still be used without swapping; None when it is not known."""


class SpeedProbe(Protocol):
    def read(self) -> SpeedLog | None:
        """What it has timed so far; None when it could not run."""

    def stop(self) -> None:
        """End the probe. Idempotent."""


class HostSpeed(Protocol):
    def start(self, directory: Path) -> SpeedProbe:
        """Start the probe of the host's speed; its log stays in `directory`. Never raises for a host
        that cannot give one: the covariate is then unavailable."""


class RunStore(Protocol):
    """Where a study's runs are kept. `save` returns only when everything is durable."""

    def run_directory(self, run_id: str) -> Path: ...

    def save(
        self,
        record: RunRecord,
        requests: RequestLog | None,
        telemetry: tuple[TelemetrySample, ...],
    ) -> None: ...

    def records(self) -> tuple[RunRecord, ...]: ...


class SharedStore(RunStore, Protocol):
    """Where a study is kept on which several hosts work. `save` raises ClaimLostError where the claim that a
    run belongs to was taken over meanwhile."""

    def seen(self) -> Shared:
        """What there is of the study now."""

    def take(self, choose: Callable[[Shared], Claim | None]) -> Claim | None:
        """Claim what `choose` names (None: nothing), given what there is of the study. Meanwhile no other
        host claims or records anything. A claim that exists already is taken up again."""

    def holding(self, claim: Claim) -> AbstractContextManager[None]:
        """Meanwhile the others know that this host is alive."""

    def alone(self) -> AbstractContextManager[None]:
        """Meanwhile no other host claims or records anything."""

    def patiently(self, act: Callable[[], Result]) -> Result:
        """What `act` gives, which may be begun anew: a database that is away for a while is waited for."""


class TrialLog(Protocol):
    """Where a search's trials can be watched and read by others (Optuna's own tables). It is made from the
    runs, and never the other way round."""

    def keep(self, search: Search, runs: Sequence[RunRecord], *, finished: bool) -> None:
        """Bring it in line with `search` and its closed-loop `runs`. With `finished` no run will follow.
        Raises StoreError."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The outside things a run is made of."""

    launcher: Launcher
    load: LoadGenerator
    telemetry: Telemetry
    clock: Clock
    host_speed: HostSpeed | None = None  # None: the covariate is not measured
    servers: Mapping[str, Launcher] = field(default_factory=dict)  # of scenarios, by the server's name

    def among(self, runs: int) -> Parts:
        """The same for one of so many runs that take turns."""
        return replace(
            self,
            launcher=self.launcher.among(runs),
            load=self.load.among(runs),
            servers={name: launcher.among(runs) for name, launcher in self.servers.items()},
        )

    def of(self, plan: RunPlan) -> Parts:
        """Those of one run: its server, its users, or its arrivals."""
        if plan.case is not None:
            load = self.load.with_users(plan.case.users)
            return replace(self, launcher=self.servers[plan.case.server], load=load)
        rate = self.load.arrivals_per_s if plan.arrivals_per_s is None else plan.arrivals_per_s
        if plan.load is not None and rate is None:
            return replace(self, load=self.load.with_users(round(plan.load)))
        rate = rate if plan.load is None else plan.load
        if rate is not None:
            # The block, or the round, is the seed: its configurations see the same arrivals.
            return replace(self, load=self.load.open_loop(rate, seed=plan.block))
        return self
