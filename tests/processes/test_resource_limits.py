"""CPU and memory limits: with the kernel of this machine, and on made-up trees of version 2."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweeper.errors import UsageError
from sweeper.processes import spawn
from sweeper.processes.control_group import MemoryKills, group_levels
from sweeper.processes.resource_limits import (
    PERIOD_US,
    PREFIX,
    LimitedGroup,
    ResourceLimits,
    limited_groups,
)
from sweeper.telemetry.cgroup import CpuBudget, cpu_quota_cores, memory_limit_bytes

PROC = Path("/proc")
SLEEPING = [sys.executable, "-c", "import time; time.sleep(60)"]
BOTH = ResourceLimits(cpu_cores=0.5, memory_bytes=64 << 20)


@pytest.mark.needs("limits")
def test_a_program_runs_under_its_limits_and_its_guard_does_not(tmp_path: Path) -> None:
    outside = cpu_quota_cores(PROC)
    groups = limited_groups(BOTH)
    group = groups.new()
    process = spawn(SLEEPING, env=dict(os.environ), log_path=tmp_path / "log", group=group)
    try:
        assert cpu_quota_cores(PROC, process.pid) == 0.5
        assert memory_limit_bytes(PROC, process.pid) == 64 << 20
        assert CpuBudget(PROC, process.pid).period_s() == PERIOD_US / 1e6
        assert not CpuBudget(PROC, process.pid).covers("self")
        assert cpu_quota_cores(PROC, process.guard_pid) == outside
        assert MemoryKills().read() is None
    finally:
        process.stop()
    assert [folder for folder in group.folders if folder.exists()] == []


@pytest.mark.needs("limits")
def test_what_the_kernel_killed_is_known_after_the_group_is_gone(tmp_path: Path) -> None:
    greedy = [sys.executable, "-c", "import time; time.sleep(0.2); b'1' * (200 << 20); time.sleep(60)"]
    group = limited_groups(BOTH).new()
    process = spawn(greedy, env=dict(os.environ), log_path=tmp_path / "log", group=group)
    kills = MemoryKills()
    try:
        kills.look(process.pid)
        until_s = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until_s:
            kills.look(process.pid)
            time.sleep(0.01)
        assert process.poll() == -signal.SIGKILL
        kills.read()
    finally:
        process.stop()
    assert kills.read() == 1


SWEEPER = """
import os, sys, time
from pathlib import Path
from sweeper.processes import spawn
from sweeper.processes.resource_limits import ResourceLimits, limited_groups
group = limited_groups(ResourceLimits(0.5)).new()
process = spawn([sys.executable, "-c", "import time; time.sleep(60)"], env=dict(os.environ),
                log_path=Path(sys.argv[1]), group=group)
