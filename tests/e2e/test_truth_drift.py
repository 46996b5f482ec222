"""Whole grids on a host whose speed swings by 30%, and on servers that fail fast, with known answers.

The sleep servers share the swing as they would share a host: it follows CLOCK_MONOTONIC (truth/pace.py).
A firm answer must be the right one; where the swing leaves something open, that must be said, and the
right worker count must not have been ruled out.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.commands import left_behind, sweeper, truth

pytestmark = pytest.mark.e2e

# Five seconds are the fewest that MSER-5 can judge at the first look. Service times that vary give the
# throughput its noise, or the swing would be taken for a warm-up that never ends.
SHORT = ("--users", "80", "--window", "2s", "--warmup", "3s", "--warmup-cap", "5s", "--drain", "5s")
SWING = ("--drift", 0.3, "--drift-period-s", 40, "--distribution", "exponential")


def test_a_peak_is_found_though_more_workers_fail_fast(folder: Path) -> None:
    """100 requests/s at 4, a fifth less at 8; with 32 half of all fail at once, so that most are 'done'."""
    done = sweeper(
        "grid", *truth("--service-ms", 40, "--shape", "peak:4", "--fail-share", 0.5, "--fail-from", 32),
        *SHORT, "--min-blocks", "3", "--max-blocks", "6", "--workers", "1,4,8,32", "--json", cwd=folder,
    )  # fmt: skip
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 4), done.err
    assert answer["tied"] == [4]
    by_workers = {candidate["workers"]: candidate for candidate in answer["candidates"]}
    assert by_workers[8]["rps"]["mean"] == pytest.approx(80, rel=0.05)
    assert by_workers[32]["error_rate"] == pytest.approx(0.5, abs=0.1)
    assert "32 is ruled out" in answer["reason"]
    assert left_behind(str(folder)) == []


def test_a_peak_is_found_while_the_host_swings(folder: Path) -> None:
    """25, 100 and 51 requests/s, each times 0.7 to 1.3."""
    done = sweeper(
        "grid", *truth("--service-ms", 40, "--shape", "peak:4", *SWING), *SHORT,
        "--min-blocks", "3", "--max-blocks", "8", "--workers", "1,4,32", "--json", cwd=folder,
    )  # fmt: skip
    answer = done.json
    assert answer["workers"] == 4, (answer["reason"], done.err)
    assert answer["status"] in ("recommended", "provisional"), answer["reason"]


def test_a_plateau_is_never_answered_wrongly_while_the_host_swings(folder: Path) -> None:
    """25, 100 and 100 requests/s: 1 must go; that 4 is as good as 16 a few short runs may not show."""
    done = sweeper(
        "grid", *truth("--service-ms", 40, "--shape", "plateau:4", *SWING), *SHORT,
        "--min-blocks", "3", "--max-blocks", "3", "--workers", "1,4,16", "--json", cwd=folder,
    )  # fmt: skip
    answer = done.json
    assert answer["workers"] in (4, None), answer["reason"]
    assert done.code == (0 if answer["workers"] == 4 else 1)
    by_workers = {candidate["workers"]: candidate for candidate in answer["candidates"]}
    assert by_workers[4]["eliminated_after"] is None
    assert answer["status"] != "infeasible"
    assert 4 in answer["tied"], (answer["reason"], done.err)
