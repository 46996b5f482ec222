"""Real containers: their processes, standing still in each of the three ways, and their end in every case."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sweeper.processes import ManagedProcess, StartsContainer, spawn
from sweeper.processes.container import (
    LABEL,
    Container,
    Engine,
    container_of,
    freezers,
    handles_term,
    members,
)
from tests.support.containers import containers, remove, wait_until_removed
from tests.support.needs import FILES, PODMAN, podman_run

pytestmark = pytest.mark.needs("containers")

# The first process has a child; both of them count for ever, and neither handles TERM.
COUNTS = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done"
TWO_COUNT = f"({COUNTS}) & {COUNTS}"
OBEYS = f"trap 'exit 7' TERM; {COUNTS}"
Start = Callable[..., ManagedProcess]


def command(
    script: str, label: str, mark: Path, *options: str, engine: tuple[str, ...] = PODMAN
) -> list[str]:
    labels = ["--label", f"{LABEL}={label}", "--label", f"test={mark}"]
    return [*podman_run(engine), *labels, "--network", "host", *options, *FILES, "/bin/sh", "-c", script]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a container of a shell script, and waits until it has written something."""
    started: list[ManagedProcess] = []

    def begin(script: str, *options: str, adopt: bool = True) -> ManagedProcess:
        label = uuid.uuid4().hex
        starts = StartsContainer(Engine(PODMAN), label)
        argv = command(script, label, tmp_path, *options)
        process = spawn(argv, env=dict(os.environ), log_path=tmp_path / label, container=starts)
        started.append(process)
        wait_for(process.log_tail)
        found = starts.running()
        assert found is not None
        if adopt:
            process.adopt(Container(found))
        return process

    yield begin
    for process in started:
        process.kill()
    left = containers(tmp_path)
    remove(tmp_path)
    assert left == []


def wait_for(true: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_its_processes_are_found_and_no_others(start: Start) -> None:
    process = start(TWO_COUNT, "--rm")
    container = process.container
    assert container is not None
    pids = members(container.id)
    first = psutil.Process(container.pid)
    assert first.cmdline()[:2] == ["/bin/sh", "-c"]
    assert first.ppid() not in pids
    second = next(child for child in first.children() if child.cmdline() == first.cmdline())
    assert {first.pid, second.pid} <= set(pids)
    monitor = psutil.Process(first.ppid())
    assert (monitor.name(), container_of(monitor.pid)) == ("conmon", None)
    assert container_of(container.pid) == container.id
    assert container_of(process.pid) is None  # the engine's own
    assert container_of("self") != container.id


@pytest.mark.parametrize("way", ["version 2", "version 1", "signals"])
def test_it_stands_still_and_goes_on(start: Start, way: str) -> None:
    process = start(TWO_COUNT, "--rm")
    container = process.container
    assert container is not None
    there = {
        "version 2" if file.path.name == "cgroup.freeze" else "version 1": file
        for file in freezers(container.id, container.pid)
    }
    if way != "signals" and way not in there:
        pytest.skip(f"control groups of {way} have no freezer here")
    container._freezer = there.get(way)
    assert container.stands_still
    for _ in range(3):
        process.freeze()
        time.sleep(0.1)  # what was on its way to the log is there
        before = process.log_tail(1)
        time.sleep(0.2)
        assert process.log_tail(1) == before
        process.thaw()
        wait_for(lambda before=before: process.log_tail(1) != before)
    process.freeze()
    ended = process.stop(grace_s=0.2)
    assert ended.killed
    assert members(container.id) == []


def test_signals_that_are_not_allowed_stop_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container of another user's: its control group is not ours to write either."""
    process = start(COUNTS, "--rm")
    found = process.container
    assert found is not None
    allowed = os.kill

    def denied(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr("sweeper.processes.container.freezers", lambda container_id, pid: iter(()))
    monkeypatch.setattr(os, "kill", denied)
    container = Container(found.id)
    assert not container.stands_still
    container.freeze()
    container.thaw()
    container.terminate()
    monkeypatch.setattr(os, "kill", allowed)
    before = process.log_tail(1)
    wait_for(lambda: process.log_tail(1) != before)
    assert Container(found.id).stands_still


def test_who_obeys_ends_by_itself(start: Start) -> None:
    process = start(OBEYS, "--rm")
    assert handles_term(process.container.pid)
    ended = process.stop(grace_s=20)
    assert (ended.killed, ended.cpu_s, ended.max_rss_bytes) == (False, None, None)


def test_who_cannot_obey_is_not_waited_for(start: Start) -> None:
    """A container's first process does not even get a TERM that it has no handler for."""
    process = start("while :; do echo up; read -r x < /proc/uptime; done", "--rm")
    assert not handles_term(process.container.pid)
    ended = process.stop(grace_s=3600)
    assert ended.killed


@pytest.mark.parametrize("adopted", [True, False])
def test_one_that_its_engine_would_keep_is_removed(start: Start, tmp_path: Path, adopted: bool) -> None:
    process = start(COUNTS, adopt=adopted)
    process.stop(grace_s=0.2)
    assert containers(tmp_path) == []


def test_the_guard_is_killed(start: Start, tmp_path: Path) -> None:
    process = start(COUNTS)
    process.freeze()
    os.kill(process.guard_pid, signal.SIGKILL)
    wait_for(lambda: process.poll() is not None)
    assert process.stop().killed
    assert containers(tmp_path) == []


# Stands for sweeper, which starts a container and is killed.
PARENT = """
import os, sys, time
from pathlib import Path
from sweeper.processes import Container, StartsContainer, spawn
from sweeper.processes.container import Engine

log, label, moment, *argv = sys.argv[1:]
starts = StartsContainer(Engine(tuple(argv[: argv.index("run")])), label)
process = spawn(argv, env=dict(os.environ), log_path=Path(log), container=starts)
print("started", flush=True)
if moment == "frozen":
    while not process.log_tail():
        time.sleep(0.02)
    process.adopt(Container(starts.running()))
    process.freeze()
    print("frozen", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.1, 0.2, 0.3, 0.5, None])
def test_sweeper_is_killed_at_any_moment_of_its_start(
    tmp_path: Path, after_s: float | None, engine: tuple[str, ...]
) -> None:
    """None: once it stands still."""
    label = uuid.uuid4().hex
    arguments = [tmp_path / "log", label, "starting" if after_s is not None else "frozen"]
    line = [
        sys.executable,
        "-c",
        PARENT,
        *map(str, arguments),
        *command(COUNTS, label, tmp_path, engine=engine),
    ]
    caller = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "started\n"
        if after_s is None:
            assert caller.stdout.readline() == "frozen\n"
            assert len(containers(tmp_path, "--all")) == 1
        time.sleep(after_s or 0.0)
        caller.kill()
        caller.wait()
        caller.stdout.close()
        wait_for(lambda: not [p for p in psutil.process_iter() if label in shlex.join(args_of(p))])
        assert wait_until_removed(tmp_path) == []
    finally:
        remove(tmp_path)


def args_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
