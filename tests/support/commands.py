"""Running the real `sweeper` in its own process, in a folder of its own, against servers of known truth."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
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
TIMEOUT_S = 400
OWN_HOST = (sys.executable, "-m", "tests.support.own_host")
"""`sweeper` on a host of its own."""


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


def start(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sweeper", *map(str, arguments)],
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
    server = f"{sys.executable} -m tests.support.truth.sleep_server --port {{port}} --workers {{workers}}"
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


GONE_WITHIN_S = 10.0


def recorded(folder: Path) -> list[str]:
    path = folder / "studies" / "studies.db"
    if not path.exists():
        return []
    with sqlite3.connect(path) as connection:
        try:
            return [row[0] for row in connection.execute("SELECT run_id FROM sweeper_runs ORDER BY run_id")]
        except sqlite3.OperationalError:
            return []


def run_rows(study: Path) -> list[dict[str, str]]:
    """Of runs.csv in a study's folder."""
    with (study / "runs.csv").open() as handle:
        return list(csv.DictReader(handle))


def wait_until_gone(folder: Path) -> list[str]:
    deadline = time.monotonic() + GONE_WITHIN_S
    while (left := left_behind(str(folder))) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left
