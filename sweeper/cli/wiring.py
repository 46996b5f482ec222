"""From settings that are right by themselves to the real parts: server, load, telemetry, and what of the
machine must stay the same."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sweeper.errors import UsageError
from sweeper.launch import (
    CommandLauncher,
    DrumLauncher,
    FastApiLauncher,
    LaunchOptions,
    Placement,
    RemoteLauncher,
    ServerLauncher,
    inherited_settings,
    place_cores,
)
from sweeper.load import Hosts, LocustGenerator
from sweeper.load.first_answer import rows_of
from sweeper.processes.resource_limits import LimitedGroups, ResourceLimits, limited_groups
from sweeper.records.scenarios import ServerKind
from sweeper.records.wording import core_count
from sweeper.run.interfaces import Launcher, LoadGenerator, Parts
from sweeper.settings.command_settings import OptimizeSettings
from sweeper.settings.notation import size_text
from sweeper.settings.scenario_settings import ScenarioSettings
from sweeper.settings.study_settings import StudySettings
from sweeper.settings.upload import upload_of
from sweeper.study import preflight
from sweeper.telemetry import LoadTelemetry, MetricsPage, ProbedHostSpeed, ProcTelemetry, host_fingerprint
from sweeper.telemetry.cgroup import cpu_quota_cores, memory_limit_bytes
from sweeper.telemetry.procfs import PROC

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
    """Nothing is started yet."""

    parts: Parts
    environment: dict[str, object]  # they measure in: environment.json


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
    if chosen.launcher == "remote":  # all cores of this machine are the load's
        placement = Placement(None, _cores(chosen.load_cpus))
    hosts = load_hosts(chosen)
    if hosts is not None:
        hosts.check()
    kind_of_model = () if target.target_type is None else ("--target-type", target.target_type)
    limits = ResourceLimits(chosen.cpu_limit, chosen.memory_limit)
    _check_own_limits(limits)
    groups = limited_groups(limits) if limits.controllers else None
    options = LaunchOptions(
        groups=groups,
        ready_path=chosen.ready_path,
        cpus=placement.server,
        drum_arguments=(*kind_of_model, *chosen.drum_arguments),
        users=chosen.most_users,
    )
    if hosts is not None:
        options = dataclasses.replace(options, host=hosts.address)
    remote = _remote(chosen, options, target.ca_file)
    servers: dict[str, Launcher] = {}
    if remote is None:
        kinds = chosen.servers if isinstance(chosen, ScenarioSettings) else (LAUNCHERS[chosen.launcher],)
        servers = {kind.value: _launcher(kind, chosen, target, options) for kind in kinds}
    load = LocustGenerator(
        users=chosen.most_users,
        data_path=target.data,
        upload=upload_of(
            target.target_type,
            target.data.name if target.data is not None else "",
            chosen.predict_path,
            chosen.content_type,
        ),
        locustfile=target.locustfile,
        locust_options=tuple(shlex.split(chosen.locust_options or "")),
        cpus=placement.load,
        processes=chosen.load_processes,
        max_answer_bytes=chosen.max_answer_size,
        max_memory_bytes=memory_for_load_bytes(),
        ca_file=target.ca_file,
        hosts=hosts,
    )
    parts = Parts(
        launcher=remote or next(iter(servers.values())),
        servers=servers if isinstance(chosen, ScenarioSettings) else {},
        load=load if chosen.largest_rate is None else load.open_loop(chosen.largest_rate, chosen.seed),
        telemetry=ProcTelemetry() if remote is None else _elsewhere(remote.url, chosen, target),
        clock=SystemClock(),
        host_speed=ProbedHostSpeed(placement.server) if remote is None else None,
    )
    environment = _environment(target, placement, groups, remote, chosen.metrics_path)
    rows = _rows_of_a_request(parts.load)
    # Left out where it is not known, as above.
    return Wired(parts, environment | ({} if rows is None else {"data_rows": rows}))


def memory_for_load_bytes() -> int | None:
    """Half of what can be used now; None where that is not known."""
    available = ProcTelemetry().available_bytes()
    return None if available is None else available // 2


LAUNCHERS = {
    "fastapi": ServerKind.FASTAPI,
    "drum": ServerKind.DRUM_FASTAPI,
    "command": ServerKind.COMMAND,
}


def _remote(chosen: StudySettings, options: LaunchOptions, ca_file: Path | None) -> RemoteLauncher | None:
    if chosen.launcher != "remote":
        return None
    assert chosen.url is not None
    assert chosen.restart_command is not None
    return RemoteLauncher(
        chosen.url,
        chosen.restart_command,
        chosen.restore_command,
        varied=chosen.varied,
        options=options,
        start_timeout_s=chosen.start_timeout,
        ca_file=ca_file,
    )


def _elsewhere(url: str, chosen: StudySettings, target: preflight.Target) -> LoadTelemetry:
    if chosen.metrics_path is None:
        return LoadTelemetry()
    return LoadTelemetry(metrics=MetricsPage(url, chosen.metrics_path, target.ca_file))


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


def _check_own_limits(limits: ResourceLimits) -> None:
    """The kernel gives no group more than the one above it has."""
    quota, memory = cpu_quota_cores(PROC), memory_limit_bytes(PROC)
    if limits.cpu_cores is not None and quota is not None and limits.cpu_cores > quota:
        raise UsageError(
            f"--cpu-limit {limits.cpu_cores:g}: sweeper itself has a CPU quota of {core_count(quota)} (its "
            "control group or container): give no more than that, or run sweeper outside of it"
        )
    if limits.memory_bytes is not None and memory is not None and limits.memory_bytes > memory:
        raise UsageError(
            f"--memory-limit {size_text(limits.memory_bytes)}: sweeper itself has a memory limit of "
            f"{size_text(memory)} (its control group or container): give no more than that, or run sweeper "
            "outside of it"
        )


def _environment(
    target: preflight.Target,
    placement: Placement,
    groups: LimitedGroups | None,
    remote: RemoteLauncher | None,
    metrics_path: str | None,
) -> dict[str, object]:
    host = json.loads(json.dumps(dataclasses.asdict(host_fingerprint())))
    variables = inherited_settings(os.environ)
    asked = {} if metrics_path is None else {"metrics_path": metrics_path}
    return {
        **host,
        "hashes": target.hashes(),
        "git_commit": _git_commit(),
        # Left out where there are none, so that the environment is that of studies which did not record them.
        **({"variables": variables} if variables else {}),
        **({"server_limits": {**dataclasses.asdict(groups.limits), "way": groups.way}} if groups else {}),
        # Then all facts of a machine are of the one that makes the load.
        **({"remote": {"url": remote.url, "sets": list(remote.sets), **asked}} if remote else {}),
        "placement": {
            "server_cpus": sorted(placement.server) if placement.server and not remote else None,
            "load_cpus": sorted(placement.load) if placement.load else None,
            "shared": placement.shared and remote is None,
        },
    }


def _rows_of_a_request(load: LoadGenerator) -> int | None:
    """None where the data is no table, or a locust file sends what it will."""
    if not isinstance(load, LocustGenerator) or load.data_path is None or load.locustfile is not None:
        return None
    return rows_of(load.data_path.read_bytes()) if load.upload.table else None


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
