"""Faults put into a real run: its parts, wrapped so that something goes wrong at a known moment.

The truth server runs in its own process, locust is real, /proc is read for real. What is injected acts on
those processes by pid and ends with them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sweeper.cli.wiring import SystemClock
from sweeper.launch import CommandLauncher
from sweeper.launch.launchers import ServerLauncher
from sweeper.load import LocustGenerator
from sweeper.records.configuration import Configuration
from sweeper.records.observations import FirstAnswer
from sweeper.records.run import RunPlan
from sweeper.run.interfaces import LoadSession, Parts
from sweeper.run.run import RunResult
from sweeper.run.timing import RunSettings
from sweeper.run.under_load import RunState
from sweeper.telemetry import ProcTelemetry
from tests.support.one_run import execute_run

# Five seconds are the fewest that MSER-5 can judge, the last quarter of one being not yet written.
SETTINGS = RunSettings(
    window_s=2.0,
    warmup_s=3.0,
    warmup_cap_s=3.0,
    drain_s=8.0,
    start_timeout_s=60.0,
    host_cores=os.cpu_count() or 1,
)
# What a busy machine may add to any run, whatever is injected. test_alone.py leaves none of it a way in.
OF_THE_MACHINE = frozenset(
    {
        "client-saturated",
        "drift",
        "littles-law",
        "no-steady-state",
        "pressure",
        "stalled",
        "steal",
        "throttled",
    }
)
ATTEMPTS = 2


@dataclass
class Injection:
    """What a test does to a run. Each hook may start `pulse`, which is stopped before the run ends."""

    on_load: Callable[[Injection], None] = lambda injection: None
    on_window: Callable[[Injection], None] = lambda injection: None
    after_drain: Callable[[Injection], None] = lambda injection: None
    claimed_users: int | None = None
    server_pid: int = 0
    server_url: str = ""
    load_pid: int = 0
    raw_log: Path = Path()
    ended: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def beside(self, act: Callable[[], None]) -> None:
        """Run `act` beside the measurement; it should end soon once `ended` is set."""
        thread = threading.Thread(target=act)
        self.threads.append(thread)
        thread.start()

    def stop(self) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()


@dataclass
class _Session:
    """A LocustSession whose start, end and log the injection knows of."""

    inner: LoadSession
    injection: Injection

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def drain(self, timeout_s: float) -> None:
        self.injection.stop()
        self.inner.drain(timeout_s)
        self.injection.after_drain(self.injection)


@dataclass
class _Load:
    inner: LocustGenerator
    injection: Injection

    @property
    def users(self) -> int:
        return self.injection.claimed_users or self.inner.users

    @property
    def arrivals_per_s(self) -> float | None:
        return self.inner.arrivals_per_s

    @property
    def mean_think_s(self) -> float | None:
        return self.inner.mean_think_s

    def first_answer(self, base_url: str, timeout_s: float) -> FirstAnswer | None:
        return self.inner.first_answer(base_url, timeout_s)

    def start(self, base_url: str, directory: Path) -> _Session:
        session = self.inner.start(base_url, directory)
        self.injection.server_url = base_url
        self.injection.load_pid = session.pid
        self.injection.raw_log = directory / "requests.raw"
        self.injection.on_load(self.injection)
        return _Session(session, self.injection)


@dataclass
class _Launcher:
    inner: ServerLauncher
    injection: Injection
    name: str = "command"

    def start(self, configuration: Configuration, log_path: Path) -> object:
        server = self.inner.start(configuration, log_path)
        self.injection.server_pid = server.pid
        return server


def real_run(
    directory: Path,
    *server_options: object,
    workers: int = 4,
    processes: int = 1,
    users: int = 80,
    wait_s: tuple[float, float] = (0.1, 0.5),
    load_processes: int = 1,
    settings: RunSettings = SETTINGS,
    injection: Injection | None = None,
    locustfile: Path | None = None,
    max_answer_bytes: int = 1 << 26,
    max_memory_bytes: int | None = None,
    launcher: ServerLauncher | None = None,
) -> RunResult:
    """One real run on a truth server with `server_options`, or on the one of a `launcher`."""
    injection = injection or Injection()
    data = directory / "rows.csv"
    data.write_text("a,b\n" + "1.0,2.0\n" * 100)
    server = f"{sys.executable} -m tests.support.truth.sleep_server --port {{port}} --workers {{workers}}"
    launcher = launcher or CommandLauncher(" ".join([server, *map(str, server_options)]))
    load = LocustGenerator(
        users=users,
        data_path=data,
        wait_s=wait_s,
        processes=load_processes,
        locustfile=locustfile,
        max_answer_bytes=max_answer_bytes,
        max_memory_bytes=max_memory_bytes,
    )
    settings = replace(settings, load_processes=load_processes)
    parts = Parts(_Launcher(launcher, injection), _Load(load, injection), ProcTelemetry(), SystemClock())  # type: ignore[arg-type]
    seen: list[RunState] = []

    def on_state(state: RunState, elapsed_s: float) -> None:
        if state is RunState.MEASURING and state not in seen:
            seen.append(state)
            injection.on_window(injection)

    plan = RunPlan("b01-01", 1, 1, Configuration(workers, processes=processes))
    try:
        return execute_run(plan, settings, parts, directory, on_state)
    finally:
        injection.stop()


def check_trips(
    expected: set[str], run: Callable[[], RunResult], follows: frozenset[str] = frozenset()
) -> RunResult:
    """The fault trips all of `expected` in every attempt, and in one of them nothing else (but `follows`).

    If the machine is busy in every attempt, the codes that a busy machine alone causes are accepted too.
    """
    extra: set[str] = set()
    for _ in range(ATTEMPTS):
        result = run()
        codes = {finding.code for finding in result.record.findings}
        assert expected <= codes, result.record.findings
        extra = codes - expected - follows
        if not extra:
            return result
    assert extra <= OF_THE_MACHINE, extra
    return result


def pulses(pid: int, stopped_s: float, running_s: float, ended: threading.Event) -> None:
    """Take the process off its cores again and again; it runs at the end."""
    try:
        while not ended.is_set():
            with stopped(pid):
                time.sleep(stopped_s)
            ended.wait(running_s)
    except ProcessLookupError:
        return


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Not on any core within the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def longer(window_s: float, **changes: object) -> RunSettings:
    return replace(SETTINGS, window_s=window_s, **changes)  # type: ignore[arg-type]
