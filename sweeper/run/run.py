"""One run: fresh server, ready, proved, loaded, stopped, judged."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

from sweeper.checks.accounting import log_cut
from sweeper.checks.answers import no_predictions
from sweeper.checks.pool import not_applied
from sweeper.checks.run_checks import run_findings, verdict
from sweeper.checks.thresholds import RunContext
from sweeper.checks.turns import turns_tried
from sweeper.errors import LoadError, ServerStartError
from sweeper.records.finding import Evidence, Finding, FindingCode, Severity, Verdict
from sweeper.records.observations import PoolStats, RequestLog, TelemetrySample
from sweeper.records.run import RateStep, RunFigures, RunKind, RunPlan, RunRecord
from sweeper.records.scenarios import ServerKind
from sweeper.records.wording import last_line
from sweeper.run.active_run import ActiveRun
from sweeper.run.climb import rate_of_first_climb
from sweeper.run.interfaces import Parts, RunningServer, SpeedProbe
from sweeper.run.timing import SAMPLING_PERIOD_S, RunSettings
from sweeper.run.turns_trial import try_server
from sweeper.run.under_load import RunFailed, RunState, out_of_memory, under_load
from sweeper.statistics.capacity import RATIO, WIDE_RATIO, capacity, climb_around
from sweeper.statistics.figures import Measurement, run_figures
from sweeper.statistics.own_clock import own_speed, resumed_s
from sweeper.statistics.warmup import change

DRUMS_CONTRACT = frozenset({"fastapi", "drum"})
"""Launchers whose servers answer an upload with DRUM's `{"predictions": […]}`."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run as it is recorded, and the raw material it was judged by."""

    record: RunRecord
    requests: RequestLog | None = None  # None: it failed before its load had ended
    samples: tuple[TelemetrySample, ...] = ()
    change: float | None = None  # of throughput, from the window's first half to its second; None: not known


def run_in_steps(
    plan: RunPlan,
    settings: RunSettings,
    parts: Parts,
    directory: Path,
    active: ActiveRun,
    speed: SpeedProbe | None,
    on_state: Callable[[RunPlan, RunState, float], None],
) -> Generator[bool, bool, RunResult]:
    """Make one run; its logs go to `directory`. The generator yields wherever `active` can put the run aside.
    It yields whether the run has a window by now. If the caller sends True, the run takes its last window.

    A run that goes wrong gives a record with verdict `failed` and a finding that says why, never an
    exception. Only an interrupt passes through, after sweeper has ended the load generator and told the
    server to stop. Closing the generator does the same; the caller then waits for all servers at once.
    """
    parts = parts.of(plan)
    began_s, started_at = active.spent_s(), parts.clock.utc_now()

    def state(now: RunState) -> None:
        on_state(plan, now, active.spent_s() - began_s)

    figures: RunFigures | None = None
    changed: float | None = None
    evidence: Evidence
    try:
        state(RunState.STARTING)
        active.server = parts.launcher.start(plan.configuration, directory / "server.log")
        given_up = False
        try:
            measurement, steady = yield from _measure(
                plan, settings, parts, active.server, directory, active, speed, state
            )
        except (GeneratorExit, KeyboardInterrupt):
            given_up = True
            raise
        finally:
            try:
                state(RunState.STOPPING)
            finally:
                if given_up:
                    active.server.begin_stop()
                else:
                    ended = active.server.stop()
        killed = out_of_memory(active.server)
        if killed is not None:  # a process of several, and the rest went on
            raise killed
        figures = _figures(plan, settings, measurement)
        if figures is None:
            raise RunFailed(
                Finding(
                    FindingCode.NO_REQUESTS,
                    Severity.ERROR,
                    "no request completed within the window: the server accepts connections but does not "
                    "answer in time, or its answers never end; see the run's server.log, or give it a longer "
                    "--window",
                    {"window_s": settings.window_s, "started": len(measurement.requests.started_s)},
                )
            )
        context = replace(
            _context(plan, settings, parts, measurement, steady),
            killed_after_s=ended.stopped_in_s if ended.killed else None,
            may_take_turns=active.server.stands_still or not settings.interleave,
        )
        findings = run_findings(measurement, figures, context)
        changed = change(measurement.requests, measurement.window, figures.warmup_s)
    except ServerStartError as error:
        findings = (_not_started(error, plan, active.server),)
    except LoadError as error:
        evidence = {"users": parts.load.users, "workers": plan.configuration.workers}
        what_to_do = "see the run's load.log; this run does not count against the server"
        findings = (_failure(FindingCode.LOAD_DIED, f"{_first_line(error)}; {what_to_do}", evidence),)
    except RunFailed as error:
        findings = (replace(error.finding, message=_first_line(error)),)
    findings = (*findings, *_cut_logs(active))
    if active.tried is not None:
        findings = (*findings, active.tried)
    worth = verdict(findings)
    record = RunRecord(
        plan=plan,
        verdict=worth,
        started_at=started_at,
        elapsed_s=active.spent_s() - began_s,
        figures=None if worth is Verdict.FAILED else figures,
        findings=findings,
    )
    return RunResult(record, active.requests, tuple(active.samples), changed)


def _figures(plan: RunPlan, settings: RunSettings, measurement: Measurement) -> RunFigures | None:
    figures, within_ms = run_figures(measurement), settings.capacity_within_ms
    if figures is None or within_ms is None or not measurement.climb:
        return figures
    most_at_once = plan.configuration.workers * plan.configuration.processes
    found = capacity(measurement.requests, measurement.climb, within_ms, most_at_once)
    return replace(figures, capacity=found)


