"""What this machine is: what its kernel can tell, its fingerprint, and what `sweeper doctor` judges."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from sweeper.errors import UsageError
from sweeper.records.machine import TURBO_OFF, Busy, MachineFacts
from sweeper.telemetry.cgroup import cpu_group_known, cpu_quota_cores, memory_limit_bytes
from sweeper.telemetry.procfs import (
    PROC,
    parse_cpu_model,
    parse_cpu_pressure,
    parse_host_stat,
    parse_port_range,
    parse_schedstat,
    parse_stat,
    parse_switches,
    try_read_text,
)
from sweeper.version import installed_version


@dataclass(frozen=True, slots=True)
class KernelSupport:
    """What this kernel can report. Without `schedstat` or `pressure`, these figures are None."""

    schedstat: bool
    """How long threads waited for a core."""
    pressure: bool
    """PSI: how long any task on the machine waited for a core."""
    task_children: bool
    """Which processes a thread started; without it, no figure is missing, but all of /proc is searched."""


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


SYS = Path("/sys")
PACKAGES = (
    "datarobot-drum",
    "fastapi",
    "gunicorn",
    "httptools",
    "joblib",
    "locust",
    "numpy",
    "optuna",
    "pandas",
    "plotly",
    "psutil",
    "pyarrow",
    "pydantic",
    "rich",
    "scikit-learn",
    "scipy",
    "sqlalchemy",
    "typer",
    "uvicorn",
    "uvloop",
    "xgboost",
)


@dataclass(frozen=True, slots=True)
class HostFingerprint:
    """No name of the host or its user is in here. None: this machine does not tell, or has no such limit."""

    cpu_model: str | None
    architecture: str
    cores: int
    """As the kernel counts them: two for a physical one with two threads."""
    physical_cores: int | None
    affinity: tuple[int, ...]
    """The cores that this process may use."""
    cpu_quota_cores: float | None
    """What its control groups leave of them."""
    memory_bytes: int
    memory_limit_bytes: int | None
    """Of its control groups."""
    kernel: str
    """The release: 6.1.0-18-amd64."""
    governor: str | None
    """Of the first core's frequency: performance, powersave, ..."""
    turbo: bool | None
    """Whether cores may run above their base frequency."""
    python: str
    """Implementation and version."""
    packages: dict[str, str]
    """Versions of those in PACKAGES that are installed."""


def host_fingerprint(proc: Path = PROC, sys: Path = SYS) -> HostFingerprint:
    """This machine and this interpreter, as they are now."""
    return HostFingerprint(
        cpu_model=parse_cpu_model(try_read_text(proc / "cpuinfo") or ""),
        architecture=platform.machine(),
        cores=os.cpu_count() or 1,
        physical_cores=psutil.cpu_count(logical=False),
        affinity=tuple(sorted(os.sched_getaffinity(0))),
        cpu_quota_cores=cpu_quota_cores(proc),
        memory_bytes=psutil.virtual_memory().total,
        memory_limit_bytes=memory_limit_bytes(proc),
        kernel=platform.release(),
        governor=_first_word(sys / "devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        turbo=_turbo(sys / "devices/system/cpu"),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages=_package_versions(),
    )


def _turbo(cpu: Path) -> bool | None:
    no_turbo = _first_word(cpu / "intel_pstate/no_turbo")
    if no_turbo is not None:
        return no_turbo == "0"
    boost = _first_word(cpu / "cpufreq/boost")
    return None if boost is None else boost == "1"


def _first_word(path: Path) -> str | None:
    words = (try_read_text(path) or "").split()
    return words[0] if words else None


def _package_versions() -> dict[str, str]:
    versions = {name: installed_version(name) for name in PACKAGES}
    return {name: version for name, version in versions.items() if version is not None}


LOOK_S = 0.5
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
NAMED = 3  # of the busiest processes
LEAST_NAMED_CORES = 0.05


def machine_facts(
    *,
    cores_shared: bool,
    users: int,
    open_files_needed: int,
    loopback: bool,
    busy: Busy,
    proc: Path = PROC,
    sys: Path = SYS,
) -> MachineFacts:
    """This machine as it is now. Raises UsageError where `kernel_support` does."""
    support = kernel_support(proc)
    found = host_fingerprint(proc, sys)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    cpu = sys / "devices/system/cpu"
    governors = {try_read_text(path) for path in cpu.glob("cpu[0-9]*/cpufreq/scaling_governor")}
    return MachineFacts(
        cpu_model=found.cpu_model,
        cores=found.cores,
        affinity=found.affinity,
        cores_shared=cores_shared,
        cpu_quota_known=cpu_group_known(proc),
        cpu_quota_cores=found.cpu_quota_cores,
        governors=tuple(sorted(text.strip() for text in governors if text and text.strip())),
        turbo=found.turbo,
        turbo_switch=next((name for name in TURBO_OFF if try_read_text(cpu / name) is not None), None),
        busy=busy,
        open_files=None if hard == resource.RLIM_INFINITY else hard,
        users=users,
        open_files_needed=open_files_needed,
        port_range=parse_port_range(try_read_text(proc / "sys/net/ipv4/ip_local_port_range") or ""),
        loopback=loopback,
        pressure=support.pressure,
        schedstat=support.schedstat,
        packages=found.packages,
    )


def look_around(
    seconds: float = LOOK_S, proc: Path = PROC, sleep: Callable[[float], None] = time.sleep
) -> Busy:
    """Who else uses the cores, over `seconds`. This process does not count."""
    before, own_s, at_s, users = _counters(proc), time.process_time(), time.monotonic(), _used()
    sleep(seconds)
    after, own_s = _counters(proc), time.process_time() - own_s
    passed_s = max(time.monotonic() - at_s, 1e-3)
    used = {key: (used_s - users[key]) / passed_s for key, used_s in _used().items() if key in users}
    busiest = sorted(used.items(), key=lambda item: -item[1])[:NAMED]
    busy_s, steal_s = (None if a is None or b is None else a - b for a, b in zip(after, before, strict=True))
    return Busy(
        seconds=seconds,
        other_cpu_cores=None if busy_s is None else max(0.0, (busy_s - own_s) / passed_s),
        steal_share=None if steal_s is None else steal_s / passed_s,
        busiest=tuple((name, pid, cores) for (name, pid), cores in busiest if cores >= LEAST_NAMED_CORES),
    )


def _counters(proc: Path) -> tuple[float | None, float | None]:
    """Seconds of CPU that all have used, and that the hypervisor took."""
    stat = parse_host_stat(try_read_text(proc / "stat") or "")
    return _seconds(stat.busy_ticks), _seconds(stat.steal_ticks)


def _seconds(ticks: int | None) -> float | None:
    return None if ticks is None else ticks / TICKS_PER_S


def _used() -> dict[tuple[str, int], float]:
    """CPU seconds of every other process that may be looked at, by name and id."""
    own = psutil.Process().pid
    found: dict[tuple[str, int], float] = {}
    for process in psutil.process_iter(["name", "cpu_times"]):
        times = process.info["cpu_times"]
        if process.pid != own and times is not None:
            found[process.info["name"] or "?", process.pid] = times.user + times.system
    return found
