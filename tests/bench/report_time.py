"""How long `sweeper report` takes for a study of ten million requests (goal: 5 s)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from sweeper.records.observations import RequestLog
from sweeper.records.run import RunRecord
from sweeper.store import durable_files
from sweeper.store import parquet as tables
from tests.support.builders import SAMPLE
from tests.support.recorded import drawn, keep

REQUESTS = 10_000_000
WARMUP_S, WINDOW_S = 3.0, 10.0


def figures(rounds: int = 3) -> dict[str, list[float]]:
    """Seconds from the command line to the page, and the page's own size in MB."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        records = drawn()
        study = keep(place, "large", records)
        _fill(study, records)
        taken = [_report(place) for _ in range(rounds)]
        assert "raw requests are not on this machine" not in (study / "report.html").read_text()
        page_bytes = (study / "report.html").stat().st_size
    return {
        f"report of {REQUESTS / 1e6:g} million requests, s": taken,
        "report's page, MB": [page_bytes / 1e6],
    }


def _fill(study: Path, records: tuple[RunRecord, ...]) -> None:
    """Ten million requests, shared out alike, and the samples that say where the windows are."""
    rng = np.random.default_rng(0)
    count = -(-REQUESTS // len(records))
    samples = tuple(replace(SAMPLE, at_s=at / 2) for at in range(2 * round(WARMUP_S + WINDOW_S) + 1))
    for record in records:
        log = RequestLog(
            started_s=np.sort(rng.uniform(0.0, WARMUP_S + WINDOW_S, count)),
            latency_ms=rng.lognormal(5.0, 0.6, count),
            status=np.full(count, 200),
            response_bytes=np.full(count, 2000),
            failed=np.zeros(count, bool),
            client_late_ms=np.full(count, np.nan),
        )
        directory = study / "runs" / record.plan.run_id
        durable_files.fill(
            directory / "requests.parquet", lambda path, log=log: tables.write_requests(path, log)
        )
        durable_files.fill(
            directory / "telemetry.parquet", lambda path: tables.write_telemetry(path, samples)
        )


def _report(place: Path) -> float:
    command = [sys.executable, "-m", "sweeper", "report", "large", "--studies-dir", str(place)]
    began_s = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began_s


if __name__ == "__main__":
    print(figures())
