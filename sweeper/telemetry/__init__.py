"""What the kernel tells of a server, its client and the host: samples, the host's facts, what is missing."""

from sweeper.telemetry.fingerprint import HostFingerprint, host_fingerprint
from sweeper.telemetry.probe import ProcProbe, ProcTelemetry
from sweeper.telemetry.probed_host_speed import ProbedHostSpeed
from sweeper.telemetry.support import KernelSupport, kernel_support, require_proc

__all__ = [
    "HostFingerprint",
    "KernelSupport",
    "ProbedHostSpeed",
    "ProcProbe",
    "ProcTelemetry",
    "host_fingerprint",
    "kernel_support",
    "require_proc",
]
