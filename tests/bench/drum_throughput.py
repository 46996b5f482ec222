"""Our server against the released DRUM (gunicorn, Flask) on the same model: requests per second, in turns."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

from sweeper.launch import DrumLauncher, FastApiLauncher, LaunchOptions
from sweeper.load import LocustGenerator
from sweeper.records.configuration import Configuration
from sweeper.run.interfaces import Launcher

ROUNDS = 3
USERS = 100
WARMUP_S = 4.0
WINDOW_S = 8.0
DEFAULT_POOL = Configuration(4)
KIND = LaunchOptions(drum_arguments=("--target-type", "regression"), users=USERS)


def requests_per_s(launcher: Launcher, data: Path) -> float:
    """Completed requests per second of one fresh server under 100 users."""
    load = LocustGenerator(users=USERS, data_path=data)
    with tempfile.TemporaryDirectory() as folder:
        server = launcher.start(DEFAULT_POOL, Path(folder) / "server.log")
        try:
            server.wait_ready(120.0)
            session = load.start(server.base_url, Path(folder))
            try:
                time.sleep(WARMUP_S)
                start_s, before = time.monotonic(), session.progress()
                time.sleep(WINDOW_S)
                elapsed_s, after = time.monotonic() - start_s, session.progress()
            finally:
                session.kill()
        finally:
            server.stop()
    assert after.failed == before.failed, "requests failed"
    return (after.finished - before.finished) / elapsed_s


def ratios(code_dir: Path) -> dict[str, list[float]]:
    """Ours ÷ DRUM's, once per round; DRUM with its default of one sync worker, both on the same cores."""
    ours, drum = FastApiLauncher(code_dir, KIND), DrumLauncher(code_dir, KIND)
    data = code_dir / "sample.csv"
    return {
        f"throughput ÷ DRUM's gunicorn, {code_dir.name}": [
            requests_per_s(ours, data) / requests_per_s(drum, data) for _ in range(ROUNDS)
        ]
    }


if __name__ == "__main__":
    for name, values in ratios(Path(os.environ.get("CODE_DIR", "models/xgboost"))).items():
        print(name, statistics.median(values), values)
