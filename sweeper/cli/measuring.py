"""Running a study from the command line: check everything, then wire the real parts together."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from sweeper import preflight
from sweeper.answers import Recommendation
from sweeper.cli.answering import exit_code, print_text
from sweeper.cli.diagnosing import warn_of_machine
from sweeper.cli.dry_run import describe
from sweeper.cli.planning import environment_differences, host_differences, plan_of
from sweeper.cli.running import MadeMeanwhile, Prepared, run
from sweeper.cli.where import VARIABLES, Where, answer, stored_settings
from sweeper.config import combine, differences, settings
from sweeper.errors import UsageError
from sweeper.launch import (
    CommandLauncher,
    DrumLauncher,
    FastApiLauncher,
    LaunchOptions,
    Placement,
    place_cores,
)
from sweeper.load import LocustGenerator
from sweeper.report import formats
from sweeper.store.database import StoredStudy
from sweeper.study_settings import ON_OR_OFF, OptimizeSettings, StudySettings
from sweeper.telemetry import ProbedHostSpeed, ProcTelemetry, host_fingerprint, require_proc
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


def measure(command: str, flags: Mapping[str, object], where: Where, *, dry_run: bool, as_json: bool) -> int:
    """`sweeper grid` and its kin: check, run or resume, print the answer. Returns the exit code."""
    try:
        return _measure(command, flags, where, dry_run=dry_run, as_json=as_json)
    except MadeMeanwhile:  # by another host: join that
        return _measure(command, flags, where, dry_run=dry_run, as_json=as_json)


def _measure(command: str, flags: Mapping[str, object], where: Where, *, dry_run: bool, as_json: bool) -> int:
    require_proc()
    flags = {name: value for name, value in flags.items() if value is not False or name in ON_OR_OFF}
    file, file_name = where.settings_file()
    given = combine(flags, os.environ, file, file_name, VARIABLES, command)
    existing = where.find_existing()
    if existing is not None:
        changed = differences(stored_settings(existing), given)
        if changed:
            raise UsageError(
                f"--study '{existing.name}' exists with other settings ({'; '.join(changed)}): use another "
                "name, or leave them out to resume it"
            )
        if existing.complete:
            return _print(answer(where), where, as_json)
    chosen = stored_settings(existing) if existing is not None else settings(given)
    prepared = _prepare(chosen, where, existing)
    if dry_run:
        sys.stdout.write(describe(prepared.plan, chosen) + "\n")
        warn_of_machine()
        return 0
    try:
        recommendation = run(prepared, where)
    except KeyboardInterrupt:
        sys.stderr.write(
            "\nsweeper: interrupted; every finished run is saved; to go on: "
            f"sweeper {command} --study {prepared.name}{where.flags}{where.host_flag}{where.password_note}\n"
        )
        return 130
    return _print(recommendation, where, as_json)


def _print(recommendation: Recommendation, where: Where, as_json: bool) -> int:
    if as_json:
        line = json.dumps(formats.to_json_dict(recommendation), ensure_ascii=False)
        sys.stdout.write(line + "\n")
    else:
        print_text(recommendation, where)
    return exit_code(recommendation)


def _prepare(chosen: StudySettings, where: Where, existing: StoredStudy | None) -> Prepared:
    preflight.check_open_files(chosen.users)
    preflight.check_studies_dir(where.studies_dir)
    target = preflight.find_target(chosen, MODELS_DIR)
    if isinstance(chosen, OptimizeSettings):
        preflight.check_tuned(chosen, target)
    placement = place_cores(
        frozenset(os.sched_getaffinity(0)), _cores(chosen.server_cpus), _cores(chosen.load_cpus)
    )
    parts = Parts(
        launcher=_launcher(chosen, target, placement),
        load=LocustGenerator(
            users=chosen.users,
            data_path=target.data,
            locustfile=target.locustfile,
            cpus=placement.load,
        ),
        telemetry=ProcTelemetry(),
        clock=SystemClock(),
        host_speed=ProbedHostSpeed(placement.server),
    )
    environment = _environment(target, placement)
    if existing is not None and not where.allow_drift:
        _check_environment(existing, environment, where)
    name = existing.name if existing else where.study or _new_name(chosen, where)
    return Prepared(plan_of(name, chosen, environment), chosen, parts, existing)


def _check_environment(existing: StoredStudy, environment: dict[str, object], where: Where) -> None:
    """It is the one the study was begun in; of a host that joins, as far as hosts must be alike."""
    before = where.environments(existing.name) if where.shared else {}
    joins = where.shared and where.host not in before
    compare = host_differences if joins else environment_differences
    begun: Mapping[str, object] = before[where.host] if where.shared and not joins else existing.environment
    changed = compare(begun, environment)
    if changed:
        raise UsageError(
            f"study '{existing.name}' was begun in another environment ({'; '.join(changed[:5])}): use a "
            "new --study, or --allow-drift to go on all the same"
        )


def _launcher(
    chosen: StudySettings, target: preflight.Target, placement: Placement
) -> FastApiLauncher | DrumLauncher | CommandLauncher:
    options = LaunchOptions(ready_path=chosen.ready_path, cpus=placement.server)
    if chosen.launcher == "command":
        assert chosen.server_command is not None
        return CommandLauncher(chosen.server_command, target.code_dir, options)
    assert target.code_dir is not None
    if chosen.launcher == "drum":
        return DrumLauncher(target.code_dir, options)
    return FastApiLauncher(target.code_dir, options)


def _environment(target: preflight.Target, placement: Placement) -> dict[str, object]:
    host = json.loads(json.dumps(dataclasses.asdict(host_fingerprint())))
    return {
        **host,
        "hashes": target.hashes(),
        "git_commit": _git_commit(),
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


def _new_name(chosen: StudySettings, where: Where) -> str:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = f"{chosen.COMMAND}-{chosen.subject}-{stamp}"
    return name if not (where.studies_dir / name).exists() else f"{name}-{os.getpid()}"


def _cores(cores: tuple[int, ...] | None) -> frozenset[int] | None:
    return None if cores is None else frozenset(cores)
