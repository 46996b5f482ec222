"""The facts that the doctor judges, on made-up kernels and on this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from sweeper.cli.main import main
from sweeper.errors import UsageError
from sweeper.records.machine import Busy, MachineFacts
from sweeper.telemetry.host_speed import probe_host
from sweeper.telemetry.machine import look_around, machine_facts
from tests.support.kernel_files import BARE, FULL, cgroups
from tests.support.measuring import hold

CPU = "sys/devices/system/cpu"


def facts(root) -> MachineFacts:
    return machine_facts(
        cores_shared=True,
        users=100,
        open_files_needed=300,
        loopback=True,
        busy=Busy(0.5),
        proc=root,
        sys=root / "sys",
    )


def test_what_a_bare_kernel_lacks_is_unavailable(write_files):
    found = facts(write_files(BARE))
    assert (found.governors, found.turbo, found.turbo_switch, found.port_range) == ((), None, None, None)
    assert (found.cpu_quota_known, found.cpu_quota_cores) == (False, None)
    assert not found.pressure and not found.schedstat
    with pytest.raises(UsageError, match="no Linux process file system"):
        facts(write_files({}) / "nothing")


def test_a_full_kernel(write_files, tmp_path):
    files = {
        "sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
        f"{CPU}/cpu0/cpufreq/scaling_governor": "performance\n",
        f"{CPU}/cpu11/cpufreq/scaling_governor": "powersave\n",
        f"{CPU}/intel_pstate/no_turbo": "0\n",
    }
    found = facts(write_files(FULL | cgroups(tmp_path, "self") | files))
    assert found.governors == ("performance", "powersave")
    assert (found.turbo, found.turbo_switch) == (True, "intel_pstate/no_turbo")
    assert (found.cpu_quota_known, found.cpu_quota_cores) == (True, 1.5)
    assert found.port_range == (32768, 60999)
    assert found.pressure and found.schedstat


def test_a_version_1_group_without_a_quota_is_known_to_have_none(write_files, tmp_path):
    files = {
        "self/cgroup": "2:cpu,cpuacct:/\n",
        "self/mountinfo": f"31 1 0:29 / {tmp_path}/cpu rw - cgroup cgroup rw,cpu,cpuacct\n",
        "cpu/cpu.cfs_quota_us": "-1\n",
        "cpu/cpu.cfs_period_us": "100000\n",
        f"{CPU}/cpufreq/boost": "1\n",
    }
    found = facts(write_files(BARE | files))
    assert (found.cpu_quota_known, found.cpu_quota_cores) == (True, None)
    assert (found.turbo, found.turbo_switch) == (True, "cpufreq/boost")
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("250000\n")
    assert facts(tmp_path).cpu_quota_cores == 2.5


def test_who_is_busy_is_named():
    spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        found = look_around(1.0)
    finally:
        spinner.kill()
        spinner.wait()
    assert found.seconds == 1.0
    assert found.other_cpu_cores > 0.05
    assert spinner.pid in {pid for _, pid, _ in found.busiest}
    assert os.getpid() not in {pid for _, pid, _ in found.busiest}


def test_a_kernel_without_counters_is_not_idle(write_files):
    found = look_around(0.0, write_files(BARE))
    assert (found.other_cpu_cores, found.steal_share) == (None, None)


def test_the_probe_ends_with_the_measurement():
    log = probe_host(1.0)
    assert log is not None
    assert log.at_s[-1] - log.at_s[0] > 1.0
    cores = os.sched_getaffinity(0)
    assert set(log.core) == {min(cores), max(cores)}


def test_the_command_measures_the_noise(capsys):
    assert main(["doctor", "--noise", "2s", "--json"]) == 0
    printed = capsys.readouterr()
    assert "measuring the noise of this machine for 2 s" in printed.err
    found = json.loads(printed.out)
    check = found["checks"][-1]
    assert check["check"] == "noise"
    noise = found["noise"]
    if noise is None:  # somebody has the cores
        assert check["state"] == "unavailable"
    else:
        assert noise["seconds"] == 2.0 and noise["turns"] in (3, 4)
        assert noise["turn_deviation"] > 0 and noise["fastest_over_slowest"] > 1
        assert f"gives one run a noise of {noise['deviation_of_a_run']:.1%}" in check["why"]


def test_a_study_that_measures_is_not_disturbed(capsys):
    holder = hold()
    try:
        assert main(["doctor", "--noise", "2s", "--json"]) == 0
    finally:
        holder.kill()
        holder.communicate()
    found = json.loads(capsys.readouterr().out)
    assert found["noise"] is None
    noise = found["checks"][-1]
    assert (noise["check"], noise["state"]) == ("noise", "unavailable")
    assert f"another sweeper (pid {holder.pid}) is measuring" in noise["seen"]


@pytest.mark.needs("two cores")
def test_a_study_warns_before_it_starts(tmp_path, monkeypatch, capsys):
    """Of servers that end at once, since only what comes before them matters."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    served = ["--launcher", "command", "--server-command", "false {port}", "--data", "rows.csv"]
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert main(["grid", "--quick", "--workers", "1,2", *served, "--json"]) == 1
    finally:
        os.sched_setaffinity(0, allowed)
    printed = capsys.readouterr()
    assert json.loads(printed.out)["status"] in ("inconclusive", "infeasible")
    assert printed.err.index("sweeper: warning: affinity: cores ") < printed.err.index("block 1")
    assert printed.err.count("warning: affinity") == 1