print(group.folders[0], flush=True)
time.sleep(60)
"""


@pytest.mark.needs("limits")
def test_no_group_outlives_a_sweeper_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SWEEPER, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sweeper:
        assert sweeper.stdout is not None
        folder = Path(sweeper.stdout.readline().strip())
        assert folder.is_dir()
        sweeper.kill()
        until_s = time.monotonic() + 20
        while folder.exists() and time.monotonic() < until_s:
            time.sleep(0.05)
    assert not folder.exists()


@pytest.mark.needs("limits")
def test_a_group_that_a_dead_sweeper_left_is_removed_with_the_next_one() -> None:
    groups = limited_groups(ResourceLimits(cpu_cores=0.5))
    with subprocess.Popen(["true"]) as dead:
        pass
    orphan = groups.parents["cpu"] / f"{PREFIX}{dead.pid}-1"
    orphan.mkdir()
    groups.new().remove()
    assert not orphan.exists()


# --- made-up trees --------------------------------------------------------------------------------------


def unified(folder: Path, path: str, groups: dict[str, dict[str, str]]) -> Path:
    """A /proc whose process is in `path` of version 2, with the files of each group."""
    for name, files in groups.items():
        (folder / "cg" / name).mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / "cg" / name / file).write_text(text)
    (folder / "self").mkdir()
    (folder / "self/cgroup").write_text(f"0::{path}\n")
    (folder / "self/mountinfo").write_text(f"41 31 0:38 / {folder}/cg rw - cgroup2 cgroup2 rw\n")
    return folder


HANDS_DOWN = {"cgroup.subtree_control": "cpuset cpu memory pids\n"}
NOTHING = {"cgroup.subtree_control": "\n"}


@pytest.fixture
def no_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """New groups have their files, as the kernel makes them."""
    made = Path.mkdir

    def mkdir(self: Path, *arguments: object, **options: object) -> None:
        made(self, *arguments, **options)  # type: ignore[arg-type]
        if self.name.startswith(PREFIX):
            for name in ("cpu.max", "memory.max", "memory.swap.max"):
                (self / name).write_text("max\n")

    monkeypatch.setattr(Path, "mkdir", mkdir)


@pytest.mark.parametrize(
    ("groups", "parent"),
    [
        ({"": HANDS_DOWN, "a": HANDS_DOWN, "a/b": HANDS_DOWN}, "a/b"),
        ({"": HANDS_DOWN, "a": HANDS_DOWN, "a/b": NOTHING}, "a"),
        ({"": HANDS_DOWN, "a": NOTHING, "a/b": {**NOTHING, "cpu.max": "max 100000\n"}}, ""),
    ],
    ids=["own", "above", "root"],
)
@pytest.mark.usefixtures("no_systemd", "kernel")
def test_version_2_makes_it_in_the_nearest_group_that_hands_controllers_down(
    tmp_path: Path, groups: dict[str, dict[str, str]], parent: str
) -> None:
    proc = unified(tmp_path, "/a/b", groups)
    found = limited_groups(BOTH, proc)
    assert found.way == "cgroup v2"
    assert found.parents == dict.fromkeys(("cpu", "memory"), tmp_path / "cg" / parent)
    (folder,) = found.new().folders
    assert (folder / "cpu.max").read_text() == "50000 100000"
    assert (folder / "memory.max").read_text() == str(64 << 20)
    assert (folder / "memory.swap.max").read_text() == "0"


@pytest.mark.parametrize("name", ["cpu.max", "memory.max"])
@pytest.mark.usefixtures("no_systemd", "kernel")
def test_version_2_leaves_no_limit_behind(tmp_path: Path, name: str) -> None:
    """Above its own group a server would get rid of the limit that sweeper has."""
    limit = {"cpu.max": "150000 100000\n", "memory.max": "1000000\n"}[name]
    proc = unified(tmp_path, "/a", {"": HANDS_DOWN, "a": {**NOTHING, name: limit}})
    with pytest.raises(UsageError, match=rf"--cpu-limit 0\.5 --memory-limit 64MiB: .*{name}") as caught:
        limited_groups(BOTH, proc)
    assert "there is no systemd-run" in str(caught.value)
    assert str(caught.value).count("\n") == 0


@pytest.mark.usefixtures("no_systemd")
def test_without_any_control_group_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    with pytest.raises(
        UsageError, match="run sweeper as root, in a user session of systemd, or in a container"
    ):
        limited_groups(ResourceLimits(cpu_cores=1.0), tmp_path)


FAKE_SYSTEMD_RUN = """#!/bin/sh
echo "$@" >> "$CALLS"
while [ "$1" != "--" ]; do shift; done
shift
exec "$@"
"""


def test_systemd_run_stands_in_where_no_group_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes the group and becomes the program, which is then what is measured."""
    (tmp_path / "self").mkdir()
    program = tmp_path / "systemd-run"
    program.write_text(FAKE_SYSTEMD_RUN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    groups = limited_groups(ResourceLimits(cpu_cores=1.5, memory_bytes=2 << 30), tmp_path)
    assert groups.way == "systemd-run"
    process = spawn(SLEEPING, env=dict(os.environ), log_path=tmp_path / "log", group=groups.new())
    try:
        called = (tmp_path / "calls").read_text().splitlines()
        until_s = time.monotonic() + 20
        while len(called) < 2 and time.monotonic() < until_s:
            time.sleep(0.02)
            called = (tmp_path / "calls").read_text().splitlines()
        limits = "-p CPUQuota=150.00% -p MemoryMax=2147483648 -p MemorySwapMax=0 --"
        assert "--scope" in called[-1]
        assert limits in called[-1]
        assert ("--user" in called[-1]) == (os.geteuid() != 0)
    finally:
        process.stop()


def test_a_systemd_that_refuses_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "self").mkdir()
    program = tmp_path / "systemd-run"
    program.write_text("#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="Failed to connect to bus: No medium found"):
        limited_groups(ResourceLimits(cpu_cores=1.5), tmp_path)


def test_a_program_without_limits_stays_where_it_is(tmp_path: Path) -> None:
    process = spawn(SLEEPING, env=dict(os.environ), log_path=tmp_path / "log", group=LimitedGroup())
    try:
        assert group_levels(PROC, process.pid, "cpu") == group_levels(PROC, "self", "cpu")
    finally:
        process.stop()
