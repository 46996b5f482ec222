"""Servers that are not there, and what starts them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.errors import ServerStartError
from sweeper.records.configuration import Configuration
from sweeper.records.observations import PoolStats, ServerExit
from tests.support.fakes.load import Traffic

if TYPE_CHECKING:
    from tests.support.fakes.world import World


class FakeServer:
    def __init__(self, world: World, configuration: Configuration, block: int, run_id: str) -> None:
        self._world = world
        self.configuration = configuration
        self.run_id = run_id
        self.behaviour = world.script(configuration, block, run_id)
        self.started_s = world.clock.now_s
        self.traffic: Traffic | None = None
        self.answered_before = 0  # of earlier loads
        self.frozen = False
        self.stops = 0
        self.pid = 1000 + len(world.servers)
        self.frozen_s: list[float] = []
        self.thawed_s: list[float] = []

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
            return PoolStats(workers=asked, max_concurrency=0, completed=7, rejected=0)
        size = asked if behaviour.pool == "honest" else 4
        return PoolStats(
            workers=4 if behaviour.pool == "fixed" else asked,
            max_concurrency=min(size, self.traffic.most_in_flight()) if self.traffic else 0,
            completed=self._completed(),
            rejected=0,
            processes=behaviour.counts_of_processes,
            gate=4 if behaviour.pool == "gated" else None,
        )

    def _completed(self) -> int:
        if self.traffic is None:
            return 7  # of somebody's smoke test before the load
        return (
            7
            + self.answered_before
            + self.traffic.answered(errors=self.behaviour.counts_errors)
            + self.behaviour.miscount
        )

    def memory_kills(self) -> int | None:
        return 1 if self.dead and self.behaviour.killed_for_memory else 0

    def log_tail(self, lines: int = 20) -> str:
        return "Traceback (most recent call last):\n  in the middle\nMemoryError\nKilled\n"

    @property
    def stands_still(self) -> bool:
        return self.behaviour.stands_still

    def freeze(self) -> None:
        self.frozen_s.append(self._world.clock.now_s)
        assert self.stands_still
        self._world.step("freeze")
        self.frozen = True

    def thaw(self) -> None:
        self.thawed_s.append(self._world.clock.now_s)
        self._world.step("thaw")
        self.frozen = False

    def begin_stop(self, grace_s: float = 10.0) -> None:
        self._world.step("begin_stop")

    @property
    def log_left_out_bytes(self) -> int:
        return self.behaviour.log_left_out_bytes

    def stop(self, grace_s: float = 10.0) -> ServerExit:
        self.stops += 1
        self._world.clock.sleep(0.1)
        self._world.step("stop")
        return ServerExit(return_code=-15, stopped_in_s=0.1, killed=self.behaviour.stays)


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
