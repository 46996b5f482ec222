"""From a study that has passed every check to its answer: by this host alone, or as one of several."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from sweeper.analysis.scenarios.outcome import Outcome
from sweeper.cli.console import console, tell
from sweeper.cli.doctor import warn_of_machine
from sweeper.cli.live import Live, Show
from sweeper.launch import DrumLauncher, RemoteLauncher, ServerLauncher
from sweeper.load import LocustGenerator
from sweeper.processes.measuring_lock import measuring_lock
from sweeper.records.answer import Recommendation
from sweeper.records.safe_text import shell_command
from sweeper.report.json.recommendation import recommendation_object
from sweeper.report.json.scenarios import outcome_object
from sweeper.run.interfaces import Parts
from sweeper.run.timing import RunSettings
from sweeper.settings.study_settings import StudySettings
from sweeper.store.database import Database, StoredStudy
from sweeper.store.study_store import OUTCOME_FILE, RECOMMENDATION_FILE, SharedStudyStore, StudyStore
from sweeper.study.find_study import Where, store_errors_as_wrong_use
from sweeper.study.optimization import OptimizePlan, run_optimization, run_shared_optimization
from sweeper.study.optuna_log import OptunaLog
from sweeper.study.planning import plan_of
from sweeper.study.restore_remote import putting_back
from sweeper.study.scenarios import ScenarioPlan, run_scenarios
from sweeper.study.sharing import Host
from sweeper.study.study import run_shared_study, run_study
from sweeper.study.study_state import StudyPlan
from sweeper.telemetry import LoadTelemetry

Answer = Recommendation | Outcome


@dataclasses.dataclass(frozen=True, slots=True)
class Prepared:
    """A study that has passed every check and has not touched anything yet."""

    plan: StudyPlan | OptimizePlan | ScenarioPlan  # of this host's environment
    settings: StudySettings
    parts: Parts  # server, load, telemetry and clock, none of them started
    existing: StoredStudy | None  # None: a new one

    @property
    def _blocks(self) -> StudyPlan | ScenarioPlan:
        return self.plan.blocks if isinstance(self.plan, OptimizePlan) else self.plan

    @property
    def name(self) -> str:
        return self._blocks.name

    @property
    def environment(self) -> dict[str, object]:
        return dict(self._blocks.environment)

    @property
    def run(self) -> RunSettings:
        return self._blocks.run

    @property
    def fingerprint(self) -> str:
        return self._blocks.fingerprint

    def begun(self) -> StoredStudy:
        """The study's row if this host is the one that makes it."""
        at = self.parts.clock.utc_now()
        return StoredStudy(self.name, at, self.settings.plain(), self.environment, complete=False)


class MadeMeanwhile(Exception):
    """Another host has made a study of this name since it was looked for."""


def run(prepared: Prepared, where: Where, show: Show) -> Answer:
    """Raises UsageError for whatever is found before anything is started, MadeMeanwhile likewise."""
    with measuring_lock(), ExitStack() as held:
        with store_errors_as_wrong_use():
            database = Database(where.storage)
        held.callback(database.close)
        store = (
            SharedStudyStore(database, where.studies_dir, prepared.name, where.host)
            if where.shared
            else StudyStore(database, where.studies_dir, prepared.name)
        )
        held.callback(store.close)
        with store_errors_as_wrong_use():
            store.lock()
            _check_locustfile(prepared, store.folder)
            _check_model(prepared, store.folder)
            _check_drum(prepared, store.folder)
            _check_elsewhere(prepared)
            _begin(prepared, store)
            remote = prepared.parts.launcher
            if isinstance(remote, RemoteLauncher):
                again = shell_command("recommend", prepared.name, *where.words)
                held.enter_context(putting_back(remote, store.folder, again, tell))
        warn_of_machine()
        with Live(console(stderr=True), show) as live:
            if isinstance(store, SharedStudyStore):
                store.tell = live.waiting
                found: Answer = _shared(prepared, store, live, where.storage)
            else:
                found = _studied(prepared, store, live, where.storage)
        file = OUTCOME_FILE if isinstance(found, Outcome) else RECOMMENDATION_FILE
        store.save_answer(file, as_object(found), complete=found.complete)
        return found


