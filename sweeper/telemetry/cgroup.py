"""The control groups a process is in (version 1, 2, or both): CPU quota and its periods, memory limit.

A limit may sit on any level above the process, so every level up to the mount is read. Formats: cgroups(7),
Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.

The kernel does not report when a quota's periods begin, so `watch_quota_periods` watches their count. A group
that resumes after a freeze has its whole quota at once, and again when the next period begins. So a server
that uses up its quota gets more than its share when it resumes at arbitrary moments: we measured 0.560 cores
under a quota of 0.5 in turns of 0.5 s, and 0.516 when each turn begins with a period.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sweeper.processes.control_group import group_levels
from sweeper.records.observations import QuotaPeriods
from sweeper.telemetry.procfs import is_number, number_after, try_read_text

# Version 1 writes "no limit" as the largest page-aligned number of bytes, which depends on the page size.
_UNLIMITED_MEMORY_BYTES = 1 << 60


@dataclass(frozen=True, slots=True)
class Throttling:
    """A group's cpu.stat; None where it does not say."""

    periods: int | None
    """In which its CPU quota ran out."""
    seconds: float | None
    """How long its threads stood still, summed over the cores."""
    elapsed_periods: int | None = None
    """Of its quota, in which any of its processes ran."""


class CpuBudget:
    """What the CPU quotas of a process's groups leave it, and what becomes of that. The groups are looked up
    once."""

    def __init__(self, proc: Path, pid: int | str) -> None:
        self._proc = proc
        self._version, self._levels = group_levels(proc, pid, "cpu")
        self._accounts = self._levels
        if self._version == 1:
            _, accounts = group_levels(proc, pid, "cpuacct")
            # Of two hierarchies, groups of the same path are made for the same processes.
            same = [level.name for level in accounts[:-1]] == [level.name for level in self._levels[:-1]]
            self._accounts = accounts if same else []

    def throttling(self) -> Throttling:
        """Sums over the levels, since a quota on any of them stops the process; None where none counts.
        Periods that elapse are those of the tightest quota."""
        found = [parse_throttling(try_read_text(level / "cpu.stat") or "") for level in self._levels]
        periods = [one.periods for one in found if one.periods is not None]
        seconds = [one.seconds for one in found if one.periods is not None and one.seconds is not None]
        tightest = self._tightest()
        return Throttling(
            sum(periods) if periods else None,
            sum(seconds) if seconds else None,
            None if tightest is None else found[tightest].elapsed_periods,
        )

    def quota_cores(self) -> float | None:
        """Of the tightest quota; None without one."""
        return min((cores for cores in self._quotas() if cores is not None), default=None)

    def period_s(self) -> float | None:
        """After which the tightest quota is there again in full; None without one."""
        tightest = self._tightest()
        if tightest is None:
            return None
        level = self._levels[tightest]
        if self._version == 2:
            text = (try_read_text(level / "cpu.max") or "").partition(" ")[2]
        else:
            text = try_read_text(level / "cpu.cfs_period_us") or ""
        return int(text) / 1e6 if is_number(text.strip()) else None

    def elapsed_periods(self) -> int | None:
        """As in `throttling`, by itself, which is quicker."""
        tightest = self._tightest()
        if tightest is None:
            return None
        return number_after(try_read_text(self._levels[tightest] / "cpu.stat") or "", "nr_periods ")

    def used_s(self) -> float | None:
        """CPU of everything in the group of the tightest quota; None without one, or where it is not
        known."""
        tightest = self._tightest()
        if tightest is None or not self._accounts:
            return None
        account = self._accounts[tightest]
        if self._version == 1:
            text = (try_read_text(account / "cpuacct.usage") or "").strip()
            return int(text) / 1e9 if is_number(text) else None
        usage_us = number_after(try_read_text(account / "cpu.stat") or "", "usage_usec ")
        return None if usage_us is None else usage_us / 1e6

    def covers(self, pid: int | str) -> bool:
        """Whether the tightest quota holds for that process, too."""
        tightest = self._tightest()
        if tightest is None:
            return False
        return self._levels[tightest] in group_levels(self._proc, pid, "cpu")[1]

    def _quotas(self) -> list[float | None]:
        return [_quota_cores(self._version, level) for level in self._levels]

    def _tightest(self) -> int | None:
        quotas = {index: cores for index, cores in enumerate(self._quotas()) if cores is not None}
        return min(quotas, key=lambda index: quotas[index], default=None)


def cpu_quota_cores(proc: Path, pid: int | str = "self") -> float | None:
    """The smallest CPU quota that holds for the process, in cores; None without one."""
    return CpuBudget(proc, pid).quota_cores()


