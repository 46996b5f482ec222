"""What is said of a machine, from made-up facts: state, figure with its unit, and what improves it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sweeper.checks.machine import Noise, machine_checks, no_proc, noise_check, noise_unknown
from sweeper.records.machine import Busy, Check, CheckState, MachineFacts, before_a_study, fit
from sweeper.report.json.doctor import checks_object
from sweeper.report.text.doctor import conclusion, warning_lines
from sweeper.statistics.host_noise import HostNoise

QUIET = MachineFacts(
    cpu_model="Z80",
    cores=8,
    affinity=tuple(range(8)),
    cores_shared=False,
    cpu_quota_known=True,
    cpu_quota_cores=None,
    governors=("performance",),
    turbo=False,
    turbo_switch="intel_pstate/no_turbo",
    busy=Busy(0.5, other_cpu_cores=0.1, steal_share=0.0),
    users=100,
    open_files=4096,
    open_files_needed=300,
    port_range=(32768, 60999),
    loopback=True,
    pressure=True,
    schedstat=True,
    packages={"locust": "2.47.0", "datarobot-drum": "1.18.1"},
)
NOISE = Noise(
    host=HostNoise(10.0, 2.5, 20, 0.071, 0.08, 1.42),
    deviation=0.016,
    blocks=5,
    most=10,
    enough=5,
    tolerance=0.05,
    values=5,
)
SPIN = Busy(0.5, 1.5, 0.0, (("cc1plus", 812, 0.98), ("ld", 9, 0.5)))

# what differs from a quiet machine, the check, its state, what is seen, what improves it
CASES: list[tuple[dict[str, Any], str, str, str, str]] = [
    ({}, "cores", "ok", "8 cores, Z80", ""),
    ({"cpu_model": None}, "cores", "ok", "8 cores", ""),
    ({"cores": 1, "affinity": (0,), "cores_shared": True}, "cores", "warning", "1 core, Z80", ""),
    ({}, "affinity", "ok", "all cores", ""),
    ({"affinity": (0, 1, 5)}, "affinity", "warning", "cores 0-1,5 of 8", "taskset -pc 0-7 $$"),
    ({}, "CPU quota", "ok", "none", ""),
    ({"cpu_quota_cores": 8.0}, "CPU quota", "ok", "8 cores", ""),
    ({"cpu_quota_cores": 2.5}, "CPU quota", "warning", "2.5 cores on 8", "--cpu-limit 2.5 "),
    ({"cpu_quota_cores": 0.5}, "CPU quota", "warning", "0.5 cores on 8", "--expect-load-workers"),
    ({"cpu_quota_known": False}, "CPU quota", "unavailable", "no CPU control group", ""),
    ({}, "governor", "ok", "performance", ""),
    ({"governors": ("powersave",)}, "governor", "warning", "powersave", "cpupower frequency-set"),
    ({"governors": ("performance", "schedutil")}, "governor", "warning", "performance, s", "cpupower"),
    ({"governors": ()}, "governor", "unavailable", "not visible", ""),
    ({}, "turbo", "ok", "off", ""),
    ({"turbo": True}, "turbo", "warning", "on", "echo 1 | sudo tee /sys/"),
    ({"turbo": True, "turbo_switch": "cpufreq/boost"}, "turbo", "warning", "on", "echo 0 | sudo tee /sys/"),
    ({"turbo": None, "turbo_switch": None}, "turbo", "unavailable", "not visible", ""),
    ({}, "other load", "ok", "0.10 cores over 0.5 s", ""),
    ({"busy": SPIN}, "other load", "warning", "1.50 cores over 0.5 s: cc1plus (pid 812) 0.98", "top"),
    ({"busy": Busy(0.5, 0.79)}, "other load", "ok", "0.79 cores", ""),
    ({"busy": Busy(0.5, 0.81)}, "other load", "warning", "0.81 cores", "top"),
    ({"busy": Busy(0.5)}, "other load", "unavailable", "/proc/stat", ""),
    ({}, "steal", "ok", "0.0% of a core", ""),
    ({"busy": Busy(0.5, 0.0, 0.034)}, "steal", "warning", "3.4% of a core over 0.5 s", ""),
    ({"busy": Busy(0.5, 0.0)}, "steal", "unavailable", "/proc/stat", ""),
    ({}, "open files", "ok", "at most 4096", ""),
    ({"open_files": None}, "open files", "ok", "no limit", ""),
    ({"open_files": 300}, "open files", "ok", "at most 300", ""),
    ({"open_files": 299}, "open files", "warning", "at most 299", "prlimit --pid $$ --nofile=300:300"),
    ({}, "ports", "ok", "28232 (32768 to 60999)", ""),
    ({"port_range": (50000, 50099)}, "ports", "warning", "100 (50000 to 50099)", "ip_local_port_range"),
    ({"port_range": None}, "ports", "unavailable", "range is not visible", ""),
    ({"loopback": False}, "ports", "impossible", "no server can be reached", "ip link set lo up"),
    ({}, "PSI", "ok", "there", ""),
    ({"pressure": False}, "PSI", "unavailable", "not on this kernel", "psi=1"),
    ({}, "schedstat", "ok", "there", ""),
    ({"schedstat": False}, "schedstat", "unavailable", "not on this kernel", ""),
    ({}, "locust", "ok", "2.47.0", ""),
    ({"packages": {}}, "locust", "impossible", "not installed", "pip install locust"),
    ({}, "DRUM", "ok", "1.18.1", ""),
    ({"packages": {"locust": "2.47.0"}}, "DRUM", "unavailable", "not installed", "datarobot-drum"),
]  # fmt: skip


def on(**differs: Any) -> tuple[Check, ...]:
    return machine_checks(dataclasses.replace(QUIET, **differs))


@pytest.mark.parametrize(("differs", "name", "state", "seen", "remedy"), CASES)
def test_each_check(differs: dict[str, Any], name: str, state: str, seen: str, remedy: str) -> None:
    (check,) = [check for check in on(**differs) if check.name == name]
    assert check.state.value == state
    assert seen in check.seen
    assert check.why and "\n" not in check.why
    assert remedy in check.remedy
    assert bool(check.remedy) is bool(remedy)


def test_every_check_is_tried_in_every_state_it_has() -> None:
    tried = {name for _, name, state, _, _ in CASES if state != "ok"}
    assert tried == {check.name for check in on()}


def test_a_quiet_machine_has_no_warning_and_says_so() -> None:
    checks = on()
    assert {check.state for check in checks} == {CheckState.OK}
    assert conclusion(checks) == "A study can be run here."
    assert before_a_study(checks) == ()


def test_before_a_study_only_what_it_does_not_say_itself() -> None:
    checks = on(
        governors=("powersave",), pressure=False, open_files=10, busy=Busy(0.5, 0.0, 0.5), affinity=(0, 1)
    )
    assert [check.name for check in before_a_study(checks)] == ["affinity", "governor"]
    affinity, governor = warning_lines(before_a_study(checks))
    assert affinity.startswith("warning: affinity: cores 0-1 of 8; the answer will hold for 2 cores")
    assert governor.endswith("sudo cpupower frequency-set -g performance")
    assert conclusion(checks).startswith("A study can be run here; 4 warnings above")


def test_where_no_study_can_be_run() -> None:
    checks = on(loopback=False)
    assert not fit(checks)
    assert conclusion(checks) == "No study can be run here: ports: no server can be reached on 127.0.0.1"
    assert not fit([no_proc("there is no /proc")])
    assert not checks_object(checks, None)["fit"]


def test_noise_is_told_as_blocks() -> None:
    check = noise_check(NOISE)
    assert check.state is CheckState.OK
    assert "±7.1% within 2.5 s, ±8.0% over 10 s; fastest half second ÷ slowest 1.42" in check.seen
    assert "gives one run a noise of 1.6%" in check.why
    assert "5 blocks or more to show that 5 equal values are within 5%" in check.why


@pytest.mark.parametrize(("enough", "remedy"), [(20, "sweeper grid --max-blocks 20"), (None, "")])
def test_too_much_noise_is_a_warning(enough: int | None, remedy: str) -> None:
    check = noise_check(dataclasses.replace(NOISE, blocks=None, enough=enough))
    assert (check.state, check.remedy) == (CheckState.WARNING, remedy)
    assert "the 10 blocks of a default study are too few to show that 5 equal values" in check.why


def test_what_is_not_measured_is_unavailable_and_null() -> None:
    assert noise_unknown("somebody measures").state is CheckState.UNAVAILABLE
    found = checks_object([noise_unknown("somebody measures")], None)
    assert found["noise"] is None
    assert found["checks"] == [
        {
            "check": "noise",
            "state": "unavailable",
            "seen": "somebody measures",
            "why": "sweeper cannot estimate how many blocks a study needs",
            "remedy": None,
        }
    ]
    assert checks_object([], NOISE)["noise"] == {
        "seconds": 10.0, "round_s": 2.5, "turns": 20, "turn_deviation": 0.071, "overall_deviation": 0.08,
        "fastest_over_slowest": 1.42, "deviation_of_a_run": 0.016, "blocks_at_least": 5, "most_blocks": 10,
        "tolerance": 0.05, "values": 5,
    }  # fmt: skip
