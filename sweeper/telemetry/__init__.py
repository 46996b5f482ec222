"""What the kernel tells of a server, its client and the host: samples, the host's facts, what is missing.

sampler.py            samples a server, its client and the host while a run goes on
load_alone.py         samples the client of a server that is on another machine
metrics_page.py       what such a server itself reports, in the text format of Prometheus, read during a run
process_tree.py       a process and all its descendants: CPU and memory
process_threads.py    the threads of a process (/proc/PID/task): switches, waits for a core
cgroup.py             control groups: CPU quota, when its periods begin, throttling, memory limit
procfs.py             reads small files of /proc and /sys, and parses those of /proc
machine.py            what this machine is: kernel, fingerprint, facts for `sweeper doctor`
host_speed.py         runs the probe of how fast the cores are
host_speed_probe.py   that probe, a script of its own
"""

from sweeper.telemetry.host_speed import ProbedHostSpeed
from sweeper.telemetry.load_alone import LoadTelemetry
from sweeper.telemetry.machine import (
    HostFingerprint,
    KernelSupport,
    host_fingerprint,
    kernel_support,
    require_proc,
)
from sweeper.telemetry.metrics_page import MetricsPage
from sweeper.telemetry.sampler import ProcProbe, ProcTelemetry

__all__ = [
    "HostFingerprint",
    "KernelSupport",
    "LoadTelemetry",
    "MetricsPage",
    "ProbedHostSpeed",
    "ProcProbe",
    "ProcTelemetry",
    "host_fingerprint",
    "kernel_support",
    "require_proc",
]
