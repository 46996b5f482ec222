"""Parsers for the kernel's text files: text in, records out, no file is opened here.

Formats: proc(5), proc_pid_stat(5), Documentation/scheduler/sched-stats.rst, Documentation/accounting/psi.rst,
Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst. A field the text does not have is None ("unavailable"),
never 0. Ticks are 1/sysconf(SC_CLK_TCK) of a second, kB in /proc means 1024 bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# cgroup v1 writes "no limit" as the largest page-aligned number of bytes, which depends on the page size.
_UNLIMITED_MEMORY_BYTES = 1 << 60
_HIGHEST_CORE = 65_535
_OCTAL_ESCAPE = re.compile(r"\\([0-7]{3})")
_CPU_RANGE = re.compile(r"(\d+)(?:-(\d+))?", re.ASCII)
_MODEL_NAME_KEYS = ("model name", "cpu model", "Model")


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """/proc/PID/stat (a process: all its threads, ended ones too) or /proc/PID/task/TID/stat (one thread).

    `children_*_ticks` are those of ended children that were waited for, and of theirs.
    """

    pid: int
    name: str
    state: str
    parent_pid: int
    user_ticks: int
    system_ticks: int
    children_user_ticks: int
    children_system_ticks: int
    threads: int
    start_ticks: int
    rss_pages: int


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """/proc/PID/task/TID/status: switches are this thread's alone, memory is the whole process's."""

    voluntary_switches: int | None
    involuntary_switches: int | None
    rss_bytes: int | None
    peak_rss_bytes: int | None
    threads: int | None
    parent_pid: int | None


@dataclass(frozen=True, slots=True)
class TaskSchedule:
    """/proc/PID/task/TID/schedstat: time on a core, time waiting for one while runnable, times put on one."""

    run_ns: int
    delay_ns: int
    timeslices: int


@dataclass(frozen=True, slots=True)
class HostStat:
    """/proc/stat, all cores together. `busy_ticks` is everything but idle, iowait and steal."""

    context_switches: int | None
    busy_ticks: int | None
    steal_ticks: int | None


@dataclass(frozen=True, slots=True)
class Throttling:
    """A cgroup's cpu.stat: periods in which its CPU quota ran out, and how long its threads stood still."""

    periods: int | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class CgroupMount:
    """One cgroup hierarchy of /proc/PID/mountinfo. `controllers` is empty for version 2."""

    version: int
    controllers: frozenset[str]
    root: str
    mount_point: str


def parse_stat(text: str) -> ProcessStat | None:
    """None when the text is cut short or not of this form. The name may hold spaces and parentheses."""
    opening, closing = text.find("("), text.rfind(")")
    if opening < 0 or closing < opening:
        return None
    fields = text[closing + 1 :].split()
    if len(fields) < 22:
        return None
    try:
        return ProcessStat(
            pid=int(text[:opening]),
            name=text[opening + 1 : closing],
            state=fields[0],
            parent_pid=int(fields[1]),
            user_ticks=int(fields[11]),
            system_ticks=int(fields[12]),
            children_user_ticks=int(fields[13]),
            children_system_ticks=int(fields[14]),
            threads=int(fields[17]),
            start_ticks=int(fields[19]),
            rss_pages=int(fields[21]),
        )
    except ValueError:
        return None


def parse_status(text: str) -> TaskStatus:
    voluntary, involuntary = parse_switches(text)
    rss_kib = _number_after(text, "VmRSS:")
    peak_rss_kib = _number_after(text, "VmHWM:")
    return TaskStatus(
        voluntary_switches=voluntary,
        involuntary_switches=involuntary,
        rss_bytes=None if rss_kib is None else rss_kib * 1024,
        peak_rss_bytes=None if peak_rss_kib is None else peak_rss_kib * 1024,
        threads=_number_after(text, "Threads:"),
        parent_pid=_number_after(text, "PPid:"),
    )


def parse_switches(text: str) -> tuple[int | None, int | None]:
    """Voluntary and involuntary switches of a task's status, and no more: it is read for every thread."""
    start = text.rfind("\nvoluntary_ctxt_switches:")
    tail = text[start:] if start >= 0 else text
    return _number_after(tail, "voluntary_ctxt_switches:"), _number_after(tail, "nonvoluntary_ctxt_switches:")


def parse_schedstat(text: str) -> TaskSchedule | None:
    fields = text.split()
    if len(fields) < 3 or not all(_is_number(field) for field in fields[:3]):
        return None
    return TaskSchedule(int(fields[0]), int(fields[1]), int(fields[2]))


def parse_children(text: str) -> tuple[int, ...]:
    """/proc/PID/task/TID/children: process ids separated by spaces."""
    return tuple(int(field) for field in text.split() if _is_number(field))


def parse_host_stat(text: str) -> HostStat:
    busy_ticks = steal_ticks = None
    line = _line_after(text, "cpu ")
    if line is not None:
        fields = line.split()
        if len(fields) >= 4 and all(_is_number(field) for field in fields):
            # user nice system idle iowait irq softirq steal; guest time is part of user already
            busy_ticks = sum(int(field) for field in (*fields[:3], *fields[5:7]))
            steal_ticks = int(fields[7]) if len(fields) > 7 else None
    return HostStat(_number_after(text, "ctxt "), busy_ticks, steal_ticks)


def parse_cpu_pressure(text: str) -> float | None:
    """Seconds in which at least one runnable task waited for a core: `total` of the line `some`, in us."""
    line = _line_after(text, "some ")
    total = None if line is None else re.search(r"\btotal=(\d+)", line, re.ASCII)
    return None if total is None else int(total[1]) / 1e6


