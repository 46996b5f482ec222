"""Runs `sweeper grid`, `optimize` and `scenarios`: combines and checks the settings, starts or resumes the
study, and prints its answer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweeper.analysis.scenarios.outcome import Outcome
from sweeper.cli import exit_codes
from sweeper.cli.config_file import settings_file
from sweeper.cli.console import tell, tell_of_interrupt, write, write_json
from sweeper.cli.doctor import warn_of_machine
from sweeper.cli.dry_run import describe
from sweeper.cli.live import Show
from sweeper.cli.options import VARIABLES
from sweeper.cli.print_answer import print_outcome, print_recommendation
from sweeper.cli.run_study import Answer, MadeMeanwhile, Prepared, as_object, run
from sweeper.cli.train import train_where_missing
from sweeper.cli.wiring import MODELS_DIR, load_hosts, wire
from sweeper.errors import StoreError, SweeperError, UsageError
from sweeper.records.safe_text import shell_command
from sweeper.settings.combine import Given, combine
from sweeper.settings.scenario_settings import ScenarioSettings
from sweeper.settings.study_settings import StudySettings
from sweeper.settings.validate import settings
from sweeper.store.database import StoredStudy
from sweeper.study import preflight
from sweeper.study.find_study import Where, as_study_name
from sweeper.study.planning import plan_of, scenario_plan_of
from sweeper.study.recorded import recorded_answer, stored_settings
from sweeper.study.resume import check_environment, settings_differences
from sweeper.telemetry import require_proc


@dataclass(frozen=True, slots=True)
class Manner:
    """How a study is run and shown."""

    config: str | None  # a file of settings
    allow_drift: bool  # gone on with in another environment, too
    dry_run: bool  # only the plan is printed
    as_json: bool  # the answer, on stdout
    show: Show  # on stderr, while it runs


def start_or_resume(command: str, typed: Mapping[str, Any]) -> int:
    """Check, run or resume, print the answer; `typed` is by the names of settings and options. Returns the
    exit code."""
    where = Where.from_flags(typed["study"], typed["studies_dir"], typed["storage"], typed.get("host_name"))
    quiet, verbose = typed["quiet"], typed["verbose"]
    if quiet and verbose:
        raise UsageError("--quiet and --verbose contradict each other: give one of them")
    show = Show.QUIET if quiet else Show.VERBOSE if verbose else Show.NORMAL
    drift, dry_run, as_json = (bool(typed[name]) for name in ("allow_drift", "dry_run", "json"))
    manner = Manner(typed["config"], drift, dry_run, as_json, show)
    try:
        return _measure(command, typed, where, manner)
    except MadeMeanwhile:  # by another host: join that
        return _measure(command, typed, where, manner)


def _measure(command: str, flags: Mapping[str, object], where: Where, manner: Manner) -> int:
    require_proc()
    file, file_name = settings_file(manner.config)
    given = _with_named_folder(combine(flags, os.environ, file, file_name, VARIABLES, command))
    existing = where.find_existing()
    if existing is not None:
        changed = settings_differences(stored_settings(existing), given)
        if changed:
            raise UsageError(
                f"study '{existing.name}' exists with other settings ({'; '.join(changed)}): use another "
                "--study for the new settings, or leave them out to go on with this study"
            )
        if existing.complete:
            return _print(recorded_answer(where), where, manner)
    chosen = stored_settings(existing) if existing is not None else settings(given)
    prepared = _prepare(chosen, where, existing, manner)
    if manner.dry_run:
        write(describe(prepared.plan, chosen) + "\n")
        warn_of_machine()
        return exit_codes.DONE
    hosts = load_hosts(chosen)
    if hosts is not None:
        tell(hosts.how_to_start(chosen.locustfile))
    again = shell_command(command, "--study", prepared.name, *where.words, *where.host_words)
    go_on = f"to go on: {again}{where.password_note}"
    try:
        found = run(prepared, where, manner.show)
    except KeyboardInterrupt:
        what = "nothing has been measured yet: the same command begins again"
        if _is_there(prepared.name, where):
            what = f"every finished run is saved; {go_on}"
        return tell_of_interrupt(f"interrupted; {what}")
    except StoreError as error:
        raise StoreError(f"{error}; correct that first (all recorded runs are kept); {go_on}") from error
    return _print(found, where, manner)


def _is_there(study: str, where: Where) -> bool:
    """Whether it was recorded already, or nobody can tell: the database may be gone."""
    try:
        return replace(where, study=study).find_existing() is not None
    except SweeperError:
        return True


def _print(found: Answer, where: Where, manner: Manner) -> int:
    if manner.as_json:
        write_json(as_object(found))
    elif isinstance(found, Outcome):
        print_outcome(found, where)
    else:
        print_recommendation(found, where, verbose=manner.show is Show.VERBOSE)
    return exit_codes.of_outcome(found) if isinstance(found, Outcome) else exit_codes.of_recommendation(found)


def _prepare(chosen: StudySettings, where: Where, existing: StoredStudy | None, manner: Manner) -> Prepared:
    preflight.check_studies_dir(where.studies_dir)
    if where.shared and chosen.launcher == "remote":
        raise UsageError(
            f"--storage '{where.place}': only one host may restart the server of --launcher remote: use a "
            "SQLite file, or leave --storage out"
        )
    ours = preflight.bundled_model(chosen)
    if ours is not None and not manner.dry_run:
        train_where_missing(ours, MODELS_DIR / ours)
    wired = wire(chosen)
    environment = wired.environment
    if existing is not None and not manner.allow_drift:
        check_environment(existing, environment, where)
    name = existing.name if existing else where.study or _new_name(chosen, where)
    if not isinstance(chosen, ScenarioSettings):
        return Prepared(plan_of(name, chosen, environment), chosen, wired.parts, existing)
    if where.shared:
        raise UsageError(
            f"--storage '{where.place}': the scenarios are for one host: use a SQLite file, or no --storage"
        )
    return Prepared(scenario_plan_of(name, chosen, environment), chosen, wired.parts, existing)


def _with_named_folder(given: Given) -> Given:
    """With `--code-dir .` in full: the study is filed under the folder's name, and can be gone on with from
    elsewhere."""
    folder = given.values.get("code_dir")
    if not folder or not isinstance(folder, str):
        return given
    if folder.rstrip("/").rpartition("/")[2] not in ("", ".", ".."):
        return given
    return replace(given, values={**given.values, "code_dir": str(Path(folder).resolve())})


def _new_name(chosen: StudySettings, where: Where) -> str:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = f"{chosen.COMMAND}-{as_study_name(chosen.subject)}-{stamp}"
    return name if not (where.studies_dir / name).exists() else f"{name}-{os.getpid()}"
