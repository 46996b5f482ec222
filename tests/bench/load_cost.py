"""What our load costs its own client: requests/s of one core, against a bare FastHttpUser.

The same upload, no wait, as fast as one core goes, against a trivial server on the other core (or the
same one where there is no other). The server counts the requests, so that the bare user runs without
any recording. The contenders take turns; each ratio is the median over the rounds.

Requests per second of the client's CPU time say the same as requests/s, less the time in which
somebody else had the core.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from sweeper.load.generator import LocustGenerator
from tests.support.truth.process import TruthServer, truth_server

ROUNDS = 5
RUN_S = 1.5
WARMUP_S = 0.5
USERS = 50
ROW = ",".join(f"{0.123456789 * (i + 1):.9f}" for i in range(30)) + "\n"
CSV = ",".join(f"feature_{i}" for i in range(30)) + "\n" + 100 * ROW
BARE = """
from locust import FastHttpUser, constant, task

BODY = {body!r}
HEADERS = {{"Content-Type": "multipart/form-data; boundary=bare"}}

class BareUser(FastHttpUser):
    wait_time = constant(0)

    @task
    def predict(self):
        self.client.post("/predict/", data=BODY, headers=HEADERS)
"""


@contextmanager
def bare_locust(locustfile: Path, server: TruthServer, cpus: frozenset[int]) -> Iterator[int]:
    """locust as anybody would start it."""
    argv = [sys.executable, "-m", "locust", "-f", str(locustfile), "--headless", "--only-summary"]
    argv += ["-u", str(USERS), "-r", str(USERS), "-H", server.base_url, "--run-time", "30s"]
    with subprocess.Popen(
        argv,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, cpus),  # noqa: PLW1509
    ) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@contextmanager
def our_locust(generator: LocustGenerator, server: TruthServer) -> Iterator[int]:
    with tempfile.TemporaryDirectory() as directory:
        session = generator.start(server.base_url, Path(directory))
        try:
            yield session.pid
        finally:
            session.kill()


@dataclass(frozen=True)
class Pace:
    """Requests the server received per second, and per second of the client's CPU time."""

    per_s: float
    per_cpu_s: float


def pace(server: TruthServer, client_pid: int) -> Pace:
    """Over RUN_S, once the load is under way."""
    while server.stats()["truth_received"] < USERS:
        time.sleep(0.01)
    time.sleep(WARMUP_S)
    client = psutil.Process(client_pid)

    def counters() -> tuple[float, float, float]:
        received, cpu = server.stats()["truth_received"], client.cpu_times()
        return time.monotonic(), received, cpu.user + cpu.system

    before = counters()
    time.sleep(RUN_S)
    seconds, requests, cpu_s = (late - early for late, early in zip(counters(), before, strict=True))
    return Pace(requests / seconds, requests / cpu_s)


def measure_rounds() -> list[dict[str, Pace]]:
    """The pace of `bare`, `load` (our whole locustfile) and `recorder` (the bare one, recorded)."""
    cores = sorted(os.sched_getaffinity(0))
    client, service = frozenset(cores[:1]), frozenset(cores[-1:])
    contenders = ["bare", "load", "recorder"]
    rounds = []
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "sample.csv"
        data.write_text(CSV)
        bare = Path(directory) / "bare.py"
        part = 'Content-Disposition: form-data; name="X"; filename="sample.csv"\r\nContent-Type: text/csv'
        bare.write_text(BARE.format(body=f"--bare\r\n{part}\r\n\r\n{CSV}\r\n--bare--\r\n".encode()))
        ours = LocustGenerator(USERS, data, wait_s=(0.0, 0.0), cpus=client, max_duration_s=60.0)
        recorded = LocustGenerator(USERS, locustfile=bare, cpus=client, max_duration_s=60.0)
        for number in range(ROUNDS):
            paces: dict[str, Pace] = {}
            for name in contenders if number % 2 == 0 else reversed(contenders):
                with truth_server("--workers", 1000, "--service-ms", 0, "--rows", 1) as server:
                    os.sched_setaffinity(server.process.pid, service)
                    if name == "bare":
                        load = bare_locust(bare, server, client)
                    else:
                        load = our_locust(ours if name == "load" else recorded, server)
                    with load as pid:
                        paces[name] = pace(server, pid)
            rounds.append(paces)
    return rounds


def ratios() -> dict[str, float]:
    """Each contender's pace ÷ the bare user's in the same round (goal for all: at least 0.95)."""
    rounds = measure_rounds()
    return {
        "load_requests_per_s": statistics.median(r["load"].per_s / r["bare"].per_s for r in rounds),
        "load_requests_per_cpu_s": statistics.median(
            r["load"].per_cpu_s / r["bare"].per_cpu_s for r in rounds
        ),
        "recorder_requests_per_cpu_s": statistics.median(
            r["recorder"].per_cpu_s / r["bare"].per_cpu_s for r in rounds
        ),
    }


if __name__ == "__main__":
    for name, ratio in ratios().items():
        print(f"{name} {ratio:.3f}")
