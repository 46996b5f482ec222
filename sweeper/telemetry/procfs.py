"""Reading the kernel's small text files fast (no buffering, no text layer), and parsing those of /proc.

Formats: proc(5), proc_pid_stat(5), Documentation/scheduler/sched-stats.rst, Documentation/accounting/psi.rst.
Those of control groups are in cgroup.py. A field the text does not have is None ("unavailable"), never 0.
Ticks are 1/sysconf(SC_CLK_TCK) of a second, kB in /proc means 1024 bytes.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_CHUNK_BYTES = 65_536


def read_text(path: str | Path) -> str:
    """The whole file as Latin-1, which every byte is. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return read_all(descriptor)
    finally:
        os.close(descriptor)


def try_read_text(path: str | Path) -> str | None:
    """None where the file is missing or cannot be read: this kernel, or this moment, does not have it."""
    try:
        return read_text(path)
    except OSError:
        return None


def read_all(descriptor: int) -> str:
    """The whole of an open file, from its beginning, as Latin-1. Raises OSError."""
    data = os.pread(descriptor, _CHUNK_BYTES, 0)
    if len(data) == _CHUNK_BYTES:
        parts = [data]
        while data := os.pread(descriptor, _CHUNK_BYTES, sum(map(len, parts))):
            parts.append(data)
        data = b"".join(parts)
    return data.decode("latin-1")


_MODEL_NAME_KEYS = ("model name", "cpu model", "Model")


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """/proc/PID/stat (a process: all its threads, ended ones too) or /proc/PID/task/TID/stat (one thread)."""

    pid: int
    state: str
    """One letter: R runs, S sleeps, Z is a zombie, X and x are dead."""
    parent_pid: int
    user_ticks: int
    system_ticks: int
    children_user_ticks: int
    """Of ended children that were waited for, and of theirs."""
    children_system_ticks: int
    start_ticks: int
    """When it started, since the machine did."""
    rss_pages: int


@dataclass(frozen=True, slots=True)
class TaskSchedule:
    """/proc/PID/task/TID/schedstat, but for its third number."""

    run_ns: int
    """Time on a core."""
    delay_ns: int
    """Time runnable, waiting for a core."""


@dataclass(frozen=True, slots=True)
class HostStat:
    """/proc/stat, all cores together; None where it does not say."""

    context_switches: int | None
    busy_ticks: int | None
    """Everything but idle, iowait and steal."""
    steal_ticks: int | None
    """What the hypervisor gave to others."""


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
            state=fields[0],
            parent_pid=int(fields[1]),
            user_ticks=int(fields[11]),
            system_ticks=int(fields[12]),
            children_user_ticks=int(fields[13]),
            children_system_ticks=int(fields[14]),
            start_ticks=int(fields[19]),
            rss_pages=int(fields[21]),
        )
    except ValueError:
        return None


def parse_switches(text: str) -> tuple[int | None, int | None]:
    """Voluntary and involuntary switches of a task's status, and no more: it is read for every thread."""
    start = text.rfind("\nvoluntary_ctxt_switches:")
    tail = text[start:] if start >= 0 else text
    return number_after(tail, "voluntary_ctxt_switches:"), number_after(tail, "nonvoluntary_ctxt_switches:")


def parse_peak_rss_bytes(text: str) -> int | None:
    """The most memory that the whole process has had, from a task's status; None for a kernel thread."""
    peak_kib = number_after(text, "VmHWM:")
    return None if peak_kib is None else peak_kib * 1024


def parse_schedstat(text: str) -> TaskSchedule | None:
    fields = text.split()
    if len(fields) < 3 or not all(is_number(field) for field in fields[:3]):
        return None
    return TaskSchedule(int(fields[0]), int(fields[1]))


def parse_children(text: str) -> tuple[int, ...]:
    """/proc/PID/task/TID/children: process ids separated by spaces."""
    return tuple(int(field) for field in text.split() if is_number(field))


def parse_host_stat(text: str) -> HostStat:
    busy_ticks = steal_ticks = None
    line = _line_after(text, "cpu ")
    if line is not None:
        fields = line.split()
        if len(fields) >= 4 and all(is_number(field) for field in fields):
            # user nice system idle iowait irq softirq steal; guest time is part of user already
            busy_ticks = sum(int(field) for field in (*fields[:3], *fields[5:7]))
            steal_ticks = int(fields[7]) if len(fields) > 7 else None
    return HostStat(number_after(text, "ctxt "), busy_ticks, steal_ticks)


def parse_cpu_pressure(text: str) -> float | None:
    """Seconds in which at least one runnable task waited for a core: `total` of the line `some`, in us."""
    line = _line_after(text, "some ")
    total = None if line is None else re.search(r"\btotal=(\d+)", line, re.ASCII)
    return None if total is None else int(total[1]) / 1e6


def parse_port_range(text: str) -> tuple[int, int] | None:
    """/proc/sys/net/ipv4/ip_local_port_range (ip(7)): first and last port given to who asks for any."""
    fields = text.split()
    if len(fields) != 2 or not all(map(is_number, fields)) or int(fields[0]) > int(fields[1]):
        return None
    return int(fields[0]), int(fields[1])


def parse_cpu_model(text: str) -> str | None:
    """/proc/cpuinfo: the first core's model name; the key differs between architectures."""
    pairs = [line.partition(":") for line in text.split("\n")]
    for key in _MODEL_NAME_KEYS:
        for name, _, value in pairs:
            if name.strip() == key and value.strip():
                return value.strip()
    return None


def number_after(text: str, key: str) -> int | None:
    """The whole number that follows `key` at the beginning of a line; a unit may follow it."""
    line = _line_after(text, key)
    if line is None:
        return None
    fields = line.split(None, 1)
    return int(fields[0]) if fields and is_number(fields[0]) else None


def _line_after(text: str, key: str) -> str | None:
    start = 0 if text.startswith(key) else text.find("\n" + key) + 1
    if start == 0 and not text.startswith(key):
        return None
    end = text.find("\n", start)
    return text[start + len(key) : end if end >= 0 else len(text)]


def is_number(field: str) -> bool:
    # Twenty digits hold every 64-bit counter.
    return field.isascii() and field.isdigit() and len(field) <= 20
