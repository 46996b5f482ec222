"""The runs of a block side by side: each has a fresh server and users of its own, and they take turns.

A host changes its speed within seconds, so that runs made one after another differ by what the host did
meanwhile. In turns of half a second, all of them see the same host. Whoever is not in turn is stopped, server
and users alike, and uses nothing but memory; where that would run short, a block is made in parts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sweeper.interfaces import Telemetry
from sweeper.records import RunPlan
from sweeper.run import RunResult, run_in_steps
from sweeper.under_load import Parts, RunSettings, State
from sweeper.underway import Underway

OnState = Callable[[RunPlan, State, float], None]
"""Told when a run enters a state, with the seconds spent on it so far."""


@dataclass(slots=True)
class _Runner:
    """One run of those that take turns. `ready`: it has a window by now."""

    underway: Underway
    steps: Generator[bool, bool, RunResult]
    ready: bool = False

    def go_on(self, *, finish: bool = False) -> RunResult | None:
        """To where it can be put aside again (None), or to its end."""
        self.underway.take_up()
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
) -> Generator[RunResult, None, None]:
    """Make the runs of `plans`; each result is yielded as soon as the run has ended.

    `directory` gives each run's folder by its id. Without `settings.interleave` they are made one after
    another. A run that goes wrong is a result, too; only an interrupt passes through. Close the generator
    when no more results are wanted: whatever happens, everything that was started is stopped.
    """
    left = list(plans)
    if settings.interleave and len(left) > 1:
        parts = parts.among(len(left))
    while left:
        yield from _together(left, settings, parts, directory, on_state)


def _together(
    left: list[RunPlan],
    settings: RunSettings,
    parts: Parts,
    directory: Callable[[str], Path],
    on_state: OnState,
) -> Iterator[RunResult]:
    """Takes as many from the head of `left` as have room, and makes those runs."""
    order = random.Random(" ".join(plan.run_id for plan in left))
    runners: list[_Runner] = []
    with ExitStack() as stack:
        speed = None
        while left:
            if runners and not settings.interleave:
                break
            _put_aside(runners)
            if runners and not _room_for_another(runners, parts.telemetry):
                break
            plan = left.pop(0)
            folder = directory(plan.run_id)
            if speed is None and parts.host_speed is not None:
                speed = parts.host_speed.start(folder)
                stack.callback(speed.stop)
            underway = Underway(parts.clock)
            steps = run_in_steps(plan, settings, parts, folder, underway, speed, on_state)
            stack.callback(steps.close)
            runner = _Runner(underway, steps)
            result = runner.go_on()
            if result is None:
                runners.append(runner)
            else:
                yield result
        while runners:
            # All of them take their windows in the same seconds, once the last one is steady.
            finish = all(runner.ready for runner in runners)
            order.shuffle(runners)
            for runner in tuple(runners):
                _put_aside([other for other in runners if other is not runner])
                result = runner.go_on(finish=finish)
                if result is not None:
                    runners.remove(runner)
                    yield result


def _put_aside(runners: Sequence[_Runner]) -> None:
    for runner in runners:
        runner.underway.put_aside()


def _room_for_another(runners: Sequence[_Runner], telemetry: Telemetry) -> bool:
    """Whether one more server has room in memory even if all of them come to need twice what they do now."""
    available = telemetry.available_bytes()
    largest = max(runner.underway.rss_bytes for runner in runners)
    return available is None or available >= largest * (len(runners) + 2)
