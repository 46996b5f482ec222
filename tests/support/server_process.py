"""Server processes under test: started on a free port, waited for, and always ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
LIMIT_S = 30.0
FAMILIES = ("MLOPS_", "DRUM_", "CUSTOM_MODEL_")


def environment(extra: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FAMILIES)}
    return {**inherited, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **extra}


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    log: Path
    client: httpx.Client

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.client.get(path, **kwargs)

    def predict(self, data: bytes, path: str = "/predict/") -> httpx.Response:
        return self.client.post(path, files={"X": ("sample.csv", data, "text/csv")})

    def stats(self) -> dict[str, Any]:
        return dict(self.get("/stats/").json())

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT_S)

    def port(self) -> int:
        """As the server tells it in its log once it serves."""
        found = re.search(r"http://127\.0\.0\.1:(\d+) ", self.log.read_text())
        return int(found[1]) if found else 0


def until(condition: Callable[[], object], what: str = "") -> None:
    """Look again and again until it holds; a server that does not answer yet is one where it does not."""
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        with suppress(httpx.TransportError):
            if condition():
                return
        time.sleep(0.02)
    raise AssertionError(f"{what or condition} did not come true within {LIMIT_S} s")


def command(folder: Path, port: int, *options: str) -> list[str]:
    """With DRUM's `--target-type regression`, unless another is given."""
    if not any(option.partition("=")[0] == "--target-type" for option in options):
        options = ("--target-type", "regression", *options)
    where = ["--code-dir", str(folder), "--port", str(port)]
    return [sys.executable, "-P", "-m", "sweeper.server", *where, *options]


@contextmanager
def running(
    folder: Path, port: int, *options: str, ready: bool = True, **parameters: object
) -> Iterator[Running]:
    log = folder.parent / f"{folder.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(folder, port, *options),
            env=environment({name: str(value) for name, value in parameters.items()}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT_S, trust_env=False, verify=False)
    server = Running(process, log, client)
    try:
        if ready and port:
            until(lambda: process.poll() is not None or server.get("/readyz").status_code == 200)
            assert process.poll() is None, log.read_text()
        yield server
    finally:
        client.close()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(LIMIT_S)


def run(arguments: Sequence[str], **parameters: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a process that ends by itself."""
    process = subprocess.Popen(
        arguments,
        env=environment({name: str(value) for name, value in parameters.items()}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=LIMIT_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(LIMIT_S)
    return process.returncode, output, errors
