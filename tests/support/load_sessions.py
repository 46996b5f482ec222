"""What tests of the load share: a CSV, a locust file, waiting for locust, arrivals as they were drawn."""

from __future__ import annotations

import random
import socket
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from sweeper.records.observations import RequestLog
from sweeper.run.interfaces import LoadSession

SEED = 5
# By a clock that sweeper does not stop, and with waits that never outlast a turn.
BY_UPTIME = """
from pathlib import Path
from time import sleep

from locust import FastHttpUser, constant, task

RATE = 30.0
DUE = []

def now():
    return float(Path("/proc/uptime").read_text().split()[0])

class Paced(FastHttpUser):
    wait_time = constant(0)

    @task
    def predict(self):
        DUE.append((DUE[-1] if DUE else now()) + 1 / RATE)
        due = DUE[-1]
        while now() < due:
            sleep(0.02)
        self.client.post("/predict/", data=b"a,b\\n1,2\\n", headers={"Content-Type": "text/csv"})
"""


def drawn_gaps(rate: float, count: int, seed: int = SEED) -> np.ndarray:
    chance = random.Random(seed)
    return np.array([chance.expovariate(rate) for _ in range(count)])


def as_drawn(log: RequestLog, rate: float, seed: int = SEED) -> bool:
    """Every arrival is in the log, at the moment it was drawn for: none left out, none shifted."""
    gaps = np.diff(log.started_s)
    return bool(np.allclose(gaps, drawn_gaps(rate, len(gaps) + 1, seed)[1:], atol=1e-6))


CSV = "a,b\n" + "1.5,2.5\n" * 5000  # 40 kB
DEADLINE_S = 20.0


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "sample.csv"
    path.write_text(CSV)
    return path


def wait_for(session: LoadSession, started: int = 0, finished: int = 0) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while (progress := session.progress()).started < started or progress.finished < finished:
        assert time.monotonic() < deadline, f"stuck at {progress}"
        time.sleep(0.02)


def wait_for_end(session: LoadSession) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while session.alive():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def gone(pid: int) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
