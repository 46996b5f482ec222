"""Context switches of the whole process: against pidstat, against wait4, and past the end of threads."""

from __future__ import annotations

import os
import subprocess

import psutil
import pytest

from sweeper.telemetry import ProcTelemetry


@pytest.fixture(params=[None, 0], ids=["open files", "no open files"])
def telemetry(request):
    return ProcTelemetry(max_open_files=request.param)


class Pidstat:
    """`pidstat -w -t`, one report a second; `read_report` adds up what it says of all threads."""

    def __init__(self, pid: int, threads: int) -> None:
        self.process = subprocess.Popen(
            # stdbuf: into a pipe, it would hold its reports back
            ["stdbuf", "-oL", "pidstat", "-w", "-t", "-h", "-p", str(pid), "1"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LC_ALL": "C", "S_TIME_FORMAT": "ISO"},
        )
        self.threads = threads
        self.columns: list[str] = []

    def read_report(self) -> tuple[float, float]:
        """Voluntary and involuntary switches since the report before it."""
        rows: list[dict[str, str]] = []
        for line in self.process.stdout:
            if line.startswith("#"):
                self.columns = line[1:].split()
            elif self.columns and line.strip():
                rows.append(dict(zip(self.columns, line.split(), strict=False)))
            if len(rows) == 1 + self.threads:
                break
        tasks = [row for row in rows if row["TID"] != "-"]
        assert len(tasks) == self.threads
        return sum(float(row["cswch/s"]) for row in tasks), sum(float(row["nvcswch/s"]) for row in tasks)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.mark.needs("pidstat")
def test_agrees_with_pidstat(subject):
    subject.tell("threads 8")
    probe = ProcTelemetry().attach(subject.pid, 0)
    pidstat = Pidstat(subject.pid, threads=9)
    try:
        pidstat.read_report()  # whatever follows is in the reports that follow
        main_before = psutil.Process(subject.pid).num_ctx_switches().voluntary
        before = probe.sample()
        subject.tell("switch 100")
        after = probe.sample()
        main_after = psutil.Process(subject.pid).num_ctx_switches().voluntary
        reports = [pidstat.read_report()]
        while sum(reports[-1]) or not any(map(sum, reports)):  # until a quiet second shows that all is told
            reports.append(pidstat.read_report())
    finally:
        pidstat.close()
    voluntary = after.server_voluntary_switches - before.server_voluntary_switches
    assert voluntary >= 800
    # It prints rates, over intervals of a second and a little more.
    assert voluntary == pytest.approx(sum(report[0] for report in reports), rel=0.1)
    involuntary = after.server_involuntary_switches - before.server_involuntary_switches
    assert involuntary == pytest.approx(sum(report[1] for report in reports), rel=0.1, abs=20)
    # What /proc/PID/status, and psutil, would have said.
    assert main_after - main_before < voluntary / 10


def test_agrees_with_the_rusage_of_wait4(subject, telemetry):
    subject.tell("threads 6")
    subject.tell("child")
    subject.tell("tell threads 4")
    probe = telemetry.attach(subject.pid, 0)
    subject.tell("switch 100")
    subject.tell("tell switch 100")
    probe.sample()
    subject.tell("end")
    subject.tell("reap")
    subject.tell("threads 2")
    subject.tell("switch 100")
    last = probe.sample()
    assert (last.server_threads, last.server_processes) == (3, 1)
    subject.process.stdin.close()
    _, status, rusage = os.wait4(subject.pid, 0)
    subject.process.returncode = os.waitstatus_to_exitcode(status)
    assert last.server_voluntary_switches >= 1200
    # What came after the last look at each thread is missing here, and nothing else.
    assert 0 <= rusage.ru_nvcsw - last.server_voluntary_switches <= 120
    assert 0 <= rusage.ru_nivcsw - last.server_involuntary_switches <= 120


def test_the_switches_of_ended_threads_stay(subject, telemetry):
    subject.tell("threads 10")
    probe = telemetry.attach(subject.pid, 0)
    subject.tell("switch 50")
    alive = probe.sample()
    subject.tell("end")
    ended = probe.sample()
    assert (alive.server_threads, ended.server_threads) == (11, 1)
    assert ended.server_voluntary_switches >= alive.server_voluntary_switches >= 500
    assert ended.server_run_delay_s >= alive.server_run_delay_s > 0


def test_no_counter_falls_while_threads_and_children_come_and_go(subject, telemetry):
    probe = telemetry.attach(subject.pid, os.getpid())
    samples = []
    for _ in range(6):
        for order in ("threads 5", "switch 5", "child", "tell threads 3", "tell burn 0.02"):
            subject.tell(order)
            samples.append(probe.sample())
        for order in ("end", "tell end", "reap"):
            subject.tell(order)
            samples.append(probe.sample())
    rising = [
        "at_s",
        "server_user_cpu_s",
        "server_system_cpu_s",
        "server_peak_rss_bytes",
        "server_voluntary_switches",
        "server_involuntary_switches",
        "server_run_delay_s",
        "client_cpu_s",
        "host_context_switches",
        "host_busy_cpu_s",
    ]
    for name in rising:
        series = [getattr(sample, name) for sample in samples]
        assert series == sorted(series), name


THREAD_STAT = "{tid} (worker) S 1 1 1 0 -1 64 0 0 0 0 7 3 0 0 20 0 1 0 {start} 1000 50 0\n"
THREAD_STATUS = (
    "Name:\tworker\nVmHWM:\t400 kB\nvoluntary_ctxt_switches:\t{v}\nnonvoluntary_ctxt_switches:\t{n}\n"
)


def made_up_thread(tid: int, start: int, voluntary: int, involuntary: int, delay_ns: int) -> dict[str, str]:
    return {
        f"900/task/{tid}/stat": THREAD_STAT.format(tid=tid, start=start),
        f"900/task/{tid}/status": THREAD_STATUS.format(v=voluntary, n=involuntary),
        f"900/task/{tid}/schedstat": f"1000 {delay_ns} 5\n",
        f"900/task/{tid}/children": "",
    }


def test_a_later_thread_of_the_same_tid_is_another_thread(write_files):
    process = {
        "900/stat": THREAD_STAT.format(tid=900, start=10),
        **{f"self/{name}": text for name, text in own_files().items()},
    }
    proc = write_files(
        process | made_up_thread(900, 10, 1, 2, 3) | made_up_thread(901, 20, 100, 10, 1_000_000_000)
    )
    probe = ProcTelemetry(proc, max_open_files=0).attach(900, 0)
    first = probe.sample()
    write_files(made_up_thread(901, 99, 150, 11, 2_000_000_000))
    second = probe.sample()
    write_files(made_up_thread(901, 99, 160, 12, 2_500_000_000))
    third = probe.sample()
    voluntary = [sample.server_voluntary_switches for sample in (first, second, third)]
    involuntary = [sample.server_involuntary_switches for sample in (first, second, third)]
    assert voluntary == [101, 251, 261]
    assert involuntary == [12, 23, 24]
    assert third.server_run_delay_s == pytest.approx(3.5)


def own_files() -> dict[str, str]:
    return {
        "stat": THREAD_STAT.format(tid=900, start=10),
        "status": THREAD_STATUS.format(v=1, n=1),
        "schedstat": "5 6 7\n",
        "task/900/children": "",
    }