def parse_throttling(text: str) -> Throttling:
    """cpu.stat of version 1 (`throttled_time`, ns) and of version 2 (`throttled_usec`)."""
    time_ns = _number_after(text, "throttled_time ")
    time_us = _number_after(text, "throttled_usec ")
    seconds = None
    if time_ns is not None:
        seconds = time_ns / 1e9
    elif time_us is not None:
        seconds = time_us / 1e6
    return Throttling(_number_after(text, "nr_throttled "), seconds)


def parse_cpu_max(text: str) -> float | None:
    """cpu.max of version 2, "QUOTA PERIOD" in us, as a number of cores; None without a quota ("max")."""
    fields = text.split()
    return _cores(fields[0], fields[1]) if len(fields) == 2 else None


def parse_cfs_quota(quota_text: str, period_text: str) -> float | None:
    """cpu.cfs_quota_us and cpu.cfs_period_us of version 1 as a number of cores; None without a quota (-1)."""
    return _cores(quota_text.strip(), period_text.strip())


def parse_port_range(text: str) -> tuple[int, int] | None:
    """/proc/sys/net/ipv4/ip_local_port_range (ip(7)): first and last port given to who asks for any."""
    fields = text.split()
    if len(fields) != 2 or not all(map(_is_number, fields)) or int(fields[0]) > int(fields[1]):
        return None
    return int(fields[0]), int(fields[1])


def parse_inactive_file(text: str) -> int:
    """Bytes of cached files that the kernel gives up first, from memory.stat; 0 where it does not say."""
    fields = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line)
    return int(fields.get("total_inactive_file", fields.get("inactive_file", 0)))


def parse_memory_limit(text: str) -> int | None:
    """memory.max or memory.limit_in_bytes; None without a limit ("max", or version 1's huge number)."""
    value = text.strip()
    if not _is_number(value) or int(value) >= _UNLIMITED_MEMORY_BYTES:
        return None
    return int(value)


def parse_cpu_list(text: str) -> frozenset[int]:
    """A list like "0-3,8" (cpuset(7), List format) as a set. ValueError when it is not of this form."""
    cpus: set[int] = set()
    for part in text.strip().split(",") if text.strip() else ():
        match = _CPU_RANGE.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part!r} is not a core number or a range like 0-3")
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if last < first:
            raise ValueError(f"the range {part.strip()!r} runs backwards")
        if last > _HIGHEST_CORE:
            raise ValueError(f"core {last} is beyond the highest possible core, {_HIGHEST_CORE}")
        cpus.update(range(first, last + 1))
    return frozenset(cpus)


def format_cpu_list(cpus: Iterable[int]) -> str:
    """The shortest list that `parse_cpu_list` reads back."""
    ranges: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if ranges and cpu == ranges[-1][-1] + 1:
            ranges[-1] = [ranges[-1][0], cpu]
        else:
            ranges.append([cpu])
    return ",".join("-".join(str(end) for end in span) for span in ranges)


def parse_cpu_model(text: str) -> str | None:
    """/proc/cpuinfo: the first core's model name; the key differs between architectures."""
    pairs = [line.partition(":") for line in text.split("\n")]
    for key in _MODEL_NAME_KEYS:
        for name, _, value in pairs:
            if name.strip() == key and value.strip():
                return value.strip()
    return None


def parse_cgroup_paths(text: str) -> dict[str, str]:
    """/proc/PID/cgroup: path by controller, the unified hierarchy of version 2 under the key ""."""
    paths: dict[str, str] = {}
    for line in text.split("\n"):
        parts = line.split(":", 2)
        if len(parts) == 3:
            for controller in parts[1].split(","):
                paths.setdefault(controller, parts[2])
    return paths


def parse_cgroup_mounts(text: str) -> tuple[CgroupMount, ...]:
    mounts: list[CgroupMount] = []
    for line in text.split("\n"):
        before, _, after = line.partition(" - ")
        mount, source = before.split(" "), after.split(" ")
        if len(mount) < 5 or source[0] not in ("cgroup", "cgroup2"):
            continue
        version = 2 if source[0] == "cgroup2" else 1
        options = source[2].split(",") if version == 1 and len(source) > 2 else ()
        mounts.append(CgroupMount(version, frozenset(options), _unescape(mount[3]), _unescape(mount[4])))
    return tuple(mounts)


def _number_after(text: str, key: str) -> int | None:
    """The whole number that follows `key` at the beginning of a line; a unit may follow it."""
    line = _line_after(text, key)
    if line is None:
        return None
    fields = line.split(None, 1)
    return int(fields[0]) if fields and _is_number(fields[0]) else None


def _line_after(text: str, key: str) -> str | None:
    start = 0 if text.startswith(key) else text.find("\n" + key) + 1
    if start == 0 and not text.startswith(key):
        return None
    end = text.find("\n", start)
    return text[start + len(key) : end if end >= 0 else len(text)]


def _cores(quota: str, period: str) -> float | None:
    if not (_is_number(quota) and _is_number(period)) or int(period) == 0:
        return None
    return int(quota) / int(period)


def _is_number(field: str) -> bool:
    # Twenty digits hold every 64-bit counter.
    return field.isascii() and field.isdigit() and len(field) <= 20


def _unescape(path: str) -> str:
    return _OCTAL_ESCAPE.sub(lambda match: chr(int(match[1], 8)), path)
