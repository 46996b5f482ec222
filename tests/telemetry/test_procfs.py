"""The /proc parsers: captured texts by table, and properties that hold for any text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.processes import control_group
from sweeper.telemetry import cgroup, procfs

NUMBERS = st.integers(min_value=0, max_value=2**64 - 1)

STAT = (
    "6808 (python3) S 6804 6804 2308 0 -1 4194304 101 7 0 0 1250 318 4 1 20 0 3 0 135811 3133440 3741 "
    "18446744073709551615 94706440208384 94706440228265 140730718073392 0 0 0 0 16781312 2 0 0 0 17 1 0 0 "
    "0 0 0 94706440244272 94706440245888 94707081191424 140730718079424 140730718079465 140730718079465 "
    "140730718081003 0\n"
)

STATUS = """\
Name:\tpython3
Umask:\t0022
State:\tS (sleeping)
Tgid:\t4053
Ngid:\t0
Pid:\t4057
PPid:\t4035
TracerPid:\t0
Uid:\t0\t0\t0\t0
FDSize:\t256
Groups:\t \n\
VmPeak:\t    3060 kB
VmSize:\t    3060 kB
VmHWM:\t    1784 kB
VmRSS:\t    1720 kB
RssAnon:\t     112 kB
Threads:\t66
SigQ:\t0/96365
SigPnd:\t0000000000000000
Cpus_allowed:\t3
Cpus_allowed_list:\t0-1
Mems_allowed_list:\t0
voluntary_ctxt_switches:\t1160
nonvoluntary_ctxt_switches:\t31
"""

HOST_STAT = """\
cpu  7920 12 3239 157500 298 5 131 11 40 0
cpu0 896 0 932 82597 49 0 20 3 0 0
cpu1 7024 12 2307 74903 248 5 111 7 40 0
intr 218403 0 0 0 1 0
ctxt 304038
btime 1763824640
processes 4042
procs_running 2
procs_blocked 0
softirq 100 0 20 0 0 0 0 0 30 0 50
"""

PRESSURE = """\
some avg10=0.74 avg60=0.95 avg300=0.43 total=6219812
full avg10=0.00 avg60=0.00 avg300=0.00 total=17
"""

CPU_STAT_V1 = "nr_periods 120\nnr_throttled 7\nthrottled_time 1500000000\nnr_bursts 0\nburst_time 0\n"
CPU_STAT_V2 = """\
usage_usec 23812456
user_usec 20012456
system_usec 3800000
nr_periods 120
nr_throttled 7
throttled_usec 1500000
nr_bursts 0
burst_usec 0
"""
CPU_STAT_V2_WITHOUT_CONTROLLER = "usage_usec 23812456\nuser_usec 20012456\nsystem_usec 3800000\n"

CGROUP_HYBRID = """\
9:name=systemd:/
4:memory:/process_api/7f84270b
3:cpuset:/
2:cpu,cpuacct:/docker/ab:c
0::/init.scope
"""

MOUNTINFO = """\
23 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 /docker/ab:c /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup\\040odd rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
"""

CPUINFO_X86 = (
    "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\n"
)
CPUINFO_PI = (
    "processor\t: 0\nBogoMIPS\t: 108.00\nCPU part\t: 0xd08\n\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"
)


def test_stat_of_a_process():
    stat = procfs.parse_stat(STAT)
    assert stat == procfs.ProcessStat(
        pid=6808,
        state="S",
        parent_pid=6804,
        user_ticks=1250,
        system_ticks=318,
        children_user_ticks=4,
        children_system_ticks=1,
        start_ticks=135811,
        rss_pages=3741,
    )


@pytest.mark.parametrize("name", ["a b", "(sd-pam)", "a) R 1 (b", ")", "((", "", "x) S 1 2 3"])
def test_a_name_may_hold_spaces_and_parentheses(name):
    stat = procfs.parse_stat(STAT.replace("python3", name))
    assert stat is not None
    assert (stat.pid, stat.state, stat.parent_pid, stat.start_ticks) == (6808, "S", 6804, 135811)


@settings(deadline=None)
@given(st.text(max_size=15), st.lists(NUMBERS, min_size=30, max_size=49))
def test_any_name_and_any_numbers_are_read_back(name, numbers):
    stat = procfs.parse_stat(f"17 ({name}) S " + " ".join(map(str, numbers)) + "\n")
    assert stat is not None
    assert stat.pid == 17
    assert stat.parent_pid == numbers[0]
    assert (stat.user_ticks, stat.system_ticks) == (numbers[10], numbers[11])
    assert stat.rss_pages == numbers[20]


@pytest.mark.parametrize("text", ["", "6808", "6808 (python3) S 6804", "x (y) S " + "z " * 40, ")("])
def test_a_stat_cut_short_is_unavailable(text):
    assert procfs.parse_stat(text) is None


def test_the_peak_of_a_processs_memory():
    assert procfs.parse_peak_rss_bytes(STATUS) == 1784 * 1024


def test_the_two_kinds_of_switches_are_not_confused():
    # One key is the tail of the other.
    assert procfs.parse_switches(STATUS) == (1160, 31)
    assert procfs.parse_switches("Name:\tx\nnonvoluntary_ctxt_switches:\t31\n") == (None, 31)
    assert procfs.parse_switches("voluntary_ctxt_switches:\t5") == (5, None)


def test_a_status_without_the_fields_is_unavailable_and_not_zero():
    # A kernel thread has no memory lines.
    status = "Name:\tkthreadd\nThreads:\t1\nVmHWM:\n"
    assert procfs.parse_peak_rss_bytes(status) is None
    assert procfs.parse_switches(status) == (None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("178101212 16191212 430\n", procfs.TaskSchedule(178101212, 16191212)),
        ("0 0 0\n", procfs.TaskSchedule(0, 0)),
        ("", None),
        ("1 2\n", None),
        ("a b c\n", None),
    ],
)
def test_schedstat(text, expected):
    assert procfs.parse_schedstat(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("", ()), ("4680 ", (4680,)), ("12 7 99 ", (12, 7, 99))])
def test_children(text, expected):
    assert procfs.parse_children(text) == expected


def test_host_stat_counts_work_but_not_idle_waiting_or_stolen_time():
    # user + nice + system + irq + softirq; guest is part of user.
    assert procfs.parse_host_stat(HOST_STAT) == procfs.HostStat(304038, 7920 + 12 + 3239 + 5 + 131, 11)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cpu  10 0 5 100\nctxt 9\n", procfs.HostStat(9, 15, None)),
        ("cpu  10 0 5 100 3 1 2\n", procfs.HostStat(None, 18, None)),
        ("cpu0 896 0 932 82597\nctxt 3\n", procfs.HostStat(3, None, None)),
        ("cpu  what 0 5 100\n", procfs.HostStat(None, None, None)),
        ("", procfs.HostStat(None, None, None)),
    ],
)
def test_host_stat_of_older_kernels(text, expected):
    assert procfs.parse_host_stat(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [(PRESSURE, 6.219812), ("some avg10=0.00 total=0\n", 0.0), ("full avg10=0 total=17\n", None), ("", None)],
)
def test_pressure_is_the_line_some(text, expected):
    assert procfs.parse_cpu_pressure(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CPU_STAT_V1, cgroup.Throttling(7, 1.5, 120)),
        (CPU_STAT_V2, cgroup.Throttling(7, 1.5, 120)),
        (CPU_STAT_V2_WITHOUT_CONTROLLER, cgroup.Throttling(None, None)),
        ("nr_throttled 0\nthrottled_usec 0\n", cgroup.Throttling(0, 0.0)),
        ("", cgroup.Throttling(None, None)),
    ],
)
def test_throttling_of_both_versions(text, expected):
    assert cgroup.parse_throttling(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("200000 100000\n", 2.0), ("50000 100000", 0.5), ("max 100000\n", None), ("", None), ("1 0", None)],
)
def test_cpu_max(text, expected):
    assert cgroup.parse_cpu_max(text) == expected


@pytest.mark.parametrize(
    ("quota", "period", "expected"),
    [("150000\n", "100000\n", 1.5), ("-1\n", "100000\n", None), ("", "", None), ("1", "0", None)],
)
def test_cfs_quota(quota, period, expected):
    assert cgroup.parse_cfs_quota(quota, period) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("32768\t60999\n", (32768, 60999)),
        ("5 5", (5, 5)),
        ("", None),
        ("32768", None),
        ("60999 32768", None),
        ("a b", None),
    ],
)
def test_port_range(text, expected):
    assert procfs.parse_port_range(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2147483648\n", 2_147_483_648),
        ("9223372036854771712\n", None),
        ("9223372036854710272\n", None),
        ("max\n", None),
        ("", None),
    ],
)
def test_the_huge_number_of_version_1_is_no_limit(text, expected):
    assert cgroup.parse_memory_limit(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CPUINFO_X86, "AMD EPYC"),
        (CPUINFO_PI, "Raspberry Pi 4 Model B Rev 1.4"),
        ("model name\t:\n", None),
        ("", None),
    ],
)
def test_cpu_model(text, expected):
    assert procfs.parse_cpu_model(text) == expected


def test_cgroup_paths():
    assert control_group.parse_cgroup_paths(CGROUP_HYBRID) == {
        "name=systemd": "/",
        "memory": "/process_api/7f84270b",
        "cpuset": "/",
        "cpu": "/docker/ab:c",
        "cpuacct": "/docker/ab:c",
        "": "/init.scope",
    }


def test_cgroup_mounts():
    first, second = control_group.parse_cgroup_mounts(MOUNTINFO)
    assert (first.version, first.root, first.mount_point) == (1, "/docker/ab:c", "/sys/fs/cgroup/cpu,cpuacct")
    assert {"cpu", "cpuacct"} <= first.controllers
    assert second == control_group.CgroupMount(2, frozenset(), "/", "/sys/fs/cgroup odd")


TEXT_PARSERS = [
    procfs.parse_stat,
    procfs.parse_peak_rss_bytes,
    procfs.parse_switches,
    procfs.parse_schedstat,
    procfs.parse_children,
    procfs.parse_host_stat,
    procfs.parse_cpu_pressure,
    cgroup.parse_throttling,
    cgroup.parse_cpu_max,
    procfs.parse_port_range,
    cgroup.parse_memory_limit,
    procfs.parse_cpu_model,
    control_group.parse_cgroup_paths,
    control_group.parse_cgroup_mounts,
]
SAMPLES = [STAT, STATUS, HOST_STAT, PRESSURE, CPU_STAT_V1, CPU_STAT_V2, CGROUP_HYBRID, MOUNTINFO, CPUINFO_X86]


@settings(deadline=None)
@given(st.sampled_from(TEXT_PARSERS), st.text())
def test_no_parser_raises_on_any_text(parser, text):
    parser(text)


@settings(deadline=None)
@given(st.sampled_from(TEXT_PARSERS), st.sampled_from(SAMPLES), st.data())
def test_no_parser_raises_on_a_torn_text(parser, sample, data):
    start = data.draw(st.integers(0, len(sample)))
    parser(sample[start : data.draw(st.integers(start, len(sample)))])


@settings(deadline=None)
@given(NUMBERS, NUMBERS, st.lists(st.sampled_from(STATUS.splitlines()[:-2])))
def test_switches_are_found_among_any_lines(voluntary, involuntary, lines):
    text = "\n".join(
        [*lines, f"voluntary_ctxt_switches:\t{voluntary}", f"nonvoluntary_ctxt_switches:\t{involuntary}", ""]
    )
    assert procfs.parse_switches(text) == (voluntary, involuntary)


def test_the_running_kernel_is_understood():
    own = Path("/proc/self")
    stat = procfs.parse_stat((own / "stat").read_text())
    status = (own / "status").read_text()
    host = procfs.parse_host_stat(Path("/proc/stat").read_text())
    assert stat is not None
    assert stat.rss_pages > 0
    assert procfs.parse_peak_rss_bytes(status) is not None
    assert None not in procfs.parse_switches(status)
    assert None not in (host.context_switches, host.busy_ticks)
