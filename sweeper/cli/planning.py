"""From settings to a study's plan: the same for running it, for reading it again and for a dry run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from sweeper.course import StudyPlan
from sweeper.fingerprints import SOFTWARE, differences
from sweeper.optimization import OptimizePlan
from sweeper.scenario_study import ScenarioPlan
from sweeper.scenarios.terms import Scenario, Terms
from sweeper.search.rounds import SearchSpace
from sweeper.study_settings import GridSettings, OptimizeSettings, ScenarioSettings, StudySettings
from sweeper.under_load import RunSettings

NOT_CONFIRMED = (
    "the answer is not confirmed with requests that arrive at random: a locustfile of your own decides "
    "itself when its users send"
)


def plan_of(
    name: str, settings: StudySettings, environment: Mapping[str, object]
) -> StudyPlan | OptimizePlan:
    """`environment` is the study's fingerprint with the placement of server and load (environment.json)."""
    blocks = StudyPlan(
        name=name,
        configurations=settings.configurations if isinstance(settings, GridSettings) else (),
        rule=settings.rule,
        seed=settings.seed,
        reference=settings.reference,
        run=run_settings(settings, environment),
        fingerprint=fingerprint(environment),
        environment=dict(environment),
        confirm=settings.confirm and settings.locustfile is None,
        users=settings.users,
        not_confirmed=NOT_CONFIRMED if settings.confirm and settings.locustfile is not None else "",
        launcher=settings.launcher,
    )
    if not isinstance(settings, OptimizeSettings):
        return blocks
    search = SearchSpace(
        space=settings.space,
        reference=settings.reference,
        objectives=settings.objectives,
        trials=settings.trials,
        seed=settings.seed,
    )
    return OptimizePlan(search, replace(blocks.run, window_s=settings.search_window), blocks)


def run_settings(settings: StudySettings, environment: Mapping[str, object]) -> RunSettings:
    """How each run is made."""
    found, cores = environment.get("placement"), environment.get("cores")
    placement = found if isinstance(found, dict) else {}
    shared, load_cpus = bool(placement.get("shared", True)), placement.get("load_cpus")
    return RunSettings(
        window_s=settings.window,
        warmup_s=settings.warmup,
        warmup_cap_s=settings.warmup_cap,
        drain_s=settings.drain,
        start_timeout_s=settings.start_timeout,
        max_error_rate=settings.max_error_rate,
        cores_shared=shared and settings.expect_load_workers is None,
        host_cores=cores if isinstance(cores, int) else 1,
        interleave=settings.in_turns,
        load_processes=settings.expect_load_workers or settings.load_processes,
        load_elsewhere=settings.expect_load_workers is not None,
        load_cores=len(load_cpus) if isinstance(load_cpus, list) else None,
    )


def scenario_plan_of(
    name: str, settings: ScenarioSettings, environment: Mapping[str, object]
) -> ScenarioPlan:
    """As `plan_of`. Without a pool the number of workers means nothing, and stands as one."""
    pooled = settings.reference
    first, second = settings.servers
    terms = Terms(
        servers=(first, second),
        configurations={
            server: pooled if server.has_pool else replace(pooled, workers=1) for server in settings.servers
        },
        scenarios=tuple(scenario for scenario in Scenario if scenario in settings.scenarios),
        workload=settings.workload,
        concurrency=settings.concurrency,
        looks=settings.looks,
        confidence=settings.confidence,
        tolerance=settings.tolerance,
        seed=settings.seed,
        max_users=settings.max_users,
        max_error_rate=settings.max_error_rate,
        slo_p99_ms=settings.slo_p99,
    )
    run = run_settings(settings, environment)
    return ScenarioPlan(name, terms, run, fingerprint(environment), dict(environment))


def fingerprint(environment: Mapping[str, object]) -> str:
    """Short hash of an environment: runs with the same one may be compared."""
    text = json.dumps(environment, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def environment_differences(stored: Mapping[str, object], now: Mapping[str, object]) -> tuple[str, ...]:
    """What differs between two fingerprints, by name: `packages.numpy was 2.4.6, is 2.5.0`."""
    return tuple(found.sentence("{name} was {a}, is {b}") for found in differences(stored, now))


def host_differences(stored: Mapping[str, object], now: Mapping[str, object]) -> tuple[str, ...]:
    """What keeps a host from joining a study: what is measured, or with what, is not the same. Machines may
    differ, for each makes whole blocks; a commit says something only where both are in a repository."""
    known = [name for name in SOFTWARE if name != "git_commit" or (stored.get(name) and now.get(name))]
    return environment_differences(
        {name: stored.get(name) for name in known}, {name: now.get(name) for name in known}
    )
