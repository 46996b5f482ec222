"""A truth server as a child process, for tests: `with truth_server("--workers", "4") as server:`."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class TruthServer:
    """A truth server that listens. `port` is a free one."""

    process: subprocess.Popen[str]
    port: int

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stats(self) -> dict[str, int]:
        """`/stats/`: what it claims (`executor_*`) and what is true (`truth_*`)."""
        with urllib.request.urlopen(f"{self.base_url}/stats/", timeout=STOP_TIMEOUT_S) as answer:
            stats: dict[str, int] = json.load(answer)
            return stats


@contextmanager
def truth_server(*options: object) -> Iterator[TruthServer]:
    """Run tests.support.truth.sleep_server with `options`; it ends with the block, and with this process."""
    argv = [sys.executable, "-m", "tests.support.truth.sleep_server", "--port", "0", "--die-with-parent"]
    with subprocess.Popen(
        [*argv, *map(str, options)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the truth server did not start: exit code {process.wait()}")
            yield TruthServer(process, int(line.rpartition(":")[2]))
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
