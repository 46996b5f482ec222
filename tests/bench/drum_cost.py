"""Our server against the released DRUM (gunicorn, Flask) on the same model: CPU per request, time to ready.

Both run DRUM's own predictor, so that a ratio is what FastAPI, the gates and the pool cost. Ours has one
thread here, as gunicorn's worker has; both take turns, so that a host that changes speed changes both.

Usage: python -m tests.bench.drum_cost [CODE_DIR …]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx

from sweeper.launch.ports import free_port
from tests.support.drum_server import drum_process
from tests.support.server_process import running

ROUNDS = 5
USERS = 8
LOAD_S = 4.0
REGRESSION = ("--target-type", "regression")
Started = tuple[str, int]  # URL and process


@contextmanager
def client(code_dir: Path) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-m", "tests.bench.closed_loop", str(code_dir / "sample.csv"), str(USERS)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def load(process: subprocess.Popen[str], server: Started) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{httpx.URL(server[0]).port} {server[1]} {LOAD_S}\n")
    process.stdin.flush()
    return dict(json.loads(process.stdout.readline()))


@contextmanager
def ours(code_dir: Path, home: Path) -> Iterator[Started]:
    link = home / "code"
    link.symlink_to(code_dir.resolve())
    try:
        with running(link, free_port(), "--workers", "1", *REGRESSION) as server:
            yield str(server.client.base_url), server.process.pid
    finally:
        link.unlink()


@contextmanager
def drums(code_dir: Path, home: Path) -> Iterator[Started]:
    with drum_process(code_dir.resolve(), home, REGRESSION, variables={"OMP_NUM_THREADS": "1"}) as server:
        yield server.url, server.session


def ratios(code_dir: Path) -> dict[str, list[float]]:
    """Ours ÷ DRUM's, once per round."""
    name = code_dir.name
    costs: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with (
            client(code_dir) as users,
            ours(code_dir, home) as mine,
            drums(code_dir, home) as theirs,
        ):
            for turn in range(ROUNDS + 1):
                cpu_ms = []
                for server in (mine, theirs) if turn % 2 else (theirs, mine):
                    served = load(users, server)
                    assert served["failed"] == 0
                    cpu_ms.append(1000.0 * served["cpu_s"] / served["requests"])
                costs.append(cpu_ms[0] / cpu_ms[1] if turn % 2 else cpu_ms[1] / cpu_ms[0])
        ready = [
            [seconds_to_ready(start, code_dir, home) for start in (ours, drums)] for _ in range(ROUNDS + 1)
        ]
    return {  # the first of each warms both up
        f"server CPU per request ÷ DRUM's gunicorn, {name}": costs[1:],
        f"time to ready ÷ DRUM's gunicorn, {name}": [mine_s / theirs_s for mine_s, theirs_s in ready[1:]],
    }


def seconds_to_ready(
    start: Callable[[Path, Path], AbstractContextManager[Started]], code_dir: Path, home: Path
) -> float:
    began_s = time.monotonic()
    with start(code_dir, home):
        return time.monotonic() - began_s


if __name__ == "__main__":
    for path in sys.argv[1:] or ["models/sklearn-regression", "models/xgboost"]:
        for name, values in ratios(Path(path)).items():
            print(
                f"{name}: {statistics.median(values):.2f} {[round(value, 2) for value in values]}", flush=True
            )
