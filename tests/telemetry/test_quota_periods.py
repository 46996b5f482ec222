"""When the periods of a CPU quota begin: told by a counter that is read late, and by the kernel."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from sweeper.processes import spawn
from sweeper.processes.resource_limits import ResourceLimits, limited_groups
from sweeper.records.observations import QuotaPeriods
from sweeper.telemetry.cgroup import CpuBudget, watch_quota_periods

PROC = Path("/proc")
BURNING = [sys.executable, "-c", "while True: pass"]


class Budget:
    """Counts the periods that began by a made-up clock, each of 100 ms, from 0.037 s on."""

    def __init__(self, begins: bool = True, length_s: float | None = 0.1) -> None:
        self.now_s, self.begins, self.length_s = 50.0, begins, length_s
        self.looks = 0

    def period_s(self) -> float | None:
        return self.length_s

    def elapsed_periods(self) -> int:
        self.looks += 1
        return int((self.now_s - 0.037) / 0.1) if self.begins else 7

    def sleep(self, seconds: float) -> None:
        # Now and then whoever looks has to wait for a core.
        self.now_s += seconds + (0.03 if self.looks % 50 == 49 else 0.0001)


def watched(budget: Budget) -> QuotaPeriods | None:
    return watch_quota_periods(budget, lambda: budget.now_s, budget.sleep)  # type: ignore[arg-type]


def test_the_narrowest_look_tells() -> None:
    found = watched(Budget())
    assert found is not None
    assert found.length_s == 0.1
    assert found.start_s % 0.1 == pytest.approx(0.037, abs=0.001)
    assert found.next_after(60.0) == pytest.approx(60.037, abs=0.001)
    assert found.next_after(60.05) == pytest.approx(60.137, abs=0.001)


def test_without_a_quota_there_is_nothing_to_watch() -> None:
    budget = Budget(length_s=None)
    assert watched(budget) is None
    assert budget.looks == 0


def test_a_server_that_does_nothing_uses_up_no_period() -> None:
    assert watched(Budget(begins=False)) is None


@pytest.mark.needs("limits")
def test_the_kernel_keeps_to_its_periods_while_nothing_runs(tmp_path: Path) -> None:
    """What turns rest on: after a stop of any length they begin where they would have begun."""
    group = limited_groups(ResourceLimits(cpu_cores=0.2)).new()
    process = spawn(BURNING, env=dict(os.environ), log_path=tmp_path / "log", group=group)
    try:
        budget = CpuBudget(PROC, process.pid)
        before = watch_quota_periods(budget)
        process.freeze()
        time.sleep(0.777)
        process.thaw()
        after = watch_quota_periods(budget)
    finally:
        process.stop()
    assert before is not None
    assert after is not None
    apart_s = (after.start_s - before.start_s + 0.05) % 0.1 - 0.05
    assert abs(apart_s) < 0.02  # on a busy machine each look may come late by some milliseconds
