"""A whole study whose load comes from `sweeper load-worker`s: its verdicts and its answer."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from sweeper.launch.ports import free_port
from tests.support.commands import SHORT, TIMEOUT_S, Finished, left_behind, run_rows, start, truth

pytestmark = pytest.mark.e2e
LOCUSTFILE = """
from locust import FastHttpUser, constant, task

class Caller(FastHttpUser):
    wait_time = constant(0.3)

    @task
    def predict(self):
        self.client.post("/predict/", data=b"1,2")
"""


SERVER = truth("--service-ms", 40, "--shape", "plateau:4", "--own-time")
FAR = ("--min-blocks", "3", "--max-blocks", "6", "--no-confirm", "--study", "far", "--json")


def study_of_two_workers(folder: Path, *options: object, given: Sequence[str] = ()) -> Finished:
    """`given` is for the study and both of its load workers. Nothing is left behind."""
    bind = f"127.0.0.1:{free_port()}"
    study = start(
        "grid", *options, *FAR, *given, "--expect-load-workers", "2", "--load-master-bind", bind, cwd=folder
    )
    workers = [start("load-worker", "--master", bind, *given, cwd=folder) for _ in range(2)]
    try:
        out, err = study.communicate(timeout=TIMEOUT_S)
    finally:
        study.kill()
        for worker in workers:
            worker.send_signal(signal.SIGINT)
            worker.communicate(timeout=30)
    assert left_behind(str(folder)) == []
    return Finished(study.returncode, out, err)


@pytest.mark.parametrize("own", [False, True], ids=["built-in", "own locust file"])
def test_load_from_two_workers_gives_valid_runs_and_the_right_answer(folder: Path, own: bool) -> None:
    (folder / "mine.py").write_text(LOCUSTFILE)
    done = study_of_two_workers(
        folder, *SERVER, *SHORT, "--workers", "1,4",
        given=("--locustfile", "mine.py") if own else (),
    )  # fmt: skip
    assert (done.code, done.json["status"], done.json["workers"]) == (0, "recommended", 4), done.err
    rows = run_rows(folder / "studies" / "far")
    assert len([row for row in rows if row["verdict"] == "valid"]) >= 3 + 2, rows
    assert not [row for row in rows if "requests-elsewhere" in row["findings"]]


def test_two_workers_climb_to_the_capacity(folder: Path) -> None:
    """Four slots of 30 ms take 111 requests/s with p99 within 120 ms, two take 46 (long simulations)."""
    done = study_of_two_workers(
        folder, *truth("--service-ms", 30, "--shape", "plateau:4", "--own-time"), "--workers", "2,4",
        "--objective", "capacity", "--slo-p99", 120, "--tolerance", 0.2, "--window", "3s", "--drain", "10s",
    )  # fmt: skip
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 4), done.err
    four = next(candidate for candidate in answer["candidates"] if candidate["workers"] == 4)
    assert four["capacity_rps"]["mean"] == pytest.approx(110.7, rel=0.15)


def test_two_workers_are_several_loads(folder: Path) -> None:
    """50 users, and 80, keep four slots of 40 ms busy: 100 requests/s under either load."""
    done = study_of_two_workers(
        folder, *SERVER, *SHORT, "--workers", "1,4",
        "--users", "50,80",
    )  # fmt: skip
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 4), done.err
    for one in answer["loads"]["under"]:
        four = next(candidate for candidate in one["candidates"] if candidate["workers"] == 4)
        assert four["rps"]["mean"] == pytest.approx(100, rel=0.05)
    assert {row["load"] for row in run_rows(folder / "studies" / "far")} == {"50.0", "80.0"}