def _quota_cores(version: int, level: Path) -> float | None:
    if version == 2:
        return parse_cpu_max(try_read_text(level / "cpu.max") or "")
    period = try_read_text(level / "cpu.cfs_period_us") or ""
    return parse_cfs_quota(try_read_text(level / "cpu.cfs_quota_us") or "", period)


def cpu_group_known(proc: Path, pid: int | str = "self") -> bool:
    """Whether the process's CPU group can be seen, so that "no quota" means that there is none."""
    _, levels = group_levels(proc, pid, "cpu")
    return any(level.is_dir() for level in levels)


def memory_limit_bytes(proc: Path, pid: int | str = "self") -> int | None:
    """The smallest memory limit that holds for the process; None without one."""
    version, levels = group_levels(proc, pid, "memory")
    name = "memory.max" if version == 2 else "memory.limit_in_bytes"
    limits = [parse_memory_limit(try_read_text(level / name) or "") for level in levels]
    return min((limit for limit in limits if limit is not None), default=None)


def memory_left_bytes(proc: Path, pid: int | str = "self") -> int | None:
    """What the tightest memory limit leaves to its group; None without a limit. Cached files count as used,
    unless the kernel says which of them it would give up."""
    version, levels = group_levels(proc, pid, "memory")
    limit_name, used_name = (
        ("memory.max", "memory.current")
        if version == 2
        else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    )
    left = []
    for level in levels:
        limit = parse_memory_limit(try_read_text(level / limit_name) or "")
        used = try_read_text(level / used_name)
        if limit is not None and used is not None:
            cached = parse_inactive_file(try_read_text(level / "memory.stat") or "")
            left.append(limit - max(0, int(used) - cached))
    return min(left, default=None)


def parse_throttling(text: str) -> Throttling:
    """cpu.stat of version 1 (`throttled_time`, ns) and of version 2 (`throttled_usec`)."""
    time_ns = number_after(text, "throttled_time ")
    time_us = number_after(text, "throttled_usec ")
    seconds = None
    if time_ns is not None:
        seconds = time_ns / 1e9
    elif time_us is not None:
        seconds = time_us / 1e6
    return Throttling(number_after(text, "nr_throttled "), seconds, number_after(text, "nr_periods "))


def parse_cpu_max(text: str) -> float | None:
    """cpu.max of version 2, "QUOTA PERIOD" in us, as a number of cores; None without a quota ("max")."""
    fields = text.split()
    return _cores(fields[0], fields[1]) if len(fields) == 2 else None


def parse_cfs_quota(quota_text: str, period_text: str) -> float | None:
    """cpu.cfs_quota_us and cpu.cfs_period_us of version 1 as a number of cores; None without a quota (-1)."""
    return _cores(quota_text.strip(), period_text.strip())


def parse_inactive_file(text: str) -> int:
    """Bytes of cached files that the kernel gives up first, from memory.stat; 0 where it does not say."""
    fields = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line)
    return int(fields.get("total_inactive_file", fields.get("inactive_file", 0)))


def parse_memory_limit(text: str) -> int | None:
    """memory.max or memory.limit_in_bytes; None without a limit ("max", or version 1's huge number)."""
    value = text.strip()
    if not is_number(value) or int(value) >= _UNLIMITED_MEMORY_BYTES:
        return None
    return int(value)


def _cores(quota: str, period: str) -> float | None:
    if not (is_number(quota) and is_number(period)) or int(period) == 0:
        return None
    return int(quota) / int(period)


WATCHED = 5  # periods that begin
WATCHED_S = 1.0
POLL_S = 0.0005


def watch_quota_periods(
    budget: CpuBudget,
    now_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> QuotaPeriods | None:
    """Watch `WATCHED` periods begin, for max(WATCHED_S, 3 periods) at most. None without a quota, or when
    fewer than two began."""
    length_s = budget.period_s()
    if length_s is None:
        return None
    begun: list[tuple[float, float]] = []  # after the first moment, until the second
    before_s, counted = now_s(), budget.elapsed_periods()
    until_s = before_s + max(WATCHED_S, 3 * length_s)
    while len(begun) < WATCHED and before_s < until_s:
        sleep(POLL_S)
        looked_s = now_s()
        found = budget.elapsed_periods()
        if found is None or counted is None:
            return None
        seen_s = now_s()
        if found > counted:
            begun.append((before_s, seen_s))
            counted = found
        before_s = looked_s
    if len(begun) < 2:
        return None
    # The narrowest look: all others were late for want of a core.
    after_s, by_s = min(begun, key=lambda look: look[1] - look[0])
    return QuotaPeriods((after_s + by_s) / 2, length_s)
