"""The facts of a machine that decide what its figures can be compared with: for `environment.json`."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from sweeper.procfs import parse_cpu_model
from sweeper.telemetry.cgroup import cpu_quota_cores, memory_limit_bytes
from sweeper.telemetry.files import PROC, try_read_text

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
    """No name of the host or its user is in here. None: this machine does not tell, or has no such limit.

    `affinity` are the cores this process may use, `cpu_quota_cores` what its control groups leave of them,
    `turbo` whether cores may run above their base frequency. `packages` holds versions of what is installed.
    """

    cpu_model: str | None
    architecture: str
    cores: int
    physical_cores: int | None
    affinity: tuple[int, ...]
    cpu_quota_cores: float | None
    memory_bytes: int
    memory_limit_bytes: int | None
    kernel: str
    governor: str | None
    turbo: bool | None
    python: str
    packages: dict[str, str]


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
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
