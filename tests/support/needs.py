"""What some tests need of the machine: `python -m tests.support.needs` installs it where it can.

A test says it with `@pytest.mark.needs("mounts")`, or uses a fixture of FIXTURES. left_out.py does the rest.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sweeper.errors import UsageError
from sweeper.processes.resource_limits import ResourceLimits, limited_groups


def program(name: str) -> str | None:
    """Where it is. Debian keeps PostgreSQL's server out of the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, debian)]))


@cache
def may_make_namespaces() -> bool:
    return _succeeds("unshare", "--net", "true")


@cache
def may_mount() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        return _succeeds("mount", "-t", "tmpfs", "tmpfs", folder) and _succeeds("umount", folder)


@cache
def may_limit() -> bool:
    try:
        limited_groups(ResourceLimits(1.0, 1 << 30))
    except UsageError:
        return False
    return True


@cache
def may_run_containers() -> bool:
    return program("podman") is not None and _succeeds(
        *podman_run(), "--rm", "--network", "host", *FILES, "true"
    )


PODMAN = ("podman", "--runtime", "runc")


def podman_run(engine: tuple[str, ...] = PODMAN) -> tuple[str, ...]:
    """Without an image: what runs in the container sees this machine's files and leaves them as they are. The
    limits are those of this process, since nobody may raise them on every machine."""
    limits = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    options = [f"{name}={min(20_000, resource.getrlimit(kind)[1])}" for name, kind in limits.items()]
    return (*engine, "run", *(word for o in options for word in ("--ulimit", o)))


FILES = ("--rootfs", "/:O")
"""In the place of an image."""


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@dataclass(frozen=True)
class Need:
    words: str
    met: Callable[[], bool]
    package: str = ""
    """Of Debian; empty where it cannot be installed so."""


def debian(package: str, name: str) -> Need:
    return Need(f"{name} (Debian's {package})", lambda: program(name) is not None, package)


NEEDS = {
    "pidstat": debian("sysstat", "pidstat"),
    "postgres": debian("postgresql", "initdb"),
    "chromium": debian("chromium", "chromium"),
    "chromedriver": debian("chromium-driver", "chromedriver"),
    "drum": Need(
        "datarobot-drum (the extra `drum`)", lambda: importlib.util.find_spec("datarobot_drum") is not None
    ),
    "mounts": Need("the right to mount a disk (root has it)", may_mount),
    "namespaces": Need("the right to make network namespaces (root has it)", may_make_namespaces),
    "limits": Need("the right to make control groups with limits (root has it)", may_limit),
    "containers": Need(
        "containers (root's podman starts them)",
        may_run_containers,
        "podman runc containernetworking-plugins iptables",
    ),
    "two cores": Need("two cores", lambda: (os.cpu_count() or 1) >= 2),
}
FIXTURES = {"postgres": ("postgres",), "browser": ("chromium", "chromedriver")}


def unmet(names: Iterable[str] = tuple(NEEDS)) -> list[Need]:
    return [NEEDS[name] for name in names if not NEEDS[name].met()]


def how_to_install(needs: Iterable[Need]) -> str:
    """The command line of root; empty where there is nothing to install."""
    packages = " ".join(need.package for need in needs if need.package)
    return packages and f"apt-get update && apt-get install -y --no-install-recommends {packages}"


def main() -> None:
    line = how_to_install(unmet())
    if line and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"The tests need more of Debian: {line}", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(
            ["sh", "-c", line.replace("apt-get ", "apt-get -qq ")],
            env=environment,
            stdout=subprocess.DEVNULL,
            check=False,
        )


if __name__ == "__main__":
    main()
