"""The open-loop confirmation of a real study: real locust, a server whose queue is known."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.commands import (
    ALONE,
    left_behind,
    recorded,
    run_rows,
    start,
    sweeper,
    truth,
    wait_until_gone,
)

pytestmark = pytest.mark.e2e

STUDY = (
    "grid", *truth("--service-ms", 80, "--shape", "plateau:8"), *ALONE,
    "--min-blocks", "2", "--max-blocks", "8", "--workers", "2,8", "--study", "open", "--json",
)  # fmt: skip
WAIT_S = 120.0


def confirming(folder: Path) -> list[str]:
    return [run_id for run_id in recorded(folder) if run_id.startswith("c")]


def test_a_confirmation_is_killed_resumed_and_read_again(folder: Path) -> None:
    process = start(*STUDY, cwd=folder)
    deadline = time.monotonic() + WAIT_S
    while not confirming(folder) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.5)  # into the next run
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert wait_until_gone(folder) == []
    kept = recorded(folder)
    assert confirming(folder)

    half = sweeper("recommend", "open", cwd=folder)
    assert (half.code, "Open loop: At 75% of its throughput" in half.out) == (0, True)
    refused = sweeper("grid", "--study", "open", "--no-confirm", cwd=folder)
    assert (refused.code, "confirm is True in the study, False now" in refused.err) == (2, True)

    done = sweeper(*STUDY, cwd=folder)
    answer = done.json
    assert (done.code, answer["workers"]) == (0, 8), done.err
    assert set(kept) <= set(recorded(folder))
    assert confirming(folder) == ["c01-01-w8", "c01-02-w4", "c02-01-w4", "c02-02-w8"]
    assert "open loop 2  workers=8" in done.err
    assert left_behind(str(folder)) == []

    seen = answer["confirmation"]
    ours, default = seen["configurations"]
    assert (ours["workers"], default["workers"]) == (8, 4)
    # Eight slots of 80 ms answer 100/s, so that 75/s arrive: too much for the default's 50/s.
    assert seen["arrivals_per_s"] == pytest.approx(75, rel=0.1)
    assert (ours["failed_runs"], ours["kept_up"], default["kept_up"]) == (0, True, False)
    assert ours["latency_ms"]["p50"]["mean"] >= 80
    assert default["latency_ms"]["p50"]["mean"] > 2 * ours["latency_ms"]["p50"]["mean"]
    assert default["closed_rps"] is None  # it was not in the grid
    assert "4 workers do not keep up with that" in seen["sentence"]
    assert "queueing time of 80 users" in seen["sentence"]
    assert [candidate["workers"] for candidate in answer["candidates"]] == [2, 8]

    study = folder / "studies" / "open"
    rows = {row["run_id"]: row for row in run_rows(study)}
    assert list(rows)[-4:] == confirming(folder)
    assert {row["arrivals_per_s"] for name, row in rows.items() if name.startswith("b")} == {""}
    for first, second in (("c01-01-w8", "c01-02-w4"), ("c02-02-w8", "c02-01-w4")):
        assert float(rows[first]["arrivals_per_s"]) == seen["arrivals_per_s"]
        starts = [
            pd.read_parquet(study / "runs" / name / "requests.parquet")["started_s"]
            for name in (first, second)
        ]
        count = min(len(start) for start in starts)
        gaps = [np.diff(start)[: count - 1] for start in starts]
        assert np.allclose(*gaps, atol=1e-6)  # the same arrivals for both

    again = sweeper("grid", "--study", "open", "--json", cwd=folder)
    assert again.json == answer  # complete: it prints its answer and runs nothing
    text = sweeper("recommend", "open", "--verbose", cwd=folder).out
    assert seen["sentence"] in text
    assert "requests/s at random: p50" in text
