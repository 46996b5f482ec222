"""Starting, watching and ending one program under guard."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from sweeper.processes import ManagedProcess
from sweeper.processes import managed_process as managed

IGNORES_TERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('up')
time.sleep(60)
"""
SAYS_BYE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print('bye'), sys.exit(3)))
print('up')
time.sleep(60)
"""
# A child in a session of its own that ignores TERM, as daemons do; its parent is gone by the time we stop.
DAEMONISES = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print('up')
        time.sleep(60)
    os._exit(0)
os.wait()
time.sleep(60)
"""


def wait_for(process, text: str) -> None:
    """Until the program has written `text`."""
    deadline_s = time.monotonic() + 20
    while text not in process.log_tail():
        assert time.monotonic() < deadline_s, process.log_tail()
        time.sleep(0.01)


def wait_for_exit(process) -> int:
    deadline_s = time.monotonic() + 20
    while (return_code := process.poll()) is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    return return_code


def processes_under(process: ManagedProcess) -> list[psutil.Process]:
    """What is below its guard."""
    return psutil.Process(process.guard_pid).children(recursive=True)


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert alive == []


def test_the_program_gets_its_environment_folder_and_streams(start, tmp_path):
    code = """
import json, os, sys
files = sorted(os.listdir('/proc/self/fd'))[:-1]  # the last one is the listing's own
print(json.dumps([dict(os.environ), os.getcwd(), sys.stdin.read(), files]))
print('to the log too', file=sys.stderr)
"""
    env = {"PATH": "/nowhere", "LC_ALL": "C", "ODD": "\udcff=x\ny", "LONG": "x" * 120_000}
    process = start(code, env=env, cwd=tmp_path)
    assert wait_for_exit(process) == 0
    first, second = (tmp_path / "log").read_text().splitlines()
    assert json.loads(first) == [env, str(tmp_path), "", ["0", "1", "2"]]
    assert second == "to the log too"


def test_it_has_a_session_of_its_own_and_default_signals(start):
    process = start(["sleep", "60"])
    assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid
    assert os.getsid(process.guard_pid) == process.guard_pid
    status = Path(f"/proc/{process.pid}/status").read_text()
    # Signals 32 and up are the C library's own: what it inherited of them is not ours to reset.
    masks = [int(mask, 16) & 0x7FFFFFFF for mask in re.findall(r"(?:SigBlk|SigIgn):\t(\w+)", status)]
    assert masks == [0, 0]


def test_the_guard_is_above_the_measured_tree(start):
    process = start(["sleep", "60"])
    assert psutil.Process(process.pid).ppid() == process.guard_pid
    assert psutil.Process(process.pid).name() == "sleep"


def test_cores_are_set_for_the_program_and_not_for_us(start):
    own = os.sched_getaffinity(0)
    core = min(own)
    process = start(["sleep", "60"], cpus=frozenset({core}))
    assert os.sched_getaffinity(process.pid) == {core}
    assert os.sched_getaffinity(0) == own


@pytest.mark.parametrize(
    ("argv", "options", "error", "what"),
    [
        (["no-such-program"], {}, FileNotFoundError, "cannot execute.*no-such-program"),
        (["/etc/passwd"], {}, PermissionError, "cannot execute.*/etc/passwd"),
        (["true"], {"env": {"PATH": "/nowhere"}}, FileNotFoundError, "cannot execute"),
        (["true"], {"cwd": "no/such/folder"}, FileNotFoundError, "cannot enter.*no/such/folder"),
        (["true"], {"cpus": frozenset({4000})}, OSError, r"cannot run on the cores.*\[4000\]"),
        (["true"], {"log_path": "no/such/folder"}, FileNotFoundError, "no/such/folder"),
    ],
)
def test_what_cannot_be_started_is_an_os_error(start, tmp_path, argv, options, error, what):
    options = {name: tmp_path / text if isinstance(text, str) else text for name, text in options.items()}
    with pytest.raises(error, match=what):
        start(argv, **options)


def test_exit_codes_and_resource_use(start):
    process = start(
        "import time\nfor _ in range(50): time.sleep(0.001)\nsum(range(3_000_000))\nraise SystemExit(7)"
    )
    assert process.poll() in (None, 7)
    assert wait_for_exit(process) == 7
    ended = process.stop()
    assert (ended.return_code, ended.killed) == (7, False)
    assert ended.voluntary_switches >= 50
    assert ended.involuntary_switches >= 0
    assert ended.cpu_s > 0
    assert ended.max_rss_bytes > 1 << 20
    assert process.stop() is ended
    assert process.poll() == 7
    process.kill()


def test_children_that_were_waited_for_are_in_the_resource_use(start):
    process = start(
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(20_000_000))'])"
    )
    assert wait_for_exit(process) == 0
    assert process.stop().cpu_s > 0.1


def test_stop_asks_before_it_kills(start):
    process = start(SAYS_BYE)
    wait_for(process, "up")
    assert process.poll() is None
    ended = process.stop()
    assert (ended.return_code, ended.killed) == (3, False)
    assert process.log_tail(1) == "bye"


