"""Looks at this machine and prints what would disturb a study."""

from __future__ import annotations

import json
import os
import sys

from sweeper.cli.answering import console, say
from sweeper.errors import UsageError
from sweeper.launch import place_cores
from sweeper.launch.ports import loopback_works
from sweeper.machine import (
    Check,
    Noise,
    before_a_study,
    fit,
    machine_checks,
    no_proc,
    noise_check,
    noise_unknown,
)
from sweeper.measuring_lock import measuring_lock
from sweeper.notation import seconds
from sweeper.preflight import OPEN_FILES_BESIDES_USERS
from sweeper.records import Window
from sweeper.report.doctor import checks_object, checks_table, conclusion, warning_lines
from sweeper.statistics.host_noise import HostNoise, blocks_at_least, host_noise
from sweeper.study_settings import GridSettings
from sweeper.telemetry.host_noise import probe_host
from sweeper.telemetry.machine import look_around, machine_facts
from sweeper.under_load import STEP_S

NOISE_S, SHORTEST_S, LONGEST_S = 10.0, 2.0, 600.0


def diagnose(noise: str | None, *, no_noise: bool, as_json: bool) -> int:
    """`sweeper doctor`. Returns 0 where a study can be run, 1 where it cannot."""
    noise_s = _noise_s(noise, no_noise)
    checks, measured = list(_quick_checks()), None
    if noise_s is not None and fit(checks):
        measured, check = _noise(noise_s)
        checks.append(check)
    if as_json:
        sys.stdout.write(json.dumps(checks_object(checks, measured), ensure_ascii=False) + "\n")
    else:
        out = console()
        out.print(checks_table(checks))
        out.print()
        say(out, conclusion(checks))
    return 0 if fit(checks) else 1


def warn_of_machine() -> None:
    """Before a study: its machine's warnings, a line each. What makes it impossible fails by itself."""
    for line in warning_lines(before_a_study(_quick_checks())):
        sys.stderr.write(line + "\n")


def _noise_s(noise: str | None, no_noise: bool) -> float | None:
    if no_noise:
        if noise is not None:
            raise UsageError(f"--noise {noise} and --no-noise contradict each other: give one of them")
        return None
    if noise is None:
        return NOISE_S
    try:
        found = float(str(seconds(noise)))
    except ValueError:
        found = 0.0
    if not SHORTEST_S <= found <= LONGEST_S:
        raise UsageError(f"--noise '{noise}': must be a duration from 2s to 10m, such as 10s")
    return found


def _quick_checks() -> tuple[Check, ...]:
    users = GridSettings.model_validate({}).users
    try:
        facts = machine_facts(
            cores_shared=place_cores(frozenset(os.sched_getaffinity(0))).shared,
            users=users,
            open_files_needed=users + OPEN_FILES_BESIDES_USERS,
            loopback=loopback_works(),
            busy=look_around(),
        )
    except UsageError as error:
        return (no_proc(str(error)),)
    return machine_checks(facts)


def _noise(noise_s: float) -> tuple[Noise | None, Check]:
    """Not while another study is measured: it would be disturbed, and be taken for noise."""
    try:
        with measuring_lock():
            sys.stderr.write(f"sweeper: measuring the noise of this machine for {noise_s:g} s\n")
            log = probe_host(noise_s)
    except UsageError as error:
        return None, noise_unknown(str(error))
    values = len(GridSettings.model_validate({}).workers)
    window = Window(log.at_s[0], log.at_s[0] + noise_s) if log is not None else Window(0.0, 0.0)
    found = host_noise(log, window, STEP_S, values)
    if found is None:
        return None, noise_unknown("the probe could not run often enough: the cores are taken")
    measured = _meaning(found)
    return measured, noise_check(measured)


def _meaning(found: HostNoise) -> Noise:
    """For the default grid."""
    default = GridSettings.model_validate({})
    deviation = found.of_a_run(round(default.window / STEP_S))
    longer = GridSettings.model_validate({"max_blocks": 100})
    return Noise(
        host=found,
        deviation=deviation,
        blocks=blocks_at_least(deviation, default.configurations, default.rule),
        most=default.max_blocks,
        enough=blocks_at_least(deviation, longer.configurations, longer.rule),
        tolerance=default.tolerance,
        values=len(default.workers),
    )
