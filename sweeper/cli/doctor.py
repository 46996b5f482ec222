"""`sweeper doctor`, and the warnings of the same checks before a study."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from sweeper.cli.exit_codes import DONE, UNFIT
from sweeper.errors import UsageError

if TYPE_CHECKING:
    from sweeper.checks.machine import Noise
    from sweeper.records.machine import Check
    from sweeper.statistics.host_noise import HostNoise

NOISE_S, SHORTEST_S, LONGEST_S = 10.0, 2.0, 600.0


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Exit codes: 0 a study can be run, warnings or not, 1 it cannot, 2 wrong use.   Examples:  "
        "sweeper doctor   |   sweeper doctor --noise 60s   |   sweeper doctor --no-noise --json"
    )
    def doctor(
        noise: Annotated[
            str | None,
            typer.Option(
                help="How long to measure the noise of this machine.", metavar="TIME", show_default="10s"
            ),
        ] = None,
        no_noise: Annotated[
            bool, typer.Option("--no-noise", help="Make only the quick checks; do not measure the noise.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON instead.")] = False,
    ) -> int:
        """Say what would disturb a study on this machine, what to do about it, and how noisy it is."""
        return _diagnose(noise, no_noise=no_noise, as_json=as_json)


def _diagnose(noise: str | None, *, no_noise: bool, as_json: bool) -> int:
    from sweeper.cli.console import console, say, write_json
    from sweeper.records.machine import fit
    from sweeper.report.json.doctor import checks_object
    from sweeper.report.text.doctor import checks_table, conclusion

    noise_s = _noise_s(noise, no_noise)
    checks, measured = list(_quick_checks()), None
    if noise_s is not None and fit(checks):
        measured, check = _noise(noise_s)
        checks.append(check)
    if as_json:
        write_json(checks_object(checks, measured))
    else:
        out = console()
        out.print(checks_table(checks))
        out.print()
        say(out, conclusion(checks))
    return DONE if fit(checks) else UNFIT


def warn_of_machine() -> None:
    """Before a study: its machine's warnings, a line each. What makes it impossible fails by itself."""
    from sweeper.cli.console import tell
    from sweeper.records.machine import before_a_study
    from sweeper.report.text.doctor import warning_lines

    for line in warning_lines(before_a_study(_quick_checks())):
        tell(line)


def _noise_s(noise: str | None, no_noise: bool) -> float | None:
    from sweeper.settings.notation import seconds

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
    from sweeper.checks.machine import machine_checks, no_proc
    from sweeper.launch import place_cores
    from sweeper.launch.ports import loopback_works
    from sweeper.settings.command_settings import GridSettings
    from sweeper.study.preflight import OPEN_FILES_BESIDES_USERS
    from sweeper.telemetry import require_proc
    from sweeper.telemetry.machine import look_around, machine_facts

    users = GridSettings.model_validate({}).most_users
    try:
        require_proc()
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
    from sweeper.checks.machine import noise_check, noise_unknown
    from sweeper.cli.console import tell
    from sweeper.processes.measuring_lock import measuring_lock
    from sweeper.records.run import Window
    from sweeper.run.timing import SAMPLING_PERIOD_S
    from sweeper.settings.command_settings import GridSettings
    from sweeper.statistics.host_noise import host_noise
    from sweeper.telemetry.host_speed import probe_host

    try:
        with measuring_lock():
            tell(f"measuring the noise of this machine for {noise_s:g} s")
            log = probe_host(noise_s)
    except UsageError as error:
        return None, noise_unknown(str(error))
    values = len(GridSettings.model_validate({}).workers)
    window = Window(log.at_s[0], log.at_s[0] + noise_s) if log is not None else Window(0.0, 0.0)
    found = host_noise(log, window, SAMPLING_PERIOD_S, values)
    if found is None:
        return None, noise_unknown("the probe could not run often enough: other programs use the cores")
    measured = _meaning(found)
    return measured, noise_check(measured)


def _meaning(found: HostNoise) -> Noise:
    """For the default grid."""
    from sweeper.checks.machine import Noise
    from sweeper.run.timing import SAMPLING_PERIOD_S
    from sweeper.settings.command_settings import GridSettings
    from sweeper.statistics.host_noise import blocks_at_least

    default = GridSettings.model_validate({})
    deviation = found.of_a_run(round(default.window / SAMPLING_PERIOD_S))
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
