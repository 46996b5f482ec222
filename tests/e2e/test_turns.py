"""Whole studies of servers that wait for something outside, and of locust files that keep their own time."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.commands import SHORT, Finished, run_rows, sweeper, truth
from tests.support.load_sessions import BY_UPTIME

pytestmark = pytest.mark.e2e

# Half of three blocks of a machine that others use may be suspect for their sake.
BLOCKS = ("--min-blocks", "3", "--max-blocks", "8", "--no-confirm")


def findings(folder: Path, study: str) -> list[tuple[int, str, str, list[str]]]:
    """Block, workers, verdict and codes of each run."""
    rows = run_rows(folder / "studies" / study)
    return [(int(row["block"]), row["workers"], row["verdict"], row["findings"].split()) for row in rows]


def made(done: Finished) -> dict[str, object]:
    found: dict[str, object] = done.json["blocks_made"]
    return found


def test_a_server_that_sleeps_loses_no_block(folder: Path) -> None:
    done = sweeper(
        "grid", *truth("--service-ms", 40, "--shape", "plateau:4"), *SHORT, *BLOCKS,
        "--workers", "1,4,8", "--study", "sleeps", "--json", cwd=folder,
    )  # fmt: skip
    assert (done.code, done.json["status"], done.json["workers"]) == (0, "recommended", 4), done.err
    assert "outside-waits" not in done.err
    assert made(done)["in_turns"] is False
    assert "waited" in str(made(done)["why"])
    assert "one after another" in done.err
    by_workers = {candidate["workers"]: candidate for candidate in done.json["candidates"]}
    assert by_workers[1]["rps"]["mean"] == pytest.approx(25, rel=0.1)
    assert by_workers[4]["rps"]["mean"] == pytest.approx(100, rel=0.1)
    text = sweeper("recommend", "sleeps", "--verbose", cwd=folder)
    assert "Blocks: in the trial before the first block" in text.out
    assert json.loads(sweeper("recommend", "sleeps", "--format", "json", cwd=folder).out) == done.json


def test_a_server_that_computes_keeps_its_turns(folder: Path) -> None:
    command = f"{sys.executable} -m tests.support.truth.burning_server --port {{port}} --workers {{workers}}"
    done = sweeper(
        "grid", "--launcher", "command", "--server-command", f"{command} --cpu-ms 5", "--data", "rows.csv",
        *SHORT, "--workers", "1,4", "--min-blocks", "2", "--max-blocks", "2", "--no-confirm",
        "--study", "computes", "--json", cwd=folder,
    )  # fmt: skip
    assert made(done)["in_turns"] is True, done.err
    assert "the runs of a block take turns" in done.err


def test_a_locust_file_whose_clock_goes_on_is_seen_and_answered_without_turns(folder: Path) -> None:
    (folder / "paced.py").write_text(BY_UPTIME)
    done = sweeper(
        "grid", *truth("--service-ms", 2, "--own-time"), "--locustfile", "paced.py", *BLOCKS,
        "--users", 10, "--window", "6s", "--warmup", "1s", "--warmup-cap", "6s",
        "--workers", "1,4", "--study", "paced", "--json", cwd=folder,
    )  # fmt: skip
    runs = findings(folder, "paced")
    in_turns = [run for run in runs if "outside-clock" in run[3]]
    assert in_turns, (done.err, runs)
    assert all(verdict == "suspect" for _, _, verdict, _ in in_turns)
    assert "uses a clock that keeps running" in done.err
    assert made(done)["in_turns"] is False
    assert "outside-clock" in str(made(done)["why"])
    assert (done.code, done.json["workers"]) == (0, 1), done.err
    for candidate in done.json["candidates"]:
        assert candidate["rps"] is None or candidate["rps"]["mean"] == pytest.approx(30, rel=0.1)


def test_a_server_whose_time_limits_run_on_is_answered_without_turns(folder: Path) -> None:
    """It resets connections that were idle for 0.7 s: so long they are only in the others' turns."""
    done = sweeper(
        "grid", *truth("--service-ms", 40, "--shape", "plateau:4", "--own-time", "--idle-limit-s", 0.7),
        "--interleave", *BLOCKS, "--users", 40, "--window", "5s", "--warmup", "1s", "--warmup-cap", "6s",
        "--workers", "1,4", "--study", "idle", "--json", cwd=folder,
    )  # fmt: skip
    runs = findings(folder, "idle")
    in_turns = [run for run in runs if "server-clock" in run[3]]
    assert in_turns, (done.err, runs)
    assert all(verdict == "suspect" for _, _, verdict, _ in in_turns)
    assert made(done)["in_turns"] is False
    assert "server-clock" in str(made(done)["why"])
    assert (done.code, done.json["workers"]) == (0, 4), done.err
    best = next(candidate for candidate in done.json["candidates"] if candidate["workers"] == 4)
    assert best["error_rate"] == 0
    assert best["rps"]["mean"] == pytest.approx(100, rel=0.1)


@pytest.mark.parametrize("wait", ["constant_pacing(0.5)", "constant_throughput(2)", "between(0.1, 0.5)"])
def test_honest_files_keep_their_turns(folder: Path, wait: str) -> None:
    (folder / "honest.py").write_text(
        f"from locust import FastHttpUser, between, constant_pacing, constant_throughput, task\n"
        f"class Honest(FastHttpUser):\n"
        f"    wait_time = {wait}\n"
        f"    @task\n"
        f"    def predict(self):\n"
        f"        self.client.post('/predict/', data=b'a,b')\n"
    )
    done = sweeper(
        "grid", *truth("--service-ms", 2, "--own-time"), "--locustfile", "honest.py",
        "--users", 20, "--window", "6s", "--warmup", "1s", "--warmup-cap", "6s",
        "--workers", "1,4", "--min-blocks", "2", "--max-blocks", "2", "--no-confirm", "--study", "honest",
        "--json", cwd=folder,
    )  # fmt: skip
    codes = {code for _, _, _, found in findings(folder, "honest") for code in found}
    assert not {"outside-clock", "outside-waits"} & codes, done.err
    assert made(done)["in_turns"] is True
