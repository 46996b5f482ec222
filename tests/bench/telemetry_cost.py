"""What it costs to watch a busy server of 64 threads once a second, as a share of a core (goal: 0.01)."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from sweeper.telemetry import ProcTelemetry

THREADS = 64
PERIOD_S = 1.0
BUSY_SERVER = """
import sys, threading, time

def serve():
    while True:
        sum(range(2000))
        time.sleep(0.005)

for _ in range(int(sys.argv[1]) - 1):
    threading.Thread(target=serve, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


def ratios(duration_s: float = 15.0) -> dict[str, float]:
    """CPU time of all sampling by elapsed time, in the middle of what it watches."""
    server = subprocess.Popen(
        [sys.executable, "-c", BUSY_SERVER, str(THREADS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        server.stdout.readline()
        probe = ProcTelemetry().attach(server.pid, os.getpid())
        first = probe.sample()
        start_s, start_cpu_s = time.monotonic(), time.thread_time()
        for sample_number in range(1, round(duration_s / PERIOD_S) + 1):
            time.sleep(max(0.0, start_s + sample_number * PERIOD_S - time.monotonic()))
            last = probe.sample()
        cpu_s, elapsed_s = time.thread_time() - start_cpu_s, time.monotonic() - start_s
        probe.close()
    finally:
        server.communicate()
    assert last.server_threads == THREADS
    assert last.server_voluntary_switches - first.server_voluntary_switches > 10 * THREADS
    return {"telemetry CPU at 64 server threads, of one core": cpu_s / elapsed_s}


if __name__ == "__main__":
    print(ratios())
