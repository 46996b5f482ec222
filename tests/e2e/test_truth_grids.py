"""Whole grids with real locust against servers whose best pool size is known."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.support.commands import ALONE, IN_TURNS, left_behind, run_rows, sweeper, truth

pytestmark = pytest.mark.e2e

# Three blocks, and more only where the machine was too busy for a run to count.
THREE = ("--min-blocks", "3", "--max-blocks", "8", "--no-confirm")


def test_a_plateau_is_answered_with_its_first_point(folder: Path) -> None:
    done = sweeper(
        "grid", *truth("--service-ms", 40, "--shape", "plateau:4", "--own-time"), *IN_TURNS, *THREE,
        "--workers", "1,4,8", "--study", "plateau", "--json", cwd=folder,
    )  # fmt: skip
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 4), done.err
    assert answer["tied"] == [4, 8]
    assert answer["runtime_parameters"] == {"DRUM_FASTAPI_EXECUTOR_WORKERS": 4}
    by_workers = {candidate["workers"]: candidate for candidate in answer["candidates"]}
    # 40 ms a request: 25/s from one slot, 100/s from the plateau; three percent for the edges.
    assert by_workers[1]["rps"]["mean"] == pytest.approx(25, rel=0.03)
    assert by_workers[4]["rps"]["mean"] == pytest.approx(100, rel=0.03)
    assert by_workers[1]["eliminated_after"] == 2

    study = folder / "studies" / "plateau"
    rows = run_rows(study)
    assert len(rows) >= 3 + 3 + 2
    for row in rows:
        requests = pd.read_parquet(study / "runs" / row["run_id"] / "requests.parquet")
        assert len(requests) >= int(row["completed"]) > 0
        assert (study / "runs" / row["run_id"] / "telemetry.parquet").is_file()
        assert (study / "runs" / row["run_id"] / "server.log").is_file()
    assert left_behind(str(folder)) == []

    again = sweeper("grid", "--study", "plateau", "--json", cwd=folder)
    assert again.json == answer  # complete: it prints its answer and runs nothing
    text = sweeper("recommend", "plateau", cwd=folder)
    assert text.code == 0
    assert "Recommended: 4 workers x 1 model thread" in text.out
    refused = sweeper("grid", "--study", "plateau", "--users", "81", cwd=folder)
    assert refused.code == 2
    assert "users is 80 in the study, 81 now" in refused.err


def test_flat_is_answered_with_the_smallest(folder: Path) -> None:
    done = sweeper(
        "grid", *truth("--service-ms", 20, "--shape", "flat", "--own-time"), *IN_TURNS, *THREE,
        "--workers", "1,4", "--json", cwd=folder,
    )  # fmt: skip
    assert (done.code, done.json["workers"], done.json["tied"]) == (0, 1, [1, 4]), done.err


def test_an_slo_overrules_throughput(folder: Path) -> None:
    """Above 4 slots the mean stays and the tail grows: only p99 can tell."""
    done = sweeper(
        "grid", *truth("--service-ms", 20, "--shape", "cliff:4"), *ALONE, *THREE,
        "--workers", "4,16", "--slo-p99", "800ms", "--json", cwd=folder,
    )  # fmt: skip
    assert (done.code, done.json["workers"]) == (0, 4), done.err


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        (("--pool", 4), "executor_workers = 4"),
        (("--pool", 4, "--lie"), "never more than 4"),
        (("--pool", 4, "--no-stats"), "thread count"),
    ],
    ids=["honest", "lying", "silent"],
)
def test_a_server_that_ignores_the_worker_count_is_named(
    folder: Path, options: tuple[object, ...], seen: str
) -> None:
    done = sweeper(
        "grid", *truth("--service-ms", 40, *options), *ALONE, *THREE,
        "--workers", "8,16", "--json", cwd=folder,
    )  # fmt: skip
    assert done.code == 1
    assert done.json["workers"] is None
    assert "pool-size-not-applied" in [finding["code"] for finding in done.json["findings"]]
    assert seen in done.json["reason"]
    assert len(list((folder / "studies").glob("*/runs/*"))) <= 2


def test_fast_failures_are_never_recommended(folder: Path) -> None:
    done = sweeper(
        "grid", *truth("--service-ms", 20, "--fail-share", 0.3), *ALONE, *THREE,
        "--workers", "2,8", "--json", cwd=folder,
    )  # fmt: skip
    assert (done.code, done.json["status"], done.json["workers"]) == (1, "infeasible", None)
    assert "failed" in done.json["reason"]


def test_a_server_that_dies_under_load_ends_the_study_with_its_name(folder: Path) -> None:
    done = sweeper(
        "grid", *truth("--service-ms", 20, "--die-after", 60), *ALONE, *THREE,
        "--workers", "2,8", "--json", cwd=folder,
    )  # fmt: skip
    assert done.code == 1
    assert "server-died" in [finding["code"] for finding in done.json["findings"]]
    assert left_behind(str(folder)) == []


def test_a_server_that_never_starts_is_said_so(folder: Path) -> None:
    done = sweeper(
        "grid", *truth("--hang-at-start"), *ALONE, *THREE, "--start-timeout", "2s",
        "--workers", "2,8", "--json", cwd=folder,
    )  # fmt: skip
    assert done.code == 1
    assert "every run failed" in done.json["reason"]
    assert left_behind(str(folder)) == []
