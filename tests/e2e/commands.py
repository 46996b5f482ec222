"""Running the real `sweeper` in its own process, in a folder of its own, against servers of known truth."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
# 80 users with 0.3 s between requests keep every pool here busy: 80 / (0.3 s + service time) is above all
# capacities, and the median latency is far above what a busy machine's timers are late by.
SHORT = ("--users", "80", "--window", "2s", "--warmup", "1s", "--warmup-cap", "10s", "--drain", "5s")
# A sleep goes on while its server is stopped, unless the server is told to sleep in its own time.
IN_TURNS = (*SHORT, "--interleave")
ALONE = (*SHORT, "--no-interleave")
TIMEOUT_S = 240
# A new namespace's loopback is down (SIOCSIFFLAGS, IFF_UP | IFF_RUNNING).
ON_A_HOST = """
import fcntl, os, socket, struct, sys
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
os.execv(sys.executable, [sys.executable, "-m", "sweeper", *sys.argv[1:]])
"""
OWN_HOST = ("unshare", "--net", sys.executable, "-c", ON_A_HOST)
"""A network namespace: a loopback and a measuring lock of its own."""


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return document


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


@cache
def may_make_namespaces() -> bool:
    return subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


@contextmanager
def a_host_of_its_own() -> Iterator[None]:
    """Meanwhile every sweeper that is started is on another host than those of other tests. Where hosts
    cannot be made, one test waits for the other."""
    if may_make_namespaces():
        token = _command.set(OWN_HOST)
        try:
            yield
        finally:
            _command.reset(token)
    else:
        with (Path(tempfile.gettempdir()) / "sweeper-tests.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


HERE = (sys.executable, "-m", "sweeper")
_command: ContextVar[tuple[str, ...]] = ContextVar("command", default=HERE)


def start(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*_command.get(), *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sweeper(*arguments: object, cwd: Path) -> Finished:
    process = start(*arguments, cwd=cwd)
    try:
        out, err = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert "Traceback" not in err, err
    return Finished(process.returncode, out, err)


def truth(*options: object) -> tuple[str, ...]:
    """Arguments of `sweeper grid` for a sleep server with `options`."""
    server = f"{sys.executable} -m tests.truth.sleep_server --port {{port}} --workers {{workers}}"
    command = " ".join([server, *map(str, options)])
    return ("--launcher", "command", "--server-command", command, "--data", "rows.csv")


def left_behind(mark: str) -> list[str]:
    """Command lines of live processes that carry `mark` (a path only this test uses)."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        where = _folder(process)
        if (mark in line or where.startswith(mark)) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(line)
    return [line for line in found if line]


def _folder(process: psutil.Process) -> str:
    try:
        return str(process.cwd())
    except (psutil.Error, OSError):
        return ""
