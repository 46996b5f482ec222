"""Whole studies of several loads: real locust, servers of known capacity."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.support.commands import (
    IN_TURNS,
    left_behind,
    recorded,
    run_rows,
    start,
    sweeper,
    truth,
    wait_until_gone,
)

pytestmark = pytest.mark.e2e

# Four slots of 40 ms answer 100/s. Either load keeps all slots busy: 80 users would ask for
# 80 / (0.3 s + 0.04 s), which is 235/s, and 50 users for 147/s.
SERVER = truth("--service-ms", 40, "--shape", "plateau:4", "--own-time")
BLOCKS = ("--max-blocks", 8, "--workers", "1,4,8")


def test_one_answer_for_two_loads_and_an_interrupt_between(folder: Path) -> None:
    grid = ("grid", *SERVER, *IN_TURNS, *BLOCKS, "--users", "80,50", "--study", "both")
    begun = start(*grid, "--json", cwd=folder)
    deadline = time.monotonic() + 120
    while len(recorded(folder)) < 3 and time.monotonic() < deadline:
        time.sleep(0.2)
    begun.send_signal(signal.SIGINT)
    out, err = begun.communicate(timeout=60)
    assert begun.returncode == 130, (out, err)
    assert "--study both" in err
    assert wait_until_gone(folder) == []
    kept = recorded(folder)
    assert kept

    done = sweeper("grid", "--study", "both", "--json", cwd=folder)
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 4), done.err
    assert set(kept) <= set(recorded(folder))
    assert "under each of 50 and 80 users" in answer["reason"]
    assert (answer["users"], answer["confirmation"], answer["blocks_made"]["in_turns"]) == (80, None, True)
    loads = answer["loads"]
    assert (loads["disagree"], loads["at_random"]) == (False, False)
    assert [one["load"] for one in loads["under"]] == [50, 80]
    for one in loads["under"]:
        assert one["configuration"]["workers"] == 4
        by_workers = {candidate["workers"]: candidate for candidate in one["candidates"]}
        assert by_workers[1]["state"] == "excluded"
        assert by_workers[1]["rps"]["mean"] == pytest.approx(25, rel=0.05)
        assert by_workers[4]["rps"]["mean"] == pytest.approx(100, rel=0.05)
    assert "not-confirmed" in [finding["code"] for finding in answer["findings"]]

    rows = run_rows(folder / "studies" / "both")
    first = {(row["workers"], row["load"]) for row in rows if row["block"] == "1"}
    assert first == {(workers, load) for workers in ("1", "4", "8") for load in ("50.0", "80.0")}
    assert max(int(row["block"]) for row in rows if row["workers"] == "1" and row["load"] == "80.0") <= 4
    assert left_behind(str(folder)) == []

    again = sweeper("recommend", "both", "--format", "json", cwd=folder)
    assert json.loads(again.out) == answer
    refused = sweeper("grid", "--study", "both", "--users", "80,60", cwd=folder)
    assert (refused.code, "users is 50,80 in the study, 60,80 now" in refused.err) == (2, True), refused.err
    page = sweeper("report", "both", cwd=folder)
    assert page.code == 0, page.err


def test_a_limit_that_no_value_keeps_under_one_load_ends_the_study(folder: Path) -> None:
    """By Little's law 80 users see 80 / 100 - 0.3 = 0.5 s; 30 users see next to no queue."""
    done = sweeper(
        "grid", *SERVER, *IN_TURNS, "--max-blocks", 10, "--workers", "4,8", "--users", "20,80",
        "--slo-p99", "350ms", "--json", cwd=folder,
    )  # fmt: skip
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (1, "infeasible", None), done.err
    assert answer["reason"].startswith("under 80 users, no worker count keeps")
    assert answer["loads"]["disagree"] is False


def test_two_rates(folder: Path) -> None:
    """One slot answers 25/s: it keeps up with 10/s and not with 60/s."""
    done = sweeper(
        "grid", *SERVER, "--rate", "10,60", "--objective", "p99", "--tolerance", 0.4, "--window", "4s",
        "--warmup", "1s", "--warmup-cap", "6s", "--drain", "10s", "--interleave", "--quick",
        "--workers", "1,4", "--json", cwd=folder,
    )  # fmt: skip
    assert done.code == 2
    assert "--window" in done.err
    done = sweeper(
        "grid", *SERVER, "--rate", "10,60", "--objective", "p99", "--tolerance", 0.4, "--window", "4s",
        "--warmup", "1s", "--warmup-cap", "6s", "--drain", "10s", "--interleave", "--max-blocks", 10,
        "--workers", "1,4", "--json", cwd=folder,
    )  # fmt: skip
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 4), done.err
    assert (answer["loads"]["at_random"], answer["arrivals_per_s"], answer["users"]) == (True, 60, None)
    light, heavy = answer["loads"]["under"]
    assert light["candidates"][0]["rps"]["mean"] == pytest.approx(10, rel=0.25)
    assert heavy["candidates"][0]["state"] == "excluded"
    assert "does not keep up" in heavy["candidates"][0]["why"]
