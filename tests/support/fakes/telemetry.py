"""Telemetry of servers and users who are not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweeper.records.observations import QuotaPeriods, TelemetrySample

if TYPE_CHECKING:
    from tests.support.fakes.behaviour import Behaviour
    from tests.support.fakes.server import FakeServer
    from tests.support.fakes.world import World


PERIODS = QuotaPeriods(start_s=0.037, length_s=0.1)
"""Of the quota of a server that has one."""


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

    def quota_periods(self) -> QuotaPeriods | None:
        return None if self._server.behaviour.quota_cores is None else PERIODS

    def why_unknown(self) -> str | None:
        return self._server.behaviour.unreported

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
            **_quota(behaviour, elapsed_s, server_s, client_s),
        )


def _quota(behaviour: Behaviour, elapsed_s: float, server_s: float, client_s: float) -> dict[str, float]:
    if behaviour.quota_cores is None:
        return {}
    falls = behaviour.quota_falls and elapsed_s > 8.0
    covered_s = client_s if behaviour.quota_covers_load else 0.0
    found = {
        "cgroup_quota_cores": behaviour.quota_cores / (2 if falls else 1),
        "cgroup_period_s": 0.1,
        "cgroup_cpu_s": server_s + covered_s + behaviour.strangers_cores * elapsed_s,
    }
    return found | ({"cgroup_client_cpu_s": client_s} if behaviour.quota_covers_load else {})
