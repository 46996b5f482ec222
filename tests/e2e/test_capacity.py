"""Whole studies of the capacity within an SLO: real locust, servers whose queue is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import run_rows, sweeper, truth

pytestmark = pytest.mark.e2e

# Slots of 30 ms: with p99 within 120 ms, four of them take 111 requests/s, two 46 (long simulations).
FOUR_TAKE, TWO_TAKE = 110.7, 45.9
SERVER = truth("--service-ms", 30, "--shape", "plateau:4", "--own-time")
CAPACITY = (
    *("--objective", "capacity", "--slo-p99", 120, "--tolerance", 0.2),
    *("--window", "3s", "--drain", "10s"),
)


def test_the_smallest_count_of_the_largest_capacity_is_the_answer(folder: Path) -> None:
    done = sweeper(
        "grid", *SERVER, *CAPACITY, "--interleave", "--workers", "2,4,8", "--max-blocks", 6,
        "--cost-per-hour", 0.5, "--study", "capacity", "--json", cwd=folder,
    )  # fmt: skip
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 4), done.err
    assert (answer["objective"], answer["users"], answer["confirmation"]) == ("capacity", None, None)
    assert "a capacity (requests/s with p99 within 120 ms) within 20% of the best" in answer["reason"]
    by_workers = {candidate["workers"]: candidate for candidate in answer["candidates"]}
    assert by_workers[4]["capacity_rps"]["mean"] == pytest.approx(FOUR_TAKE, rel=0.15)
    assert by_workers[2]["capacity_rps"]["mean"] == pytest.approx(TWO_TAKE, rel=0.2)
    assert by_workers[2]["state"] == "excluded"
    price = next(c for c in answer["economics"]["candidates"] if c["workers"] == 4)
    capacity = by_workers[4]["capacity_rps"]["mean"]
    assert price["cost_per_million_requests"]["mean"] == pytest.approx(0.5e6 / 3600 / capacity)
    assert "requests/s within the SLO" in done.err

    rows = run_rows(folder / "studies" / "capacity")
    assert sum(row["verdict"] == "valid" for row in rows) >= 7, [row["findings"] for row in rows]
    assert all((row["block"] == "1") == (row["expected_rps"] == "") for row in rows)
    assert {row["capacity_bound"] for row in rows} <= {"exact", "at least", "at most"}

    again = sweeper("recommend", "capacity", "--format", "json", cwd=folder)
    assert json.loads(again.out) == answer
    page = sweeper("report", "capacity", cwd=folder)
    assert page.code == 0, page.err
    text = (folder / "studies" / "capacity" / "report.html").read_text()
    assert "99th percentile of latency against the rate of arrivals" in text
    refused = sweeper("grid", "--study", "capacity", "--slo-p99", 300, cwd=folder)
    assert (refused.code, "slo_p99 is 120" in refused.err) == (2, True), refused.err


def test_no_count_keeps_an_slo_that_one_request_breaks(folder: Path) -> None:
    done = sweeper(
        "grid", *truth("--service-ms", 60, "--shape", "plateau:4", "--own-time"), "--interleave",
        "--objective", "capacity", "--slo-p99", 50, "--window", "3s", "--drain", "10s", "--workers", "2,4",
        "--max-blocks", 5, "--study", "slow", "--json", cwd=folder,
    )  # fmt: skip
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (1, "infeasible", None), done.err
    assert "p99" in answer["reason"]
    rows = run_rows(folder / "studies" / "slow")
    assert {row["capacity_bound"] for row in rows if row["verdict"] == "valid"} == {"at most"}


def test_a_search_by_two_processes_of_the_load(folder: Path) -> None:
    done = sweeper(
        "optimize", *SERVER, *CAPACITY, "--interleave", "--workers", "2,4", "--trials", 2,
        "--search-window", "3s", "--load-processes", 2, "--max-blocks", 6,
        "--study", "searched", "--json", cwd=folder,
    )  # fmt: skip
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 4), done.err
    assert answer["search"]["objectives"] == ["capacity"]
    by_workers = {candidate["workers"]: candidate for candidate in answer["candidates"]}
    assert by_workers[4]["capacity_rps"]["mean"] == pytest.approx(FOUR_TAKE, rel=0.15)