def as_object(found: Answer) -> dict[str, object]:
    """For JSON."""
    return outcome_object(found) if isinstance(found, Outcome) else recommendation_object(found)


def _begin(prepared: Prepared, store: StudyStore) -> None:
    """Make the study unless it is there; where hosts share it, join it."""
    if isinstance(store, SharedStudyStore):
        if prepared.existing is None and not store.create_unless_there(prepared.begun()):
            raise MadeMeanwhile
        store.join(prepared.settings.plain(), prepared.environment)
    elif prepared.existing is None:
        store.create(prepared.begun())


def _check_locustfile(prepared: Prepared, folder: Path) -> None:
    """Read it once, before anything is swept: it must work here, and have users but no load shape."""
    load = prepared.parts.load
    if isinstance(load, LocustGenerator):
        load.check(folder)


def _check_model(prepared: Prepared, folder: Path) -> None:
    """Load it once, before anything is measured: DRUM must serve it."""
    parts = prepared.parts
    launchers = [
        one for one in parts.servers.values() or (parts.launcher,) if isinstance(one, ServerLauncher)
    ]
    serving = [one for one in launchers if one.drum_folder is not None]
    if serving and prepared.existing is None:
        serving[0].check_model(folder / "model-check.log", prepared.run.start_timeout_s)


def _check_drum(prepared: Prepared, folder: Path) -> None:
    """Start it once, before anything is measured: a DRUM without the FastAPI server has no such pool."""
    parts = prepared.parts
    for launcher in parts.servers.values() or (parts.launcher,):
        if isinstance(launcher, DrumLauncher) and launcher.claims_pool:
            server = launcher.start(prepared.settings.reference, folder / "drum-check.log")
            try:
                server.wait_ready(prepared.run.start_timeout_s)
                launcher.check_pool_applied(server)
            finally:
                server.stop()


def _check_elsewhere(prepared: Prepared) -> None:
    """Ask a server that sweeper does not start, before it is restarted: for its certificate, and for the page
    with its CPU time and memory."""
    launcher, telemetry = prepared.parts.launcher, prepared.parts.telemetry
    if isinstance(launcher, RemoteLauncher):
        launcher.check_certificate()
    if isinstance(telemetry, LoadTelemetry):
        telemetry.check()


def _studied(prepared: Prepared, store: StudyStore, live: Live, storage: str) -> Answer:
    plan, parts = prepared.plan, prepared.parts
    if isinstance(plan, ScenarioPlan):
        return run_scenarios(plan, parts, store, live)
    if isinstance(plan, StudyPlan):
        return run_study(plan, parts, store, live)
    with store_errors_as_wrong_use():
        log = OptunaLog(storage, plan.blocks.name, plan.search.space, plan.search.objectives)
    with closing(log):
        return run_optimization(plan, parts, store, live, log)


def _shared(prepared: Prepared, store: SharedStudyStore, live: Live, storage: str) -> Recommendation:
    """All hosts share one plan, made for the environment of the host that began the study. How this host
    makes its runs depends on its own environment."""
    parts = prepared.parts
    begun: Mapping[str, object] = prepared.existing.environment if prepared.existing else prepared.environment
    plan = plan_of(prepared.name, prepared.settings, begun)
    host = Host(store.host, prepared.run, prepared.fingerprint)
    if isinstance(plan, StudyPlan):
        return run_shared_study(plan, host, parts, store, live)
    with store_errors_as_wrong_use(), store.alone():  # Optuna's tables are made once
        log = OptunaLog(storage, plan.blocks.name, plan.search.space, plan.search.objectives)
    with closing(log):
        return run_shared_optimization(plan, host, parts, store, live, log)