def test_who_ignores_term_is_killed_after_the_grace(start):
    process = start(IGNORES_TERM)
    wait_for(process, "up")
    ended = process.stop(grace_s=0.2)
    assert (ended.return_code, ended.killed) == (-signal.SIGKILL, True)
    assert ended.stopped_in_s >= 0.2
    assert process.poll() == -signal.SIGKILL


@pytest.mark.parametrize(
    "code",
    [
        DAEMONISES,
        # a shell in between
        ["sh", "-c", "sleep 60 & (trap '' TERM; echo up; sleep 60; sleep 60); true"],
        # it ends on its own and leaves its child behind
        "import subprocess, sys; subprocess.Popen(['sleep', '60']); print('up')",
    ],
    ids=["daemon", "shell", "orphan"],
)
def test_stop_leaves_nothing(start, code):
    process = start(code)
    wait_for(process, "up")
    processes = processes_under(process)
    assert processes
    process.stop(grace_s=0.3)
    assert_gone(processes)
    assert not psutil.pid_exists(process.guard_pid)


def test_kill_leaves_nothing_and_stop_still_tells_the_exit(start):
    process = start(DAEMONISES)
    wait_for(process, "up")
    processes = processes_under(process)
    process.kill()
    assert_gone(processes)
    ended = process.stop()
    assert (ended.return_code, ended.killed) == (-signal.SIGKILL, True)


def test_kill_cuts_the_grace_of_a_stop_short(start):
    process = start(IGNORES_TERM)
    wait_for(process, "up")
    ends = []
    stopping = threading.Thread(target=lambda: ends.append(process.stop(grace_s=50)))
    stopping.start()
    assert process.poll() is None
    process.kill()
    stopping.join(20)
    assert ends[0].killed
    assert ends[0].stopped_in_s < 40


def test_a_dead_guard_takes_all_with_it(start):
    process = start(
        "import subprocess, sys, time; subprocess.Popen(['sleep', '60']); print('up'); time.sleep(60)"
    )
    wait_for(process, "up")
    processes = processes_under(process)
    assert len(processes) == 2
    os.kill(process.guard_pid, signal.SIGKILL)
    assert wait_for_exit(process) == -signal.SIGKILL
    assert_gone(processes)
    ended = process.stop()
    assert (ended.return_code, ended.killed, ended.cpu_s) == (-signal.SIGKILL, True, None)


def test_a_dead_guard_takes_the_program_with_it_when_nobody_looks(start):
    process = start(["sleep", "60"])
    program = psutil.Process(process.pid)
    os.kill(process.guard_pid, signal.SIGKILL)
    assert_gone([program])


def test_a_stuck_guard_is_not_waited_for(start, monkeypatch):
    monkeypatch.setattr(managed, "_KILL_TIMEOUT_S", 0.2)
    process = start(DAEMONISES)
    wait_for(process, "up")
    processes = processes_under(process)
    os.kill(process.guard_pid, signal.SIGSTOP)
    assert process.stop(grace_s=0.1).killed
    assert_gone(processes)


def test_term_to_the_guard_ends_the_program(start):
    process = start(["sleep", "60"])
    os.kill(process.guard_pid, signal.SIGTERM)
    assert wait_for_exit(process) == -signal.SIGKILL


# Busy in two processes, of which one has left the group.
BUSY = """
import os
if os.fork() == 0:
    os.setsid()
while True:
    pass
"""


def cpu_s(process) -> float:
    tree = psutil.Process(process.guard_pid).children(recursive=True)
    assert len(tree) == 2
    return sum(sum(one.cpu_times()[:2]) for one in tree)


def test_frozen_it_uses_no_cpu_and_thawed_it_goes_on(start):
    process = start(BUSY)
    deadline_s = time.monotonic() + 20
    while len(psutil.Process(process.guard_pid).children(recursive=True)) < 2 or cpu_s(process) < 0.1:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    process.freeze()
    time.sleep(0.05)  # a process in the middle of a system call stops at its end
    before_s = cpu_s(process)
    time.sleep(0.3)
    assert cpu_s(process) == before_s
    assert process.poll() is None
    process.thaw()
    while cpu_s(process) <= before_s:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_frozen_it_can_be_ended(start, end):
    process = start(SAYS_BYE)
    wait_for(process, "up")
    pids = processes_under(process)
    process.freeze()
    ended = process.stop(10.0) if end == "stop" else process.kill()
    if ended is not None:
        assert (ended.return_code, ended.killed) == (3, False)
    assert_gone(pids)


def test_who_was_never_frozen_is_not_thawed(start):
    """A process that stopped itself is none of ours."""
    process = start("import os, signal\nprint('up')\nos.kill(os.getpid(), signal.SIGSTOP)")
    wait_for(process, "up")
    deadline_s = time.monotonic() + 20
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    process.thaw()
    assert psutil.Process(process.pid).status() == psutil.STATUS_STOPPED
