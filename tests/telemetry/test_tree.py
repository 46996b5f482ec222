"""The process tree: who belongs to it, its CPU time and memory, and what happens when parts of it end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from sweeper.telemetry import ProcTelemetry
from sweeper.telemetry.process_threads import FileBudget, TaskFiles, TaskSources
from sweeper.telemetry.process_tree import ProcessTree

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@pytest.fixture(params=[True, False], ids=["children files", "search of all of /proc"])
def tree_of(request):
    sources = TaskSources(switches=True, schedstat=True, children=request.param)
    return lambda pid: ProcessTree(pid, "/proc", sources, FileBudget())


def cpu_s(counters) -> float:
    return counters.user_cpu_s + counters.system_cpu_s


def test_children_and_their_threads_belong_to_the_tree(subject, tree_of):
    tree = tree_of(subject.pid)
    alone = tree.sample()
    subject.tell("threads 3")
    subject.tell("child")
    subject.tell("tell threads 5")
    subject.tell("tell child")
    family = tree.sample()
    assert (alone.processes, alone.threads) == (1, 1)
    assert (family.processes, family.threads) == (3, 1 + 3 + 1 + 5 + 1)
    assert family.rss_bytes > 2 * alone.rss_bytes


def test_agrees_with_psutil_on_memory_and_cpu(subject, tree_of):
    subject.tell("burn 0.2")
    subject.tell("child")
    tree = tree_of(subject.pid)
    counters = tree.sample()
    processes = [psutil.Process(subject.pid), *psutil.Process(subject.pid).children(recursive=True)]
    times = [process.cpu_times() for process in processes]
    assert counters.rss_bytes == pytest.approx(sum(p.memory_info().rss for p in processes), rel=0.02)
    assert counters.user_cpu_s == pytest.approx(sum(t.user + t.children_user for t in times), abs=3 * TICK_S)
    assert counters.system_cpu_s == pytest.approx(
        sum(t.system + t.children_system for t in times), abs=3 * TICK_S
    )


def test_the_peak_outlives_the_memory(subject, tree_of):
    tree = tree_of(subject.pid)
    before = tree.sample()
    subject.tell("child")
    subject.tell("tell allocate 64")
    grown = tree.sample()
    subject.tell("reap")
    after = tree.sample()
    assert grown.rss_bytes - before.rss_bytes >= 64 << 20
    assert after.rss_bytes < grown.rss_bytes - (60 << 20)
    assert after.peak_rss_bytes >= grown.peak_rss_bytes >= grown.rss_bytes


def test_the_peak_of_one_process_is_the_kernel_s(subject):
    # Freed before the first look: only the kernel has seen it.
    code = "b = bytearray(b'x') * (64 << 20); del b; print(flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        sample = ProcTelemetry().attach(process.pid, 0).sample()
        assert sample.server_peak_rss_bytes >= (64 << 20)
        assert sample.server_rss_bytes < (64 << 20)
    finally:
        process.communicate()


@pytest.mark.parametrize("reaping", ["waited for", "ignored"])
def test_the_cpu_time_of_ended_children_is_counted_once(subject, tree_of, reaping):
    if reaping == "ignored":  # the kernel then gives their time to nobody
        subject.tell("ignore_children")
    tree = tree_of(subject.pid)
    subject.tell("child")
    subject.tell("tell burn 0.3")
    alive = tree.sample()
    subject.tell("reap")
    ended = tree.sample()
    subject.tell("child")
    subject.tell("burn 0.1")
    later = tree.sample()
    assert cpu_s(alive) >= 0.3
    assert cpu_s(ended) >= cpu_s(alive)
    # A second counting would add 0.3 s; starting and ending interpreters costs some of its own.
    assert 0.1 - 2 * TICK_S <= cpu_s(later) - cpu_s(alive) < 0.35
    assert (alive.processes, ended.processes, later.processes) == (2, 1, 2)


def test_cpu_agrees_with_the_rusage_of_wait4(subject, tree_of):
    tree = tree_of(subject.pid)
    subject.tell("child")
    subject.tell("tell burn 0.2")
    subject.tell("burn 0.2")
    tree.sample()
    subject.tell("reap")
    last = tree.sample()
    subject.process.stdin.close()
    _, status, rusage = os.wait4(subject.pid, 0)
    subject.process.returncode = os.waitstatus_to_exitcode(status)
    ended_s = rusage.ru_utime + rusage.ru_stime
    assert 0.4 <= cpu_s(last) <= ended_s + 3 * TICK_S
    assert ended_s - cpu_s(last) < 0.15


def test_a_descendant_stays_when_its_parent_ends_first(subject, tree_of):
    tree = tree_of(subject.pid)
    subject.tell("child")
    tree.sample()
    orphan = psutil.Process(int(subject.tell("tell sleeper")))
    assert tree.sample().processes == 3
    os.kill(orphan.ppid(), signal.SIGKILL)
    subject.tell("reap")
    try:
        assert tree.sample().processes == 2
    finally:
        orphan.kill()
    # It is not ours to wait for, so wait until it is gone or a zombie.
    psutil.wait_procs([orphan], timeout=5)
    assert tree.sample().processes == 1


@pytest.mark.parametrize("name", ["a b", "a) R 1 (b", "((", "S 0 0"])
def test_names_with_spaces_and_parentheses(subject, tree_of, name):
    subject.tell(f"name {name}")
    tree = tree_of(subject.pid)
    subject.tell("child")
    assert tree.sample().processes == 2


def test_a_server_that_is_gone_is_a_lookup_error(subject):
    probe = ProcTelemetry().attach(subject.pid, 0)
    probe.sample()
    subject.process.kill()
    os.waitid(os.P_PID, subject.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ProcessLookupError):  # still a zombie
        probe.sample()
    subject.process.wait()
    with pytest.raises(ProcessLookupError):
        probe.sample()
    with pytest.raises(ProcessLookupError):
        ProcTelemetry().attach(subject.pid, 0)


def test_a_client_that_is_gone_has_no_figures(subject):
    subject.tell("burn 0.05")
    probe = ProcTelemetry().attach(os.getpid(), subject.pid)
    with_client = probe.sample()
    subject.process.kill()
    subject.process.wait()
    without = probe.sample()
    assert (with_client.client_threads, without.client_threads) == (1, None)
    assert with_client.client_cpu_s >= 0.05
    assert without.client_cpu_s is None


def test_the_client_s_children_count_as_the_client(subject):
    subject.tell("child")
    subject.tell("tell threads 2")
    assert ProcTelemetry().attach(os.getpid(), subject.pid).sample().client_threads == 4


def test_each_of_the_client_s_processes_has_its_own_cpu(subject):
    subject.tell("burn 0.1")
    subject.tell("child")
    subject.tell("tell burn 0.3")
    sample = ProcTelemetry().attach(os.getpid(), subject.pid).sample()
    (root, own_cpu_s), (child, child_cpu_s) = sample.client_process_cpu_s
    assert (root, psutil.Process(child).ppid()) == (subject.pid, subject.pid)
    assert own_cpu_s >= 0.1
    assert child_cpu_s >= 0.3
    assert own_cpu_s + child_cpu_s == pytest.approx(sample.client_cpu_s)


def test_open_files_are_closed(subject):
    own_files = psutil.Process()
    subject.tell("threads 4")
    before = own_files.num_fds()
    probe = ProcTelemetry().attach(subject.pid, 0)
    probe.sample()
    assert own_files.num_fds() >= before + 5
    subject.tell("end")
    probe.sample()
    assert own_files.num_fds() <= before + 3
    probe.close()
    assert own_files.num_fds() == before


def test_no_more_files_stay_open_than_allowed(subject):
    own_files = psutil.Process()
    subject.tell("threads 10")
    before = own_files.num_fds()
    probe = ProcTelemetry(max_open_files=9).attach(subject.pid, 0)
    assert probe.sample().server_threads == 11
    assert before < own_files.num_fds() <= before + 9
    probe.close()


def test_the_open_files_of_an_ended_thread_are_not_those_of_another(subject):
    subject.tell("threads 1")
    (tid,) = {thread.id for thread in psutil.Process(subject.pid).threads()} - {subject.pid}
    files = TaskFiles(f"/proc/{subject.pid}/task/{tid}", ("status", "schedstat"), FileBudget())
    assert f"Pid:\t{tid}\n" in files.read()[0]
    subject.tell("end")
    with pytest.raises(ProcessLookupError):
        files.read()
    files.close()
