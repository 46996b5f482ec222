"""The host's counters and facts, on made-up kernels and on this one."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
from pathlib import Path

import psutil
import pytest

from sweeper.errors import UsageError
from sweeper.telemetry import KernelSupport, ProcTelemetry, host_fingerprint, kernel_support, require_proc
from sweeper.telemetry.cgroup import (
    CpuBudget,
    Throttling,
    cpu_quota_cores,
    memory_left_bytes,
    memory_limit_bytes,
)
from sweeper.telemetry.procfs import parse_host_stat
from tests.support.kernel_files import BARE, FULL, STAT, cgroups

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def test_what_a_bare_kernel_lacks_is_unavailable_and_not_zero(write_files):
    proc = write_files(BARE)
    assert kernel_support(proc) == KernelSupport(False, False, False)
    sample = ProcTelemetry(proc).attach(77, 0).sample()
    assert (sample.server_voluntary_switches, sample.server_involuntary_switches) == (4, 2)
    unavailable = [name for name, value in dataclasses.asdict(sample).items() if value is None]
    assert unavailable == [
        "server_run_delay_s",
        "client_cpu_s",
        "client_threads",
        "host_context_switches",
        "host_busy_cpu_s",
        "host_steal_s",
        "host_cpu_pressure_s",
        "cgroup_throttled_periods",
        "cgroup_throttled_s",
        "client_process_cpu_s",
        "cgroup_periods",
        "cgroup_quota_cores",
        "cgroup_period_s",
        "cgroup_cpu_s",
        "cgroup_client_cpu_s",
        "cgroup_sweeper_cpu_s",
        "server_reported_cpu_s",
        "server_reported_at_s",
    ]


def test_a_full_kernel(write_files, tmp_path):
    proc = write_files(FULL | cgroups(tmp_path) | cgroups(tmp_path, "self"))
    assert kernel_support(proc) == KernelSupport(True, True, True)
    sample = ProcTelemetry(proc, now_s=iter([10.0, 12.0]).__next__).attach(77, 0).sample()
    assert sample.at_s == 11.0
    assert sample.server_user_cpu_s == pytest.approx(7 * TICK_S)
    assert sample.server_run_delay_s == 4.0
    assert sample.server_rss_bytes == 50 * os.sysconf("SC_PAGE_SIZE")
    assert sample.server_peak_rss_bytes == 400 * 1024
    assert sample.host_context_switches == 5000
    assert sample.host_busy_cpu_s == pytest.approx(153 * TICK_S)
    assert sample.host_steal_s == pytest.approx(30 * TICK_S)
    assert sample.host_cpu_pressure_s == 2.5
    assert (sample.cgroup_throttled_periods, sample.cgroup_throttled_s) == (5, 0.75)


def test_a_kernel_that_writes_zeros_keeps_no_run_delay(write_files):
    proc = write_files(FULL | {"self/schedstat": "0 0 0\n", "77/task/77/schedstat": "0 0 0\n"})
    assert not kernel_support(proc).schedstat
    assert ProcTelemetry(proc).attach(77, 0).sample().server_run_delay_s is None


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "there is no Linux process file system at"),
        ({"self/stat": STAT, "self/status": "Name:\tx\n"}, "sandbox"),
    ],
)
def test_a_system_without_proc_is_one_sentence(write_files, files, sentence):
    proc = write_files(files)
    for use in (require_proc, kernel_support, ProcTelemetry):
        with pytest.raises(UsageError, match=sentence) as caught:
            use(proc)
        assert "\n" not in str(caught.value)


def test_the_running_kernel():
    support = kernel_support()
    sample = ProcTelemetry().attach(os.getpid(), os.getpid()).sample()
    assert (sample.server_run_delay_s is not None) == support.schedstat
    assert (sample.host_cpu_pressure_s is not None) == support.pressure
    steal_ticks = parse_host_stat(Path("/proc/stat").read_text()).steal_ticks
    assert (sample.host_steal_s is not None) == (steal_ticks is not None)
    periods = CpuBudget(Path("/proc"), "self").throttling().periods
    assert (sample.cgroup_throttled_periods is not None) == (periods is not None)
    assert sample.host_busy_cpu_s <= sum(psutil.cpu_times()) + 1


def test_limits_and_throttling_of_version_2(write_files, tmp_path):
    proc = write_files(cgroups(tmp_path))
    assert cpu_quota_cores(proc, 77) == 1.5
    assert memory_limit_bytes(proc, 77) == 2 << 30
    budget = CpuBudget(proc, 77)
    assert budget.throttling() == Throttling(5, 0.75, elapsed_periods=20)
    assert (budget.quota_cores(), budget.period_s(), budget.used_s()) == (1.5, 0.1, 9e-6)
    assert budget.elapsed_periods() == 20


def test_whom_a_quota_covers(write_files, tmp_path):
    """A process in the group above is under it, one of another group is not."""
    beside = {
        "78/cgroup": "0::/system/other\n",
        "79/cgroup": "0::/user\n",
        **{f"{pid}/mountinfo": f"41 31 0:38 / {tmp_path}/cg rw - cgroup2 cgroup2 rw\n" for pid in (78, 79)},
    }
    proc = write_files(cgroups(tmp_path) | beside)
    budget = CpuBudget(proc, 77)
    assert [budget.covers(pid) for pid in (77, 78, 79, 80)] == [True, True, False, False]
    (tmp_path / "cg/system/cpu.max").write_text("max 100000\n")
    assert not budget.covers(77)
    assert (budget.quota_cores(), budget.period_s(), budget.used_s()) == (None, None, None)


def test_the_memory_that_a_limit_leaves(write_files, tmp_path):
    """Cached files that the kernel would give up first do not count as used."""
    files = cgroups(tmp_path) | {
        "cg/system/job/memory.current": f"{3 << 29}\n",
        "cg/system/job/memory.stat": f"anon 7\ninactive_file {1 << 28}\nactive_file 9\n",
    }
    assert memory_left_bytes(write_files(files), 77) == (2 << 30) - (3 << 29) + (1 << 28)
    del files["cg/system/job/memory.current"]
    (tmp_path / "cg/system/job/memory.current").unlink()
    assert memory_left_bytes(write_files(files), 77) is None


def test_memory_is_available_here():
    available = ProcTelemetry().available_bytes()
    assert available is not None
    assert 0 < available <= psutil.virtual_memory().total


def test_limits_and_throttling_of_version_1_in_a_container(write_files, tmp_path):
    # The container's group is mounted as the root, while /proc/PID/cgroup has its path on the host.
    proc = write_files(
        {
            "77/cgroup": "4:memory:/docker/ab\n2:cpu,cpuacct:/docker/ab/inner\n0::/\n",
            "77/mountinfo": f"31 1 0:29 /docker/ab {tmp_path}/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
            f"32 1 0:30 /docker/ab {tmp_path}/memory rw - cgroup cgroup rw,memory\n"
            f"33 1 0:31 / {tmp_path}/unified rw - cgroup2 cgroup2 rw\n",
            "cpu/cpu.cfs_quota_us": "200000\n",
            "cpu/cpu.cfs_period_us": "100000\n",
            "cpu/cpuacct.usage": "7000000000\n",
            "cpu/cpu.stat": "nr_periods 9\nnr_throttled 2\nthrottled_time 3000000000\n",
            "cpu/inner/cpu.cfs_quota_us": "-1\n",
            "cpu/inner/cpu.cfs_period_us": "100000\n",
            "cpu/inner/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n",
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
        }
    )
    assert cpu_quota_cores(proc, 77) == 2.0
    assert memory_limit_bytes(proc, 77) is None
    budget = CpuBudget(proc, 77)
    assert budget.throttling() == Throttling(2, 3.0, elapsed_periods=9)
    assert (budget.period_s(), budget.used_s()) == (0.1, 7.0)


def test_cpu_counted_for_another_group_is_not_that_of_the_quota(write_files, tmp_path):
    """Version 1 may have the two in hierarchies of their own, and the process in unlike groups of them."""
    files = {
        "77/cgroup": "3:cpuacct:/user\n2:cpu:/job\n",
        "77/mountinfo": f"31 1 0:29 / {tmp_path}/cpu rw - cgroup cgroup rw,cpu\n"
        f"32 1 0:30 / {tmp_path}/cpuacct rw - cgroup cgroup rw,cpuacct\n",
        "cpu/job/cpu.cfs_quota_us": "100000\n",
        "cpu/job/cpu.cfs_period_us": "100000\n",
        "cpuacct/user/cpuacct.usage": "7000000000\n",
        "cpuacct/job/cpuacct.usage": "5000000000\n",
    }
    assert CpuBudget(write_files(files), 77).used_s() is None
    files["77/cgroup"] = "3:cpuacct:/job\n2:cpu:/job\n"
    assert CpuBudget(write_files(files), 77).used_s() == 5.0


@pytest.mark.parametrize("path", ["/elsewhere", "/../../other", "/dockerab"])
def test_a_group_outside_of_the_mount_is_the_mount(write_files, tmp_path, path):
    proc = write_files(
        {
            "77/cgroup": f"0::{path}\n",
            "77/mountinfo": f"41 31 0:38 /docker {tmp_path}/cg rw - cgroup2 cgroup2 rw\n",
            "cg/cpu.max": "100000 100000\n",
            "other/cpu.max": "1 100000\n",
        }
    )
    assert cpu_quota_cores(proc, 77) == 1.0


def test_the_fingerprint_of_this_machine():
    fingerprint = host_fingerprint()
    assert fingerprint == host_fingerprint()
    assert fingerprint.cores == os.cpu_count()
    assert set(fingerprint.affinity) == os.sched_getaffinity(0)
    assert fingerprint.memory_bytes == psutil.virtual_memory().total
    assert fingerprint.kernel == platform.release()
    assert re.fullmatch(r"CPython \d+\.\d+\.\d+.*", fingerprint.python)
    assert fingerprint.packages["locust"]
    assert json.loads(json.dumps(dataclasses.asdict(fingerprint)))["cores"] == os.cpu_count()


@pytest.mark.parametrize(
    ("files", "turbo"),
    [
        ({"intel_pstate/no_turbo": "1\n"}, False),
        ({"intel_pstate/no_turbo": "0\n"}, True),
        ({"cpufreq/boost": "1\n"}, True),
        ({"cpufreq/boost": "0\n"}, False),
        ({}, None),
    ],
)
def test_governor_and_turbo_where_they_can_be_read(write_files, files, turbo):
    root = write_files({f"devices/system/cpu/{name}": text for name, text in files.items()})
    fingerprint = host_fingerprint(sys=root)
    assert (fingerprint.turbo, fingerprint.governor) == (turbo, None)
    write_files(
        {"devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n", "cpuinfo": "model name : Z80\n"}
    )
    fingerprint = host_fingerprint(proc=root, sys=root)
    assert (fingerprint.governor, fingerprint.cpu_model) == ("performance", "Z80")
