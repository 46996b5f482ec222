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
    """One line. `seen` is what the machine says, with units; `why` why that matters; `remedy` a command that
    improves it, empty where none does."""

    name: str
    state: CheckState
    seen: str
    why: str
    remedy: str = ""
    told_by_study: bool = False


@dataclass(frozen=True, slots=True)
class Busy:
    """The machine over a moment of `seconds`: CPU that processes other than this one used, in cores, the
    busiest of them as (name, pid, cores), and what the hypervisor took away, as a share of one core."""

    seconds: float
    other_cpu_cores: float | None = None
    steal_share: float | None = None
    busiest: tuple[tuple[str, int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """None: this machine does not tell. `cpu_quota_cores` None is no quota, where `cpu_quota_known`.

    `cores_shared`: server and load generator share them. `governors` are those in use, `turbo_switch` is the
    file that turns turbo off. `open_files` is the highest limit this user may set, None without one; the
    `users` of a default study need `open_files_needed`. `loopback`: a server here can be reached.
    """

    cpu_model: str | None
    cores: int
    affinity: tuple[int, ...]
    cores_shared: bool
    cpu_quota_known: bool
    cpu_quota_cores: float | None
    governors: tuple[str, ...]
    turbo: bool | None
    turbo_switch: str | None
    busy: Busy
    open_files: int | None
    users: int
    open_files_needed: int
    port_range: tuple[int, int] | None
    loopback: bool
    pressure: bool
    schedstat: bool
    packages: Mapping[str, str]


def fit(checks: Sequence[Check]) -> bool:
    """Whether a study can be run here."""
    return all(check.state is not CheckState.IMPOSSIBLE for check in checks)


def before_a_study(checks: Sequence[Check]) -> tuple[Check, ...]:
    """The warnings that the study itself does not give."""
    return tuple(c for c in checks if c.state is CheckState.WARNING and not c.told_by_study)
