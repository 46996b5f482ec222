"""Running a study from the command line: check everything, then wire the real parts together."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sweeper import preflight
from sweeper.cli.answering import exit_code, print_text
from sweeper.cli.diagnosing import warn_of_machine
from sweeper.cli.dry_run import describe
from sweeper.cli.live import Show
from sweeper.cli.outcomes import outcome_exit_code, print_outcome
from sweeper.cli.planning import environment_differences, host_differences, plan_of, scenario_plan_of
from sweeper.cli.running import Answer, MadeMeanwhile, Prepared, as_object, run
from sweeper.cli.where import VARIABLES, Where, recorded_answer, stored_settings
from sweeper.cli.wiring import load_hosts, wire
from sweeper.config import combine, differences, settings
from sweeper.errors import StoreError, SweeperError, UsageError
from sweeper.scenarios.outcome import Outcome
from sweeper.store.database import StoredStudy
from sweeper.study_settings import ON_OR_OFF, ScenarioSettings, StudySettings
from sweeper.telemetry import require_proc


@dataclass(frozen=True, slots=True)
class Manner:
    """How a study is run and shown."""

    dry_run: bool
    as_json: bool
    show: Show

    @staticmethod
    def of(*, dry_run: bool, as_json: bool, quiet: bool, verbose: bool) -> Manner:
        if quiet and verbose:
            raise UsageError("--quiet and --verbose contradict each other: give one of them")
        return Manner(dry_run, as_json, Show.QUIET if quiet else Show.VERBOSE if verbose else Show.NORMAL)


def measure(command: str, flags: Mapping[str, object], where: Where, manner: Manner) -> int:
    """`sweeper grid` and its kin: check, run or resume, print the answer. Returns the exit code."""
    try:
        return _measure(command, flags, where, manner)
    except MadeMeanwhile:  # by another host: join that
        return _measure(command, flags, where, manner)


def _measure(command: str, flags: Mapping[str, object], where: Where, manner: Manner) -> int:
    require_proc()
    flags = {name: value for name, value in flags.items() if value is not False or name in ON_OR_OFF}
    file, file_name = where.settings_file()
    given = combine(flags, os.environ, file, file_name, VARIABLES, command)
    existing = where.find_existing()
    if existing is not None:
        changed = differences(stored_settings(existing), given)
        if changed:
            raise UsageError(
                f"study '{existing.name}' exists with other settings ({'; '.join(changed)}): use another "
                "--study for the new ones, or leave them out to go on with it"
            )
        if existing.complete:
            return _print(recorded_answer(where), where, manner.as_json)
    chosen = stored_settings(existing) if existing is not None else settings(given)
    prepared = _prepare(chosen, where, existing)
    if manner.dry_run:
        sys.stdout.write(describe(prepared.plan, chosen) + "\n")
        warn_of_machine()
        return 0
    hosts = load_hosts(chosen)
    if hosts is not None:
        sys.stderr.write(f"sweeper: {hosts.how_to_start(chosen.locustfile)}\n")
    go_on = (
        f"to go on: sweeper {command} --study {prepared.name}{where.flags}{where.host_flag}"
        f"{where.password_note}"
    )
    try:
        found = run(prepared, where, manner.show)
    except KeyboardInterrupt:
        what = "nothing has been measured yet: the same command begins again"
        if _is_there(prepared.name, where):
            what = f"every finished run is saved; {go_on}"
        sys.stderr.write(f"\nsweeper: interrupted; {what}\n")
        return 130
    except StoreError as error:
        raise StoreError(f"{error}; mend that first, all runs recorded before are kept; {go_on}") from error
    return _print(found, where, manner.as_json)


def _is_there(study: str, where: Where) -> bool:
    """Whether it was recorded already, or nobody can tell: the database may be gone."""
    try:
        return replace(where, study=study).find_existing() is not None
    except SweeperError:
        return True


def _print(found: Answer, where: Where, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps(as_object(found), ensure_ascii=False) + "\n")
    elif isinstance(found, Outcome):
        print_outcome(found, where)
    else:
        print_text(found, where)
    return outcome_exit_code(found) if isinstance(found, Outcome) else exit_code(found)


def _prepare(chosen: StudySettings, where: Where, existing: StoredStudy | None) -> Prepared:
    preflight.check_studies_dir(where.studies_dir)
    wired = wire(chosen)
    environment = wired.environment
    if existing is not None and not where.allow_drift:
        _check_environment(existing, environment, where)
    name = existing.name if existing else where.study or _new_name(chosen, where)
    if not isinstance(chosen, ScenarioSettings):
        return Prepared(plan_of(name, chosen, environment), chosen, wired.parts, existing)
    if where.shared:
        raise UsageError(
            f"--storage '{where.place}': the scenarios are for one host: use a SQLite file, or leave it out"
        )
    return Prepared(scenario_plan_of(name, chosen, environment), chosen, wired.parts, existing)


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


def _new_name(chosen: StudySettings, where: Where) -> str:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = f"{chosen.COMMAND}-{chosen.subject}-{stamp}"
    return name if not (where.studies_dir / name).exists() else f"{name}-{os.getpid()}"
