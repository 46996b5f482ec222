"""Whole studies on disk: run by the real code against simulated servers and users, kept by the real store."""

from __future__ import annotations

from pathlib import Path

from sweeper.records.configuration import Configuration
from sweeper.settings.command_settings import GridSettings, OptimizeSettings
from sweeper.settings.study_settings import StudySettings
from sweeper.store.database import Database, StoredStudy
from sweeper.store.study_store import StudyStore
from sweeper.study.optimization import OptimizePlan, run_optimization
from sweeper.study.planning import plan_of
from sweeper.study.study import run_study
from tests.support.fakes import Behaviour, Script, Watching, World, generator
from tests.support.optimizations import Kept
from tests.support.recorded import MACHINE

GRID = GridSettings.model_validate({"code_dir": "models/checkout", "slo_p99": "1500ms"})
SEARCH = OptimizeSettings.model_validate(
    {"workers": "1..32", "model_threads": "1..2", "trials": 12, "objective": "throughput,p99"}
)


def script(peak: int = 8, *, busy_run: str = "", broken: int | None = None) -> Script:
    """Throughput rises to `peak` workers and falls from there, with CPU, switches and waiting to match; in
    one run the host is busy elsewhere, and the servers of one worker count do not start."""

    def behave(configuration: Configuration, block: int, run_id: str) -> Behaviour:
        workers = configuration.workers
        level = 160.0 * min(workers, peak) / peak / (1 + max(0, workers - peak) / 60)
        level *= 0.9 ** (configuration.model_threads - 1)
        host = generator(0, f"{run_id[0]} {block}").normal(0, 0.05)
        error = generator(0, run_id).normal(0, 0.01)
        return Behaviour(
            rps=level * 2.718281828 ** float(host + error),
            wobble=0.03,
            ramp_share=0.4,
            cpu_ms=6.0 + workers / 16,
            voluntary=5.0 + workers,
            involuntary=0.2 * workers,
            run_delay_ms=0.3 * workers,
            steal=0.1 if run_id == busy_run else 0.0,
            dies_at_start=workers == broken,
        )

    return behave


def simulate(
    folder: Path,
    name: str,
    settings: StudySettings,
    script: Script,
    created_at: str,
    stop_at: int | None = None,
) -> Path:
    """Make a study in `folder` and return its own; interrupted at step `stop_at` of the world, if given."""
    database = Database(f"sqlite:///{folder / 'studies.db'}")
    store = StudyStore(database, folder, name)
    plan = plan_of(name, settings, MACHINE)
    world = World(script, users=settings.users, interrupt_at=stop_at)
    try:
        store.lock()
        store.create(StoredStudy(name, created_at, settings.plain(), MACHINE, False))
        if isinstance(plan, OptimizePlan):
            run_optimization(plan, world.parts(), store, Watching(), Kept())
        else:
            run_study(plan, world.parts(), store, Watching())
        database.mark_complete(name)
    except KeyboardInterrupt:
        assert stop_at is not None
    finally:
        store.close()
        database.close()
    return store.folder
