"""One run: fresh server, ready, proved, loaded, stopped, judged (protocol.md, section 1)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from sweeper.errors import LoadError, ServerStartError
from sweeper.findings import RunContext, run_findings, verdict
from sweeper.findings.answers import no_predictions
from sweeper.findings.pool import not_applied
from sweeper.interfaces import RunningServer, SpeedProbe
from sweeper.observations import PoolStats, RequestLog, TelemetrySample
from sweeper.records import Evidence, Finding, RunFigures, RunPlan, RunRecord, Severity, Verdict
from sweeper.scenarios.terms import ServerKind
from sweeper.statistics.figures import Measurement, run_figures
from sweeper.statistics.own_clock import own_speed, resumed_s
from sweeper.under_load import Parts, RunFailed, RunSettings, State, last_line, under_load
from sweeper.underway import Underway

DRUMS_CONTRACT = frozenset({"fastapi", "drum"})
"""Launchers whose servers answer an upload with DRUM's `{"predictions": […]}`."""


@dataclass(frozen=True, slots=True)
class RunResult:
    record: RunRecord
    requests: RequestLog | None = None
    samples: tuple[TelemetrySample, ...] = ()


def run_in_steps(
    plan: RunPlan,
    settings: RunSettings,
    parts: Parts,
    directory: Path,
    underway: Underway,
    speed: SpeedProbe | None,
    on_state: Callable[[RunPlan, State, float], None],
) -> Generator[bool, bool, RunResult]:
    """Make one run; its logs go to `directory`. Yields wherever it can be put aside (`underway` does that),
    each time whether it has a window; sent True, it takes the last one.

    A run that goes wrong is a record with verdict `failed` and the finding that says why, never an
    exception; only an interrupt passes through, after server and load generator have been stopped. Closing
    the generator stops them as well.
    """
    parts = parts.of(plan)
    began_s, started_at = underway.spent_s(), parts.clock.utc_now()

    def state(now: State) -> None:
        on_state(plan, now, underway.spent_s() - began_s)

    figures: RunFigures | None = None
    evidence: Evidence
    try:
        state(State.STARTING)
        underway.server = parts.launcher.start(plan.configuration, directory / "server.log")
        try:
            measurement, steady = yield from _measure(
                plan, settings, parts, underway.server, directory, underway, speed, state
            )
        finally:
            try:
                state(State.STOPPING)
            finally:
                underway.server.stop()
        figures = run_figures(measurement)
        if figures is None:
            raise RunFailed(
                "no-requests",
                "no request completed within the window: the server accepts connections but does not answer "
                "in time; see the run's server.log, or give it a longer --window",
                {"window_s": settings.window_s, "started": len(measurement.requests.started_s)},
            )
        context = _context(plan, settings, parts, measurement, steady)
        findings = run_findings(measurement, figures, context)
    except ServerStartError as error:
        evidence = {"workers": plan.configuration.workers, "log": last_line(error.log_tail)}
        what_to_do = "see the run's server.log"
        findings = (_failure(error.code, f"{_first_line(error)}; {what_to_do}", evidence),)
    except LoadError as error:
        evidence = {"users": parts.load.users, "workers": plan.configuration.workers}
        what_to_do = "see the run's load.log; this run does not count against the server"
        findings = (_failure("load-died", f"{_first_line(error)}; {what_to_do}", evidence),)
    except RunFailed as error:
        findings = (_failure(error.code, str(error), error.evidence),)
    worth = verdict(findings)
    record = RunRecord(
        plan=plan,
        verdict=worth,
        started_at=started_at,
        elapsed_s=underway.spent_s() - began_s,
        figures=None if worth is Verdict.FAILED else figures,
        findings=findings,
    )
    return RunResult(record, underway.requests, tuple(underway.samples))


def _failure(code: str, message: str, evidence: Evidence) -> Finding:
    return Finding(code, Severity.ERROR, message.strip().partition("\n")[0], evidence)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _measure(
    plan: RunPlan,
    settings: RunSettings,
    parts: Parts,
    server: RunningServer,
    directory: Path,
    underway: Underway,
    speed: SpeedProbe | None,
    state: Callable[[State], None],
) -> Generator[bool, bool, tuple[Measurement, bool]]:
    ready_s = server.wait_ready(settings.start_timeout_s)
    workers = plan.configuration.workers
    answer = parts.load.first_answer(server.base_url, settings.answer_timeout_s)
    nothing = no_predictions(answer, parts.launcher.name in DRUMS_CONTRACT)
    if nothing is not None:
        raise RunFailed(nothing.code, nothing.message, nothing.evidence)
    before = server.pool_stats()
    if before is not None and before.workers is not None and before.workers != workers:
        said = f"/stats/ reports executor_workers = {before.workers}"
        ignored = not_applied(workers, said, {"reported": before.workers})
        raise RunFailed(ignored.code, ignored.message, ignored.evidence)
    loaded = yield from under_load(settings, parts, server, directory, underway, state)
    measurement = Measurement(
        requests=loaded.requests,
        samples=tuple(underway.samples),
        window=loaded.window,
        users_on_s=loaded.users_on_s,
        ended_s=loaded.ended_s,
        ready_s=ready_s,
        pool=_pool_after(before, server.pool_stats()),
        speed=own_speed(speed.read(), underway.pauses) if speed is not None else None,
        resumed_s=resumed_s(underway.pauses),
        answer=answer,
    )
    return measurement, loaded.steady


def _pool_after(before: PoolStats | None, after: PoolStats | None) -> PoolStats | None:
    """The pool at the end, its counters without what was counted before the load."""
    if after is None or before is None:
        return after
    return PoolStats(
        workers=after.workers,
        max_concurrency=after.max_concurrency,
        pending=after.pending,
        completed=None if after.completed is None else after.completed - (before.completed or 0),
        rejected=None if after.rejected is None else after.rejected - (before.rejected or 0),
    )


def _context(
    plan: RunPlan, settings: RunSettings, parts: Parts, measurement: Measurement, steady: bool
) -> RunContext:
    pool, log = measurement.pool, measurement.requests
    counted = None
    if plan.configuration.processes == 1 and pool is not None and pool.completed is not None:
        counted = pool.completed + (pool.rejected or 0)  # `/stats/` is one process's
    # Only of our own users do we know that every request is a prediction.
    ours = parts.load.mean_think_s is not None or plan.arrivals_per_s is not None
    successes = int(((log.status > 0) & ~log.failed).sum())
    pooled_share: float | None = 1.0
    if not ours:
        pooled_share = min(1.0, counted / successes) if counted is not None and successes else None
    return RunContext(
        configuration=plan.configuration,
        users=parts.load.users,
        mean_think_s=parts.load.mean_think_s,
        max_error_rate=settings.max_error_rate,
        steady=steady,
        host_cores=settings.host_cores,
        responses_counted_by_server=counted if ours else None,
        open_loop=plan.arrivals_per_s is not None,
        has_pool=plan.case is None or ServerKind(plan.case.server).has_pool,
        load_processes=settings.load_processes,
        load_elsewhere=settings.load_elsewhere,
        load_cores=settings.load_cores,
        pooled_share=pooled_share,
        of_scenario=plan.case is not None,
    )
