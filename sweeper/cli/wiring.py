"""From settings that are right by themselves to the real parts: server, load, telemetry, and what of the
machine must stay the same."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sweeper import preflight
from sweeper.launch import (
    CommandLauncher,
    DrumLauncher,
    FastApiLauncher,
    LaunchOptions,
    Placement,
    ServerLauncher,
    inherited_settings,
    place_cores,
)
from sweeper.load import Hosts, LocustGenerator
from sweeper.scenarios.terms import ServerKind
from sweeper.study_settings import OptimizeSettings, ScenarioSettings, StudySettings
from sweeper.telemetry import ProbedHostSpeed, ProcTelemetry, host_fingerprint
from sweeper.under_load import Parts

MODELS_DIR = Path("models")


class SystemClock:
    """The real clock (interfaces.Clock)."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def utc_now(self) -> str:
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Wired:
    """Parts, and the environment they measure in (environment.json). Nothing is started yet."""

    parts: Parts
    environment: dict[str, object]


def wire(chosen: StudySettings) -> Wired:
    """Raises UsageError for what cannot be found or used."""
    option = "--users"
    if isinstance(chosen, ScenarioSettings):
        option = "--concurrency" if chosen.most_users in chosen.concurrency else "--max-users"
    preflight.check_open_files(chosen.most_users, option)
    target = preflight.find_target(chosen, MODELS_DIR)
    if isinstance(chosen, OptimizeSettings):
        preflight.check_tuned(chosen, target)
    placement = place_cores(
        frozenset(os.sched_getaffinity(0)),
        _cores(chosen.server_cpus),
        _cores(chosen.load_cpus),
        load_processes=chosen.load_processes,
    )
    hosts = load_hosts(chosen)
    if hosts is not None:
        hosts.check()
    options = LaunchOptions(ready_path=chosen.ready_path, cpus=placement.server)
    if hosts is not None:
        options = dataclasses.replace(options, host=hosts.address)
    kinds = chosen.servers if isinstance(chosen, ScenarioSettings) else (LAUNCHERS[chosen.launcher],)
    servers = {kind.value: _launcher(kind, chosen, target, options) for kind in kinds}
    parts = Parts(
        launcher=next(iter(servers.values())),
        servers=servers if isinstance(chosen, ScenarioSettings) else {},
        load=LocustGenerator(
            users=chosen.most_users,
            data_path=target.data,
            locustfile=target.locustfile,
            cpus=placement.load,
            processes=chosen.load_processes,
            hosts=hosts,
        ),
        telemetry=ProcTelemetry(),
        clock=SystemClock(),
        host_speed=ProbedHostSpeed(placement.server),
    )
    return Wired(parts, _environment(target, placement))


LAUNCHERS = {
    "fastapi": ServerKind.FASTAPI,
    "drum": ServerKind.DRUM_FASTAPI,
    "command": ServerKind.COMMAND,
}


def _launcher(
    kind: ServerKind, chosen: StudySettings, target: preflight.Target, options: LaunchOptions
) -> ServerLauncher:
    if kind is ServerKind.COMMAND:
        assert chosen.server_command is not None
        return CommandLauncher(chosen.server_command, target.code_dir, options)
    assert target.code_dir is not None
    if kind.is_drum:
        server_type = "fastapi" if kind is ServerKind.DRUM_FASTAPI else kind.value
        asked_for = f"--servers {kind}" if isinstance(chosen, ScenarioSettings) else "--launcher drum"
        drum = DrumLauncher(target.code_dir, options, server_type=server_type, asked_for=asked_for)
        if drum.claims_pool:
            drum.check_release()
        return drum
    return FastApiLauncher(target.code_dir, options)


def load_hosts(chosen: StudySettings) -> Hosts | None:
    """The hosts that make the load, where it is not this one."""
    workers = chosen.expect_load_workers
    return None if workers is None else Hosts.at(workers, chosen.load_master_bind)


def _environment(target: preflight.Target, placement: Placement) -> dict[str, object]:
    host = json.loads(json.dumps(dataclasses.asdict(host_fingerprint())))
    variables = inherited_settings(os.environ)
    return {
        **host,
        "hashes": target.hashes(),
        "git_commit": _git_commit(),
        # Left out where there are none, so that the environment is that of studies which did not record them.
        **({"variables": variables} if variables else {}),
        "placement": {
            "server_cpus": sorted(placement.server) if placement.server else None,
            "load_cpus": sorted(placement.load) if placement.load else None,
            "shared": placement.shared,
        },
    }


def _git_commit() -> str | None:
    """Of the folder this is run in, if it is a repository: what was being measured."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None


def _cores(cores: tuple[int, ...] | None) -> frozenset[int] | None:
    return None if cores is None else frozenset(cores)
