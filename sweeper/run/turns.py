"""The runs of a block side by side: each has a fresh server and users of its own, and they take turns.

A host changes its speed within seconds, so that runs made one after another differ by what the host did
meanwhile. In turns of half a second (timing.py), all of them see the same host. Between its turns, a run's
server and users are stopped and use nothing but memory. If memory would run short, sweeper makes a block in
parts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from sweeper.checks.run_checks import verdict
from sweeper.checks.steadiness import beside_others
from sweeper.checks.turns import says_turns
from sweeper.records.finding import Finding, FindingCode
from sweeper.records.run import RunPlan
from sweeper.records.wording import counted
from sweeper.run.active_run import ActiveRun
from sweeper.run.interfaces import Parts, Telemetry
from sweeper.run.run import RunResult, run_in_steps
from sweeper.run.timing import STOP_GRACE_S, RunSettings
from sweeper.run.under_load import RunState

OnState = Callable[[RunPlan, RunState, float], None]
"""Called when a run enters a state, with the seconds spent on it so far."""
OnTrial = Callable[[Finding], None]
"""Called with what came of the trial whether runs may take turns."""


@dataclass(slots=True)
class _Runner:
    """One run of those that are made side by side."""

    active: ActiveRun
    steps: Generator[bool, bool, RunResult]  # run_in_steps
    ready: bool = False  # it has a window by now

    def go_on(self, *, finish: bool = False) -> RunResult | None:
        """To where it can be put aside again (None), or to its end."""
        self.active.take_up()
        try:
            self.ready = self.steps.send(True) if finish else next(self.steps)
        except StopIteration as end:
            result: RunResult = end.value
            return result
        return None


def run_side_by_side(
    plans: Sequence[RunPlan],
    settings: RunSettings,
    parts: Parts,
    directory: Callable[[str], Path],
    on_state: OnState,
    on_wait: Callable[[str], None] = lambda why: None,
    on_trial: OnTrial = lambda tried: None,
) -> Generator[RunResult, None, None]:
    """Make the runs of `plans`; each result is yielded as soon as the run has ended.

    `directory` gives each run's folder by its id. Without `settings.interleave`, or where the trial speaks
    against turns, they are made one after another. A run that goes wrong is a result, too; only an interrupt
    passes through. `on_wait` is told what is waited for then. Close the generator when no more results are
    wanted: whatever happens, everything that was started is stopped.
    """
    left = list(plans)
    while left:
        several = settings.interleave and len(left) > 1
        settings = yield from _together(
            left,
            settings if several else replace(settings, try_turns=False),
            parts.among(len(left)) if several else parts,
            directory,
            on_state,
            on_wait,
            on_trial,
        )


def _together(
    left: list[RunPlan],
    settings: RunSettings,
    parts: Parts,
    directory: Callable[[str], Path],
    on_state: OnState,
    on_wait: Callable[[str], None],
    on_trial: OnTrial,
) -> Generator[RunResult, None, RunSettings]:
    """Takes as many from the head of `left` as have room, and makes those runs. Returns the settings for the
    others: they are not as before where a trial was made."""
    order = random.Random(" ".join(plan.run_id for plan in left))
    runners: list[_Runner] = []
    going: list[ActiveRun] = []
    with ExitStack() as stack:
        stack.callback(_wait_for_servers, going, on_wait)  # after all of them were told to stop
        speed = None
        while left:
            if runners and not (settings.interleave and _all_stand_still(runners)):
                break
            _put_aside(runners)
            if runners and not _room_for_another(runners, parts.telemetry):
                break
            plan = left.pop(0)
            folder = directory(plan.run_id)
            if speed is None and parts.host_speed is not None:
                speed = parts.host_speed.start(folder)
                stack.callback(speed.stop)
            active = ActiveRun(parts.clock)
            going.append(active)
            steps = run_in_steps(plan, settings, parts, folder, active, speed, on_state)
            stack.callback(steps.close)
            runner = _Runner(active, steps)
            result = runner.go_on()
            if active.tried is not None:
                on_trial(active.tried)
                settings = replace(settings, interleave=says_turns(active.tried), try_turns=False)
            if result is None:
                runners.append(runner)
            else:
                going.remove(active)
                yield result
        yield from _in_turns(runners, order, going)
    return settings


def _in_turns(
    runners: list[_Runner], order: random.Random, going: list[ActiveRun]
) -> Generator[RunResult, None, None]:
    """Makes the runs that are begun, to their ends; those that drift come last, held against the others."""
    changes: dict[str, float] = {}  # of throughput, by the runs' ids
    drifted: list[RunResult] = []
    while runners:
        # All of them take their windows in the same seconds, once the last one is steady.
        finish = all(runner.ready for runner in runners)
        order.shuffle(runners)
        for runner in tuple(runners):
            _put_aside([other for other in runners if other is not runner])
            result = runner.go_on(finish=finish)
            if result is not None:
                runners.remove(runner)
                going.remove(runner.active)
                if result.change is not None:
                    changes[result.record.plan.run_id] = result.change
                if result.record.has(FindingCode.DRIFT):
                    drifted.append(result)
                else:
                    yield result
    for result in drifted:
        own_id = result.record.plan.run_id
        yield _beside_others(result, [change for run_id, change in changes.items() if run_id != own_id])


def _beside_others(drifted: RunResult, changes: Sequence[float]) -> RunResult:
    findings = tuple(
        beside_others(found, changes) if found.code == FindingCode.DRIFT else found
        for found in drifted.record.findings
    )
    return replace(drifted, record=replace(drifted.record, findings=findings, verdict=verdict(findings)))


def _wait_for_servers(going: Sequence[ActiveRun], on_wait: Callable[[str], None]) -> None:
    """Of runs that were given up. An interrupt meanwhile kills what is left of them."""
    servers = [active.server for active in going if active.server is not None]
    if not servers:
        return
    try:
        what = counted(len(servers), "server")
        on_wait(f"waiting up to {STOP_GRACE_S:g} s for {what} to stop; Ctrl-C again kills what is left")
        for server in servers:
            server.stop()
    except BaseException:
        for server in servers:
            server.begin_stop(0.0)
        for server in servers:
            server.stop(0.0)
        raise


def _put_aside(runners: Sequence[_Runner]) -> None:
    for runner in runners:
        runner.active.put_aside()


def _all_stand_still(runners: Sequence[_Runner]) -> bool:
    return all(r.active.server is not None and r.active.server.stands_still for r in runners)


def _room_for_another(runners: Sequence[_Runner], telemetry: Telemetry) -> bool:
    """Whether one more server has room in memory even if all of them come to need twice what they do now."""
    available = telemetry.available_bytes()
    largest = max(runner.active.rss_bytes for runner in runners)
    return available is None or available >= largest * (len(runners) + 2)
