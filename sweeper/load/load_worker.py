"""`sweeper load-worker`: asks a master on another host what to do, does it, and asks again.

It speaks to locust's master as locust itself does: msgpack in ZeroMQ messages. What it is told is where the
data go, how users wait, or when uploads arrive, and the data; the code is that of the sweeper installed here.
"""

from __future__ import annotations

import base64
import os
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import zmq

from sweeper.errors import LoadError, UsageError
from sweeper.load.distributed import sha256, versions
from sweeper.load.generator import OWN_OUTPUT
from sweeper.load.session import last_words
from sweeper.locust_side.wire import (
    JOB,
    LOCUSTFILE,
    OPEN_LOCUSTFILE,
    PROGRAM,
    Arrivals,
    RecorderSettings,
    Role,
    UserSettings,
)
from sweeper.processes import ManagedProcess, spawn, tail

ASK_PERIOD_S = 0.5
POLL_S = 0.05


@dataclass(frozen=True)
class Master:
    """Where locust's master listens."""

    host: str
    port: int

    def ask(self, name: str) -> dict[str, Any] | None:
        """What there is to do; None while there is no master, or nothing for us. LoadError for nonsense."""
        context: zmq.Context[Any] = zmq.Context.instance()
        with context.socket(zmq.DEALER) as line:
            line.setsockopt(zmq.LINGER, 0)
            line.setsockopt(zmq.IDENTITY, name.encode())
            line.connect(f"tcp://{self.host}:{self.port}")
            line.send(msgpack.dumps((JOB, None, name)))
            if not line.poll(1000 * ASK_PERIOD_S):
                return None
            try:
                kind, job, _ = msgpack.loads(line.recv())
            except ValueError as error:
                raise LoadError(
                    f"the program at {self.host}:{self.port} is not a study of sweeper ({error}): give "
                    "--master as the study printed it"
                ) from error
        return job if kind == JOB and job["id"] is not None else None


@dataclass(frozen=True)
class LoadWorker:
    master: Master
    say: Callable[[str], None]
    """Tells people, in one sentence."""
    locustfile: Path | None = None
    """A copy of the one that the study was given; None: it was given none."""
    max_memory_bytes: int | None = None
    """That a load may use; None: no limit."""

    def work(self) -> None:
        """Until it is interrupted: load after load. UsageError when this worker cannot do what it is told."""
        name = f"{socket.gethostname()}_{uuid.uuid4().hex}"
        done = None
        self.say(f"waiting for a study at {self.master.host}:{self.master.port}; Ctrl-C ends this worker")
        while True:
            begun_s = time.monotonic()
            job = self.master.ask(name)
            if job is not None and job["id"] != done:
                done = job["id"]
                self._check(job)
                self._do(job)
            time.sleep(max(0.0, begun_s + ASK_PERIOD_S - time.monotonic()))

    def _check(self, job: Mapping[str, Any]) -> None:
        if job["versions"] != versions():
            raise UsageError(
                f"the study runs with {job['versions']}, and this host has {versions()}: "
                "install the same versions on both hosts"
            )
        wanted = job["locustfile_sha256"]
        if wanted is not None and self.locustfile is None:
            raise UsageError("the study has a locustfile of its own: give the same one with --locustfile")
        if wanted is None and self.locustfile is not None:
            raise UsageError(f"the study has no locustfile: leave out --locustfile '{self.locustfile}'")
        if self.locustfile is not None and sha256(self.locustfile) != wanted:
            raise UsageError(
                f"--locustfile '{self.locustfile}' differs from the study's own: copy the study's file here"
            )

    def _do(self, job: Mapping[str, Any]) -> None:
        with tempfile.TemporaryDirectory(prefix="sweeper-load-") as folder:
            log_path = Path(folder) / "load.log"
            try:
                environment = _environment(job, Path(folder), self.max_memory_bytes)
                process = spawn(self._argv(job), env=environment, log_path=log_path)
            except OSError as error:
                raise LoadError(f"locust could not be started: {error}") from error
            try:
                self.say(f"load {job['id'][:8]} begins")
                code = _wait(process)
            finally:
                process.kill()
            end = "is done" if code == 0 else f"ended with code {code}: {last_words(tail(log_path, 200))}"
            self.say(f"load {job['id'][:8]} {end}")

    def _argv(self, job: Mapping[str, Any]) -> list[str]:
        ours = LOCUSTFILE if job["arrivals"] is None else OPEN_LOCUSTFILE
        return [
            *(sys.executable, "-P", "-m", PROGRAM, *OWN_OUTPUT, *job["locust_options"], "--worker"),
            *("--locustfile", str((self.locustfile or ours).absolute())),
            *("--master-host", self.master.host),
            *("--master-port", str(self.master.port)),
            *("--exit-code-on-error", "0"),
        ]


def _environment(job: Mapping[str, Any], folder: Path, max_memory_bytes: int | None) -> dict[str, str]:
    ca_file = None
    if job["ca_certificates"] is not None:
        ca_file = folder / "ca.pem"
        ca_file.write_text(job["ca_certificates"], "latin-1")
    recorder = RecorderSettings(
        log_paths=[],
        max_duration_s=job["max_duration_s"],
        role=Role.REMOTE_WORKER,
        max_answer_bytes=job["max_answer_bytes"],
        max_memory_bytes=max_memory_bytes,
        ca_file=None if ca_file is None else str(ca_file),
    )
    environment = {**os.environ, **recorder.as_variable()}
    if job["user"] is not None:
        data_path = folder / "data.csv"
        data_path.write_bytes(base64.b64decode(job["data"]))
        environment |= UserSettings(**{**job["user"], "data_path": str(data_path)}).as_variable()
    if job["arrivals"] is not None:
        environment |= Arrivals(**job["arrivals"]).as_variable()
    return environment


def _wait(process: ManagedProcess) -> int:
    while (code := process.poll()) is None:
        time.sleep(POLL_S)
    return code
