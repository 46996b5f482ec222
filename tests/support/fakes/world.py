"""The world itself: its clock, its parts, and what was started in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from sweeper.run.interfaces import Parts
from tests.support.fakes.behaviour import Behaviour, Script
from tests.support.fakes.load import FakeLoad, FakeSession
from tests.support.fakes.server import FakeLauncher, FakeServer
from tests.support.fakes.telemetry import FakeTelemetry


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
