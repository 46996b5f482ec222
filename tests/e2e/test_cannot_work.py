"""Real servers that cannot work from 8 workers on: the answer is that of a study without these, in at most
one block more (tests/study/test_cannot_work.py goes through many more in the simulated world)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import ALONE, left_behind, run_rows, sweeper, truth
from tests.support.truth.sleep_server import BAD

pytestmark = pytest.mark.e2e

BLOCKS = ("--min-blocks", "3", "--max-blocks", "8", "--no-confirm")
SERVER = ("--service-ms", 40, "--shape", "plateau:2", "--bad-from", 8)
OTHERS_TAKE = 3  # blocks


STREAMED = """
from locust import {kind}, between, task

class Predicting({kind}):
    wait_time = between(0.1, 0.5)

    @task
    def predict(self):
        self.client.post("/predict/", data=b"a,b\\n1,2\\n")
"""


@pytest.mark.parametrize("kind", ["FastHttpUser", "HttpUser"])
def test_streams_without_an_end_do_not_cost_the_answer_either(kind: str, folder: Path) -> None:
    """Nothing looks at an answer before the load where the users are those of a locust file."""
    (folder / "mine.py").write_text(STREAMED.format(kind=kind))
    done = sweeper(
        "grid", *truth(*SERVER, "--bad", "streams"), *ALONE, *BLOCKS, "--workers", "1,2,8",
        "--locustfile", "mine.py", "--max-answer-size", "256KiB", "--study", "bad", "--json", cwd=folder,
    )  # fmt: skip
    answer = done.json
    others = [row["verdict"] for row in run_rows(folder / "studies" / "bad") if row["workers"] != "8"]
    if set(others) == {"valid"}:  # a busy machine makes any run suspect
        assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 2), done.err
    assert "failed" not in others
    (streams,) = (one for one in answer["candidates"] if one["workers"] == 8)
    assert (streams["state"], streams["why"]) == ("excluded", "100.0% of its requests failed (limit 1.0%)")
    (found,) = (one for one in answer["findings"] if one["code"] == "answers-too-long")
    assert "--max-answer-size" in found["message"]
    assert found["evidence"]["given_up_after_bytes"] > 256 * 1024
    assert left_behind(str(folder)) == []


@pytest.mark.parametrize("bad", BAD)
def test_a_value_that_cannot_work_does_not_cost_the_answer(bad: str, folder: Path) -> None:
    starts = folder / "starts"
    done = sweeper(
        "grid", *truth(*SERVER, "--bad", bad, "--starts", starts), *ALONE, *BLOCKS,
        "--workers", "1,2,8", "--study", "bad", "--json", cwd=folder,
    )  # fmt: skip
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 2), done.err
    rows = run_rows(folder / "studies" / "bad")
    spoilt = {row["block"] for row in rows if row["workers"] != "8" and row["verdict"] != "valid"}
    # A busy machine spoils a run of a value that works at times: that block counts for nobody.
    if not spoilt:
        assert max(int(row["block"]) for row in rows) <= OTHERS_TAKE + 1, done.err
    state = {candidate["workers"]: candidate["state"] for candidate in answer["candidates"]}[8]
    given_up = [one["workers"] for one in answer["could_not_be_measured"]]
    if bad == "suspect":
        assert (state, given_up) == ("unmeasured", [8])
        assert "8 could not be measured in 3 blocks: no valid run (gated" in answer["reason"]
    else:
        assert (state, given_up) == ("excluded", [])
    assert left_behind(str(folder)) == []
