"""What is below a guard, and proof that it is gone."""

from __future__ import annotations

import psutil

from sweeper.processes import ManagedProcess


def processes_under(process: ManagedProcess) -> list[psutil.Process]:
    return psutil.Process(process.guard_pid).children(recursive=True)


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert alive == []
