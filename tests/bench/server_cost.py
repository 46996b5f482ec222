"""What our server adds to a bare prediction: CPU per request under load, and time to ready.

Bare and served take turns, so that a host that changes speed changes both; each ratio is one round's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweeper.launch import FastApiLauncher
from sweeper.launch.environment import server_environment
from sweeper.records import Configuration

ROUNDS = 5
USERS = 100
LOAD_S = 4.0
BARE_S = 1.5
DEFAULT_POOL = Configuration(4)
QUIET_CORES = 0.15  # a round in which others used more says nothing


@contextmanager
def asked(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A helper process that answers a line for each line it is given."""
    argv = [sys.executable, "-m", *arguments]
    # The server's native-thread settings, or a bare predict would spread over all cores.
    env = server_environment(os.environ, DEFAULT_POOL)
    with subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(process: subprocess.Popen[str], line: str) -> Any:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def cpu_ratios(code_dir: Path) -> list[float]:
    """Server CPU per request at the default pool under 100 users without pauses ÷ read_csv + predict."""
    ratios: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        asked("tests.bench.bare", str(code_dir)) as bare,
        asked("tests.bench.closed_loop", str(code_dir / "sample.csv"), str(USERS)) as client,
    ):
        server = FastApiLauncher(code_dir).start(DEFAULT_POOL, Path(folder) / "server.log")
        try:
            server.wait_ready(120.0)
            port = server.base_url.rpartition(":")[2]
            for attempt in range(3 * ROUNDS):
                before_ms = float(ask(bare, str(BARE_S)))
                served = ask(client, f"{port} {server.pid} {LOAD_S}")
                after_ms = float(ask(bare, str(BARE_S)))
                assert served["failed"] == 0
                quiet = served["other_cores"] <= QUIET_CORES
                if (quiet or attempt >= 2 * ROUNDS) and attempt > 0:  # the first warms both up
                    served_ms = served["cpu_s"] * 1000.0 / served["requests"]
                    ratios.append(served_ms / ((before_ms + after_ms) / 2))
                if len(ratios) == ROUNDS:
                    break
        finally:
            server.stop()
    return ratios


def ready_ratios(code_dir: Path) -> list[float]:
    """Time to ready ÷ time of a bare Python that imports the same libraries and loads the model."""
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS + 1):
            began_s = time.monotonic()
            subprocess.run([sys.executable, "-m", "tests.bench.bare", str(code_dir), "--start"], check=True)
            bare_s = time.monotonic() - began_s
            server = FastApiLauncher(code_dir).start(DEFAULT_POOL, Path(folder) / "server.log")
            try:
                ratios.append(server.wait_ready(120.0) / bare_s)
            finally:
                server.stop()
    return ratios[1:]  # the first reads the libraries from disk


def ratios(code_dir: Path) -> dict[str, list[float]]:
    name = code_dir.name
    return {
        f"server CPU per request ÷ bare read_csv + predict, {name}": cpu_ratios(code_dir),
        f"time to ready ÷ bare imports and load, {name}": ready_ratios(code_dir),
    }
