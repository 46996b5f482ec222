"""From settings to a study's plan: the same for running it, for reading it again and for a dry run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from sweeper.analysis.fingerprints import OF_THE_DATA
from sweeper.records.run import Objective
from sweeper.records.scenarios import Scenario, Terms
from sweeper.run.timing import RunSettings
from sweeper.settings.command_settings import GridSettings, OptimizeSettings
from sweeper.settings.scenario_settings import ScenarioSettings
from sweeper.settings.study_settings import StudySettings
from sweeper.study.optimization import OptimizePlan
from sweeper.study.scenarios import ScenarioPlan
from sweeper.study.search_rounds import SearchSpace
from sweeper.study.study_state import StudyPlan

SOONEST_SPOILED = (Objective.CAPACITY, Objective.P99, Objective.THROUGHPUT)
"""By a load generator that is late."""
NOT_CONFIRMED = (
    "the answer is not confirmed with requests that arrive at random: a locustfile of your own decides "
    "itself when its users send"
)

SEVERAL_LOADS = (
    "the answer is not confirmed with requests that arrive at random: a study of several loads has no "
    "confirmation run"
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
        # With requests that arrive at random in every block there is nothing left to confirm.
        confirm=settings.confirm
        and not settings.loads
        and settings.locustfile is None
        and settings.waiting_users is not None,
        users=settings.waiting_users,
        arrivals_per_s=settings.largest_rate,
        not_confirmed=_not_confirmed(settings),
        launcher=settings.launcher,
        cost_per_hour=settings.cost_per_hour,
        plan_for_rps=settings.plan_for,
        loads=settings.loads,
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


def _not_confirmed(settings: StudySettings) -> str:
    if not settings.confirm:
        return ""
    if settings.locustfile is not None:
        return NOT_CONFIRMED
    return SEVERAL_LOADS if settings.loads and settings.rate is None else ""


def run_settings(settings: StudySettings, environment: Mapping[str, object]) -> RunSettings:
    """How each run is made."""
    found, cores = environment.get("placement"), environment.get("cores")
    placement = found if isinstance(found, dict) else {}
    quota = settings.cpu_limit
    if (
        quota is None and not settings.own_server and settings.server_command is None
    ):  # whose servers may have groups of their own
        seen = environment.get("cpu_quota_cores")
        quota = float(seen) if isinstance(seen, int | float) else None
    shared, load_cpus = bool(placement.get("shared", True)), placement.get("load_cpus")
    return RunSettings(
        window_s=settings.window,
        warmup_s=settings.warmup,
        warmup_cap_s=settings.warmup_cap,
        drain_s=settings.drain,
        start_timeout_s=settings.start_timeout,
        max_error_rate=settings.max_error_rate,
        objective=next(o for o in SOONEST_SPOILED if o in settings.objectives),
        capacity_within_ms=settings.slo_p99 if Objective.CAPACITY in settings.objectives else None,
        cores_shared=shared and settings.expect_load_workers is None,
        host_cores=cores if isinstance(cores, int) else 1,
        interleave=settings.in_turns,
        try_turns=settings.in_turns and settings.interleave is None,
        load_processes=settings.expect_load_workers or settings.load_processes,
        load_elsewhere=settings.expect_load_workers is not None,
        quota_cores=quota,
        restart_s=settings.restart_s,
        largest_load=max(settings.loads, default=0.0),
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
    known = {name: fact for name, fact in environment.items() if name not in OF_THE_DATA}
    text = json.dumps(known, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
