"""`kill -9` on whoever called `spawn`: nothing may be left, whatever the program has started."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

# Stands for sweeper: it starts a program with workers, a shell in between and a daemon, and is killed.
PARENT = """
import os, sys, threading, time
from pathlib import Path
from sweeper.processes import spawn

PROGRAM = '''
import os, signal, subprocess, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(2):
    subprocess.Popen(["sleep", "600"])
subprocess.Popen(["sh", "-c", "sleep 600; true"])
subprocess.Popen(["setsid", "sleep", "600"])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("up", flush=True)
        time.sleep(600)
    os._exit(0)
os.wait()
time.sleep(600)
'''
how, log = sys.argv[1], Path(sys.argv[2])

def start():
    global process
    process = spawn([sys.executable, "-c", PROGRAM], env=dict(os.environ), log_path=log)

if how == "from a thread":
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
else:
    start()
if how == "with a forked child" and os.fork() == 0:
    time.sleep(600)
while "up" not in process.log_tail():
    time.sleep(0.01)
print(process.poll(), flush=True)
if how == "dropped":
    del process
if how == "ends":
    sys.exit(0)
time.sleep(600)
"""


@pytest.fixture
def mark() -> Iterator[str]:
    """An environment variable by which to find every process that was started; ends what a failure leaves."""
    name = f"MARK_{uuid.uuid4().hex}"
    yield name
    left = marked(name)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=5)


def marked(name: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if name.encode() in Path(f"/proc/{process.pid}/environ").read_bytes():
                found.append(process)
        except OSError:
            continue
    return found


def wait_until_gone(name: str, spare: int = 0) -> list[psutil.Process]:
    deadline_s = time.monotonic() + 15
    while len(left := marked(name)) > spare and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return left


def parent(mark: str, log: Path, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, how, str(log)],
        env={**os.environ, mark: "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("how", ["plainly", "from a thread", "with a forked child"])
def test_nothing_is_left(mark, tmp_path, how):
    caller = parent(mark, tmp_path / "log", how)
    assert caller.stdout.readline() == "None\n"
    # caller, guard, program, two workers, shell and its child, two daemons (and the forked child)
    assert len(marked(mark)) == 9 + (how == "with a forked child")
    caller.kill()
    caller.wait()
    caller.stdout.close()
    left = wait_until_gone(mark, spare=int(how == "with a forked child"))
    assert [process.cmdline()[:1] for process in left] == [[sys.executable]] * (how == "with a forked child")


@pytest.mark.parametrize("how", ["dropped", "ends"])
def test_nothing_is_left_when_the_caller_forgets_to_stop(mark, tmp_path, how):
    caller = parent(mark, tmp_path / "log", how)
    caller.stdout.readline()
    left = wait_until_gone(mark, spare=int(how == "dropped"))
    assert [process.pid for process in left] == [caller.pid] * (how == "dropped")
    caller.kill()
    caller.wait()
    caller.stdout.close()


def test_killed_at_any_moment_of_the_start(mark, tmp_path):
    seed = random.Random(7)
    for number in range(6):
        caller = parent(mark, tmp_path / f"log{number}", "plainly")
        guard_seen_by = time.monotonic() + 10
        while len(marked(mark)) < 2 and time.monotonic() < guard_seen_by:
            pass
        time.sleep(seed.uniform(0.0, 0.06))
        os.kill(caller.pid, signal.SIGKILL)
        caller.wait()
        caller.stdout.close()
        assert wait_until_gone(mark) == []
