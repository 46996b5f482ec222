"""Reads what `sweeper doctor` judges: limits, clock, who else is busy."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from sweeper.machine.facts import TURBO_OFF, Busy, MachineFacts
from sweeper.procfs import parse_host_stat, parse_port_range
from sweeper.telemetry.cgroup import cpu_group_known
from sweeper.telemetry.files import PROC, try_read_text
from sweeper.telemetry.fingerprint import SYS, host_fingerprint
from sweeper.telemetry.support import kernel_support

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
