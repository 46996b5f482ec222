"""Kernel files of a machine made up, below a folder."""

from __future__ import annotations

STAT = "77 (python) S 1 1 1 0 -1 64 0 0 0 0 7 3 0 0 20 0 1 0 500 1000 50 0\n"
STATUS = "Name:\tpython\nVmHWM:\t400 kB\nvoluntary_ctxt_switches:\t4\nnonvoluntary_ctxt_switches:\t2\n"
BARE = {
    "self/stat": STAT,
    "self/status": STATUS,
    "77/stat": STAT,
    "77/task/77/stat": STAT,
    "77/task/77/status": STATUS,
}
FULL = BARE | {
    "stat": "cpu  100 0 50 900 7 1 2 30 0 0\nctxt 5000\n",
    "pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\n",
    "self/schedstat": "1 2 3\n",
    "self/task/77/children": "",
    "77/task/77/schedstat": "900 4000000000 3\n",
    "77/task/77/children": "",
}


def cgroups(tmp_path, pid: str = "77") -> dict[str, str]:
    """A version 2 group with a quota above it."""
    return {
        f"{pid}/cgroup": "0::/system/job\n",
        f"{pid}/mountinfo": f"41 31 0:38 / {tmp_path}/cg rw - cgroup2 cgroup2 rw\n",
        "cg/system/cpu.max": "150000 100000\n",
        "cg/system/cpu.stat": "usage_usec 9\nnr_periods 20\nnr_throttled 4\nthrottled_usec 250000\n",
        "cg/system/memory.max": "max\n",
        "cg/system/job/cpu.max": "max 100000\n",
        "cg/system/job/cpu.stat": "usage_usec 9\nnr_throttled 1\nthrottled_usec 500000\n",
        "cg/system/job/memory.max": "2147483648\n",
        "cg/cpu.stat": "usage_usec 9\n",
    }
