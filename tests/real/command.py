"""Runs `python -m sweeper …` as a user would, in a process of its own that never outlives this one."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sweeper.processes import ManagedProcess, spawn

POLL_S = 0.2
SAVE_S = 60.0  # how long an interrupted sweeper may take to stop its servers


class StoppedError(Exception):
    """A sweeper that did not do what it was asked for: one sentence that says why."""


@dataclass(frozen=True)
class Ended:
    """`exit_code` is None where the time limit was over; `out` is all it printed, on both streams."""

    exit_code: int | None
    out: str

    @property
    def last_line(self) -> str:
        lines = self.out.split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "(nothing)")


def sweeper(arguments: Sequence[str], log_path: Path, limit_s: float) -> Ended:
    """Run it to its end, or interrupt it after `limit_s`; what it prints goes to `log_path`."""
    log_path.parent.mkdir(parents=True, exist_ok=True)
    process = spawn([sys.executable, "-m", "sweeper", *arguments], env=os.environ, log_path=log_path)
    try:
        exit_code = _wait(process, time.monotonic() + limit_s)
    finally:
        _interrupt(process)
    return Ended(exit_code, log_path.read_text(encoding="utf-8", errors="replace"))


def _wait(process: ManagedProcess, until_s: float) -> int | None:
    while (code := process.poll()) is None and time.monotonic() < until_s:
        time.sleep(POLL_S)
    return code


def _interrupt(process: ManagedProcess) -> None:
    """TERM to sweeper alone, which stops its own servers and saves; then whatever is left."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
        _wait(process, time.monotonic() + SAVE_S)
    process.stop()


def train(models: Sequence[str], log_folder: Path, limit_s: float) -> None:
    """Train what is missing or out of date; raises StoppedError with sweeper's own last words."""
    for model in models:
        ended = sweeper(["train", "--model", model], log_folder / f"train-{model}.log", limit_s)
        if ended.exit_code != 0:
            raise StoppedError(
                f"sweeper train --model {model} ended with {ended.exit_code}: {ended.last_line}"
            )
