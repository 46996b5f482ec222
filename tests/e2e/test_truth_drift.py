"""Whole grids on a host whose speed swings by 30%, and on servers that fail fast, with known answers.

The sleep servers share the swing as they would share a host: it follows CLOCK_MONOTONIC (truth/pace.py).
An answer must be the right one; where the swing leaves something open, or other work on this very machine
made runs suspect, the study must say so, and the right worker count must not have been ruled out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Finished, left_behind, sweeper, truth

pytestmark = pytest.mark.e2e

# Five seconds are the fewest that MSER-5 can judge at the first look.
SHORT = (*("--users", "80", "--window", "2s", "--warmup", "3s", "--warmup-cap", "5s", "--drain", "5s"),)
OF_THE_MACHINE = {"pressure", "steal", "client-saturated", "throttled"}


def not_wrong(done: Finished, right: int, *, firm: bool) -> dict[str, Any]:
    """The answer: `right`; where the study need not be `firm` or the machine was busy, also none, or one as
    good as it that says `right` is not settled."""
    answer = done.json
    assert answer["workers"] in (right, None) or (right in answer["smaller_unsettled"] and not firm), answer[
        "reason"
    ]
    assert done.code == (1 if answer["workers"] is None else 0)
    candidate = next(one for one in answer["candidates"] if one["workers"] == right)
    assert candidate["eliminated_after"] is None, answer["reason"]
    assert answer["status"] != "infeasible"
    if answer["workers"] is None:
        busy = OF_THE_MACHINE & {finding["code"] for finding in answer["findings"]}
        assert busy or not firm, (answer["reason"], done.err)
        assert answer["status"] == "inconclusive"
    return answer


def test_a_peak_is_found_though_more_workers_fail_fast(folder: Path) -> None:
    """100 requests/s at 4, a fifth less at 8; with 32 half of all fail at once, so that most are 'done'."""
    done = sweeper(
        "grid", *truth("--service-ms", 40, "--shape", "peak:4", "--fail-share", 0.5, "--fail-from", 32),
        *SHORT, "--no-interleave", "--min-blocks", "3", "--max-blocks", "5", "--workers", "2,4,8,32",
        "--no-confirm", "--json",
        cwd=folder,
    )  # fmt: skip
    answer = not_wrong(done, 4, firm=True)
    if answer["workers"] == 4:
        by_workers = {candidate["workers"]: candidate for candidate in answer["candidates"]}
        assert answer["tied"] == [4]
        assert by_workers[8]["rps"]["mean"] == pytest.approx(80, rel=0.05)
        assert "32 is ruled out" in answer["reason"]
    assert left_behind(str(folder)) == []


IN_TURNS = (*SHORT, "--interleave", "--min-blocks", "3", "--max-blocks", "5", "--no-confirm", "--json")
SWING = ("--own-time", "--drift", 0.3, "--drift-period-s", 80)


def test_a_peak_is_found_while_the_host_swings(folder: Path) -> None:
    """50, 100 and 51 requests/s, each times 0.7 to 1.3."""
    done = sweeper(
        "grid", *truth("--service-ms", 40, "--shape", "peak:4", *SWING), *IN_TURNS, "--workers", "2,4,32",
        cwd=folder,
    )  # fmt: skip
    not_wrong(done, 4, firm=True)


def test_a_plateau_is_never_answered_wrongly_while_the_host_swings(folder: Path) -> None:
    """50, 100 and 100 requests/s: in turns the swing is the same for all, and what is left of it in windows
    of 2 s may or may not settle 5% in five blocks."""
    done = sweeper(
        "grid", *truth("--service-ms", 40, "--shape", "plateau:4", *SWING), *IN_TURNS, "--workers", "2,4,16",
        cwd=folder,
    )  # fmt: skip
    not_wrong(done, 4, firm=False)
