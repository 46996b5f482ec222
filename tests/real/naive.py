"""`naive`: the usual way. One load test per worker count in rising order, the largest mean wins."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.launch import FastApiLauncher, LaunchOptions, place_cores
from sweeper.load import LocustGenerator
from sweeper.records.configuration import Configuration
from tests.real import journal
from tests.real.command import StoppedError, train

MEASURED = "naive.jsonl"
MODELS = Path("models")
READY_S = 120.0
TRAINING_S = 1800.0


@dataclass(frozen=True)
class LoadTest:
    """What a shell loop would do for each count: server, `locust --users U --run-time S`, stop."""

    workers: tuple[int, ...]
    users: int
    seconds: float

    def plain(self) -> dict[str, Any]:
        return {"of": list(self.workers), "users": self.users, "seconds": self.seconds}


def make_repeats(models: Sequence[str], repeats: int, out: Path, test: LoadTest) -> None:
    """Every count in order, per repeat; models take turns between repeats. What was measured stays.

    Raises StoppedError where `out` holds other tests, LoadError and ServerStartError as they come.
    """
    entries = journal.entries(out / MEASURED)
    for entry in entries:
        if any(entry[key] != value for key, value in test.plain().items()):
            made = {key: entry[key] for key in test.plain()}
            raise StoppedError(f"{out} holds naive tests made with {made}: use another --out or these")
    done = {(entry["model"], entry["repeat"], entry["workers"]) for entry in entries}
    train(models, out / "logs", TRAINING_S)
    for repeat in range(1, repeats + 1):
        for model in models:
            for workers in test.workers:
                if (model, repeat, workers) in done:
                    continue
                measured = measure(MODELS / model, workers, test)
                key = {"model": model, "repeat": repeat, "workers": workers}
                journal.append(out / MEASURED, {**key, **test.plain(), **measured})
                print(f"{model} {repeat}: {workers} workers {measured['rps']:.1f} requests/s", flush=True)


def measure(code_dir: Path, workers: int, test: LoadTest) -> dict[str, Any]:
    """One test of one count. `rps` is all that finished, failed or not, by the whole of the time, as locust
    prints it; no warm-up is dropped. `minutes` is wall time from the server's start to its end."""
    placement = place_cores(frozenset(os.sched_getaffinity(0)))
    launcher = FastApiLauncher(
        code_dir.resolve(),
        LaunchOptions(
            cpus=placement.server, drum_arguments=("--target-type", "regression"), users=test.users
        ),
    )
    load = LocustGenerator(
        users=test.users,
        data_path=code_dir.resolve() / "sample.csv",
        cpus=placement.load,
        max_duration_s=test.seconds + READY_S,
    )
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        server = launcher.start(Configuration(workers), Path(folder) / "server.log")
        try:
            server.wait_ready(READY_S)
            session = load.start(server.base_url, Path(folder))
            try:
                start_s = time.monotonic()
                time.sleep(test.seconds)
                progress, elapsed_s = session.progress(), time.monotonic() - start_s
            finally:
                session.kill()
        finally:
            server.stop()
    return {
        "rps": progress.finished / elapsed_s,
        "failed": progress.failed,
        "minutes": (time.monotonic() - began_s) / 60,
    }
