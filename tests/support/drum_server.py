"""The installed `drum server` in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from sweeper.training import TrainedModel

SCRIPTS = Path(sysconfig.get_path("scripts"))
READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Drum:
    """A `drum server` that answers, in a session of its own."""

    url: str
    session: int

    def predict(self, sample: Path) -> list[float]:
        files = {"X": ("sample.csv", sample.read_bytes(), "text/csv")}
        answer = httpx.post(f"{self.url}/predict/", files=files, timeout=60)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["predictions"])

    def environments(self) -> list[dict[str, str]]:
        """What each of its processes was started with."""
        environments = []
        for process in processes_of(self.session):
            pairs = Path(f"/proc/{process.pid}/environ").read_text().rstrip("\0").split("\0")
            environments.append(dict(pair.split("=", 1) for pair in pairs))
        return environments


def processes_of(session: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError):
            if os.getsid(process.pid) == session:
                found.append(process)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def drum_server(
    model: TrainedModel, home: Path, options: Sequence[str] = (), source: Path | None = None
) -> Iterator[Drum]:
    """Start `drum server` on the model, in a shell that has sourced `source` where one is given."""
    with drum_process(model.path, home, ("--target-type", "regression", *options), source) as drum:
        yield drum


@contextmanager
def drum_process(
    code_dir: Path,
    home: Path,
    options: Sequence[str],
    source: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Drum]:
    """Start `drum server` on any folder, with its options and further variables."""
    port = free_port()
    command = [str(SCRIPTS / "drum"), "server", "--code-dir", str(code_dir)]
    command += ["--address", f"localhost:{port}", *options]
    if source is not None:
        command = ["sh", "-euc", '. "$0" && exec "$@"', str(source), *command]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}
    environment |= {"HOME": str(home), "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}
    log = home / "drum.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=home,
            env=environment | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_ready(process, f"http://localhost:{port}/ping/", log)
        yield Drum(url=f"http://localhost:{port}", session=process.pid)
    finally:
        stop(process)


def wait_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline_s:
        assert process.poll() is None, log.read_text()
        with suppress(httpx.TransportError):
            if httpx.get(url, timeout=5).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"not ready within {READY_TIMEOUT_S} s: {log.read_text()}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """TERM, wait, KILL, for the whole group, and make sure that nothing is left of the session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT_S)
    left = processes_of(process.pid)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_TIMEOUT_S)
    _, alive = psutil.wait_procs(left, STOP_TIMEOUT_S)
    assert alive == []
