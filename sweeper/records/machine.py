"""What is known of a machine, and the form of a judgement on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

TURBO_OFF = {"intel_pstate/no_turbo": "1", "cpufreq/boost": "0"}
"""What to write to turn turbo off, by the file below /sys/devices/system/cpu."""


class CheckState(StrEnum):
    OK = "ok"
    WARNING = "warning"
    UNAVAILABLE = "unavailable"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class Check:
    """A judgement on one fact of a machine: one line of a table."""

    name: str
    state: CheckState
    seen: str  # what the machine says, with units
    why: str  # why that matters
    remedy: str = ""  # a command that improves it; empty where none does
    told_by_study: bool = False  # a study refuses it, or says it in a finding


@dataclass(frozen=True, slots=True)
class Busy:
    """The machine over a moment."""

    seconds: float  # how long it was watched
    # cores that processes other than this one kept busy; None: not known
    other_cpu_cores: float | None = None
    steal_share: float | None = None  # of one core, given to others by the hypervisor; None: not known
    busiest: tuple[tuple[str, int, float], ...] = ()  # of the other processes: (name, pid, cores)


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What a machine tells of itself; None is what it does not tell."""

    cpu_model: str | None
    cores: int
    affinity: tuple[int, ...]  # numbers of the cores that may be used
    cores_shared: bool  # by server and load generator
    cpu_quota_known: bool
    cpu_quota_cores: float | None  # None: no quota, where `cpu_quota_known`
    governors: tuple[str, ...]  # those in use
    turbo: bool | None  # whether it is on
    turbo_switch: str | None  # the file that turns it off
    busy: Busy
    open_files: int | None  # the highest limit this user may set; None: without one
    users: int  # of a default study
    open_files_needed: int  # by so many users
    port_range: tuple[int, int] | None  # first and last
    loopback: bool  # a server here can be reached
    pressure: bool  # the kernel tells pressure (PSI)
    schedstat: bool  # the kernel tells run delay
    packages: Mapping[str, str]  # versions by name


def fit(checks: Sequence[Check]) -> bool:
    """Whether a study can be run here."""
    return all(check.state is not CheckState.IMPOSSIBLE for check in checks)


def before_a_study(checks: Sequence[Check]) -> tuple[Check, ...]:
    """The warnings that the study itself does not give."""
    return tuple(c for c in checks if c.state is CheckState.WARNING and not c.told_by_study)
