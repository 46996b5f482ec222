"""Whole studies whose requests arrive at random: real locust, servers whose queue is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.commands import run_rows, sweeper, truth

pytestmark = pytest.mark.e2e

# Eight slots of 80 ms answer 100/s, four of them 50/s.
SERVER = truth("--service-ms", 80, "--shape", "plateau:8", "--own-time")
RATE = ("--rate", 75, "--objective", "p99", "--tolerance", 0.2)
SHORT = ("--window", "4s", "--warmup", "1s", "--warmup-cap", "6s", "--drain", "10s")


def starts(folder: Path, study: str) -> dict[int, list[tuple[str, np.ndarray]]]:
    """For each block: workers and the moments at which the requests of a run were to arrive, in order."""
    rows = run_rows(folder / "studies" / study)
    found: dict[int, list[tuple[str, np.ndarray]]] = {}
    for row in rows:
        log = pd.read_parquet(folder / "studies" / study / "runs" / row["run_id"] / "requests.parquet")
        found.setdefault(int(row["block"]), []).append((row["workers"], np.sort(log["started_s"].to_numpy())))
    return found


def test_what_does_not_keep_up_is_excluded_and_the_smallest_that_does_is_the_answer(folder: Path) -> None:
    done = sweeper(
        "grid", *SERVER, *RATE, *SHORT, "--interleave", "--max-blocks", 8, "--workers", "4,8,16",
        "--study", "random", "--json", cwd=folder,
    )  # fmt: skip
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 8), done.err
    assert (answer["objective"], answer["arrivals_per_s"], answer["users"]) == ("p99", 75, None)
    assert answer["blocks_made"]["in_turns"] is True
    assert answer["confirmation"] is None
    assert "with 75 requests/s at random" in answer["reason"]
    by_workers = {candidate["workers"]: candidate for candidate in answer["candidates"]}
    assert by_workers[4]["state"] == "excluded"
    assert "it does not keep up" in by_workers[4]["why"]
    assert by_workers[4]["eliminated_after"] == 2
    assert by_workers[8]["rps"]["mean"] == pytest.approx(75, rel=0.1)
    assert 80 <= by_workers[8]["latency_ms"]["p50"]["mean"] < 200

    # In turns, too, the values of a block see the same arrivals, by the clock of each run; blocks see others.
    blocks = starts(folder, "random")
    for runs in blocks.values():
        first = runs[0][1]
        for _, other in runs[1:]:
            count = min(len(first), len(other))
            late_s = (other[:count] - other[0]) - (first[:count] - first[0])
            assert np.abs(late_s).max() < 0.02
    gaps = [np.diff(runs[0][1])[:50] for runs in blocks.values()]
    assert np.abs(gaps[0] - gaps[1]).max() > 0.01

    again = sweeper("recommend", "random", "--format", "json", cwd=folder)
    assert json.loads(again.out) == answer
    refused = sweeper("grid", "--study", "random", "--rate", 60, cwd=folder)
    assert (refused.code, "rate is 75" in refused.err) == (2, True), refused.err
    page = sweeper("report", "random", cwd=folder)
    assert page.code == 0, page.err


def test_a_search_at_a_rate_by_two_processes_of_the_load(folder: Path) -> None:
    done = sweeper(
        "optimize", *SERVER, *RATE, *SHORT, "--interleave", "--workers", "8,16", "--trials", 2,
        "--search-window", "3s", "--load-processes", 2, "--max-blocks", 6,
        "--study", "searched", "--json", cwd=folder,
    )  # fmt: skip
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 8), done.err
    assert answer["search"]["objectives"] == ["p99"]
    assert (answer["arrivals_per_s"], answer["confirmation"]) == (75, None)
    by_workers = {candidate["workers"]: candidate for candidate in answer["candidates"]}
    assert by_workers[8]["rps"]["mean"] == pytest.approx(75, rel=0.1)