def _not_started(error: ServerStartError, plan: RunPlan, server: RunningServer | None) -> Finding:
    killed = None if server is None else out_of_memory(server)
    if killed is not None:
        return killed.finding
    evidence: Evidence = {"workers": plan.configuration.workers, "log": last_line(error.log_tail)}
    text = f"{_first_line(error)}; see the run's server.log"
    return _failure(FindingCode.SERVER_DID_NOT_START, text, evidence)


def _cut_logs(active: ActiveRun) -> tuple[Finding, ...]:
    kept = {"server.log": active.server, "load.log": active.session}
    left_out = {file: one.log_left_out_bytes for file, one in kept.items() if one is not None}
    return tuple(log_cut(file, count) for file, count in left_out.items() if count)


def _failure(code: FindingCode, message: str, evidence: Evidence) -> Finding:
    return Finding(code, Severity.ERROR, message.strip().partition("\n")[0], evidence)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _measure(
    plan: RunPlan,
    settings: RunSettings,
    parts: Parts,
    server: RunningServer,
    directory: Path,
    active: ActiveRun,
    speed: SpeedProbe | None,
    state: Callable[[RunState], None],
) -> Generator[bool, bool, tuple[Measurement, bool]]:
    ready_s = server.wait_ready(settings.start_timeout_s)
    workers = plan.configuration.workers
    answer = parts.load.first_answer(server.base_url, settings.answer_timeout_s)
    nothing = no_predictions(answer, parts.launcher.name in DRUMS_CONTRACT)
    if nothing is not None:
        raise RunFailed(nothing)
    if settings.try_turns:
        state(RunState.TRYING)
        active.tried = turns_tried(try_server(settings, parts, server, directory), SAMPLING_PERIOD_S)
    within_ms = settings.capacity_within_ms
    climb: tuple[RateStep, ...] = ()
    if within_ms is not None and plan.kind in (RunKind.BLOCK, RunKind.SEARCH):
        expected, ratio = plan.expected_rps, RATIO
        if expected is None:
            state(RunState.EXPECTING)
            expected = rate_of_first_climb(settings, parts, server, directory, within_ms, plan.block)
            ratio = WIDE_RATIO
        climb = climb_around(expected, settings.window_s, ratio)
        parts = replace(parts, load=parts.load.climbing(climb, plan.block))
    before = server.pool_stats()
    if before is not None and before.workers is not None and before.workers != workers:
        said = f"/stats/ reports executor_workers = {before.workers}"
        raise RunFailed(not_applied(workers, said, {"reported": before.workers}))
    loaded = yield from under_load(settings, parts, server, directory, active, state, climb)
    measurement = Measurement(
        requests=loaded.requests,
        samples=tuple(active.samples),
        window=loaded.window,
        users_on_s=loaded.users_on_s,
        ended_s=loaded.ended_s,
        ready_s=ready_s,
        pool=_pool_after(before, server.pool_stats()),
        speed=own_speed(speed.read(), active.pauses) if speed is not None else None,
        resumed_s=resumed_s(active.pauses),
        paused_s=tuple(pause.duration_s for pause in active.pauses),
        quota_period_s=None if active.quota is None else active.quota.length_s,
        answer=answer,
        users=None if parts.load.arrivals_per_s is not None else parts.load.users,
        unreported=None if active.probe is None else active.probe.why_unknown(),
        climb=climb,
    )
    return measurement, loaded.steady


def _pool_after(before: PoolStats | None, after: PoolStats | None) -> PoolStats | None:
    """The pool at the end, its counters without what was counted before the load."""
    if after is None or before is None:
        return after
    return replace(
        after,
        completed=None if after.completed is None else after.completed - (before.completed or 0),
        rejected=None if after.rejected is None else after.rejected - (before.rejected or 0),
    )


def _context(
    plan: RunPlan, settings: RunSettings, parts: Parts, measurement: Measurement, steady: bool
) -> RunContext:
    pool, log = measurement.pool, measurement.requests
    counted = None
    processes = plan.configuration.processes
    if pool is not None and pool.completed is not None and pool.counts_all_of(processes):
        counted = pool.completed + (pool.rejected or 0)
    # Only of our own users do we know that every request is a prediction.
    ours = parts.load.mean_think_s is not None or measurement.users is None
    successes = int(((log.status > 0) & ~log.failed).sum())
    pooled_share: float | None = 1.0
    if not ours:
        pooled_share = min(1.0, counted / successes) if counted is not None and successes else None
    return RunContext(
        configuration=plan.configuration,
        users=parts.load.users,
        # A climb has no users, though the load that it was made of has.
        mean_think_s=None if measurement.users is None else parts.load.mean_think_s,
        max_error_rate=settings.max_error_rate,
        steady=steady,
        host_cores=settings.host_cores,
        responses_counted_by_server=counted if ours else None,
        open_loop=measurement.users is None,
        has_pool=plan.case is None or ServerKind(plan.case.server).has_pool,
        load_processes=settings.load_processes,
        load_elsewhere=settings.load_elsewhere,
        server_elsewhere=parts.launcher.name == "remote",
        load_cores=settings.load_cores,
        pooled_share=pooled_share,
        gate=None if pool is None else pool.gate,
        quota_cores=settings.quota_cores,
        of_scenario=plan.kind is RunKind.SCENARIO,
        of_smaller_load=plan.load is not None and plan.load < settings.largest_load,
        objective=settings.objective,
    )
