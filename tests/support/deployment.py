"""A server that lives on by itself and that a script restarts, as a deployment elsewhere does."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sweeper.launch.ports import free_port
from tests.support.programs import restart

SCRIPT = Path(restart.__file__)


@dataclass(frozen=True)
class Deployment:
    folder: Path
    port: int
    options: tuple[str, ...]  # of the server, or `--server NAME`

    @property
    def secure(self) -> bool:
        return "--certificate" in self.options

    @property
    def url(self) -> str:
        return f"http{'s' if self.secure else ''}://127.0.0.1:{self.port}"

    def command(self, workers: object = "{workers}", *more: object) -> str:
        """What restarts it, for a shell."""
        words = [sys.executable, SCRIPT, self.folder, "--port", self.port, "--workers", workers, *more]
        return " ".join([*map(str, words), *self.options])

    def settings(self, *more: object) -> tuple[str, ...]:
        """Options of `sweeper grid`. `more` are the script's."""
        restart = self.command("{workers}", *more)
        return ("--launcher", "remote", "--url", self.url, "--restart-command", restart, "--data", "rows.csv")

    @property
    def workers(self) -> int:
        """As it says itself, now."""
        anyone = ssl._create_unverified_context() if self.secure else None
        with urllib.request.urlopen(f"{self.url}/stats/", timeout=5, context=anyone) as answer:
            found: int = json.load(answer)["executor_workers"]
            return found

    @property
    def calls(self) -> list[int]:
        """The workers of each restart so far."""
        return [int(line) for line in (self.folder / "calls").read_text().split()]


@contextmanager
def deployment(folder: Path, workers: int, *options: object) -> Iterator[Deployment]:
    """It runs with so many workers, and is ended whatever became of it."""
    folder.mkdir()
    made = Deployment(folder, free_port(), tuple(map(str, options)))
    try:
        subprocess.run(["sh", "-c", made.command(workers)], check=True)
        yield made
    finally:
        restart.end(folder)
