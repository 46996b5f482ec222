"""Which of the figures this kernel can give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sweeper.errors import UsageError
from sweeper.procfs import parse_cpu_pressure, parse_host_stat, parse_schedstat, parse_stat, parse_switches
from sweeper.telemetry.cgroup import CpuThrottling
from sweeper.telemetry.files import PROC, try_read_text


@dataclass(frozen=True, slots=True)
class KernelSupport:
    """Where one is False, its figures are None; `task_children` alone costs time, not figures."""

    schedstat: bool
    pressure: bool
    throttling: bool
    steal: bool
    task_children: bool


def kernel_support(proc: Path = PROC) -> KernelSupport:
    """Looks at the files of this very process. Raises UsageError as `require_proc` does."""
    require_proc(proc)
    own = proc / "self"
    schedule = parse_schedstat(try_read_text(own / "schedstat") or "")
    stat = parse_stat(try_read_text(own / "stat") or "")
    pid = 0 if stat is None else stat.pid
    return KernelSupport(
        # A kernel that does not keep these times writes "0 0 0", for a process that is plainly running.
        schedstat=schedule is not None and schedule.run_ns > 0,
        pressure=parse_cpu_pressure(try_read_text(proc / "pressure/cpu") or "") is not None,
        throttling=CpuThrottling(proc, "self").read().periods is not None,
        steal=parse_host_stat(try_read_text(proc / "stat") or "").steal_ticks is not None,
        task_children=try_read_text(own / f"task/{pid}/children") is not None,
    )


def require_proc(proc: Path = PROC) -> None:
    """Raises UsageError where the kernel's process files, or the context switches in them, are missing."""
    if parse_stat(try_read_text(proc / "self/stat") or "") is None:
        raise UsageError(
            f"there is no Linux process file system at {proc}, from which sweeper reads CPU and context "
            "switches: run it on Linux (a container or a virtual machine will do)"
        )
    if None in parse_switches(try_read_text(proc / "self/status") or ""):
        raise UsageError(
            f"{proc}/self/status has no voluntary_ctxt_switches, so this kernel (a sandbox?) does not count "
            "context switches: run sweeper on a plain Linux kernel"
        )
