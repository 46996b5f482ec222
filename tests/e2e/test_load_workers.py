"""A whole study whose load comes from `sweeper load-worker`s: its verdicts and its answer."""

from __future__ import annotations

import csv
import signal
from pathlib import Path

import pytest

from sweeper.launch.ports import free_port
from tests.support.commands import SHORT, TIMEOUT_S, Finished, left_behind, start, truth

pytestmark = pytest.mark.e2e
LOCUSTFILE = """
from locust import FastHttpUser, constant, task

class Caller(FastHttpUser):
    wait_time = constant(0.3)

    @task
    def predict(self):
        self.client.post("/predict/", data=b"1,2")
"""


@pytest.mark.parametrize("own", [False, True], ids=["built-in", "own locust file"])
def test_load_from_two_workers_gives_valid_runs_and_the_right_answer(folder: Path, own: bool) -> None:
    bind = f"127.0.0.1:{free_port()}"
    given: tuple[str, ...] = ()
    if own:
        (folder / "mine.py").write_text(LOCUSTFILE)
        given = ("--locustfile", "mine.py")
    study = start(
        "grid", *truth("--service-ms", 40, "--shape", "plateau:4", "--own-time"), *SHORT, *given,
        "--workers", "1,4", "--min-blocks", "3", "--max-blocks", "6", "--no-confirm", "--study", "far",
        "--expect-load-workers", "2", "--load-master-bind", bind, "--json", cwd=folder,
    )  # fmt: skip
    workers = [start("load-worker", "--master", bind, *given, cwd=folder) for _ in range(2)]
    try:
        out, err = study.communicate(timeout=TIMEOUT_S)
    finally:
        study.kill()
        for worker in workers:
            worker.send_signal(signal.SIGINT)
            worker.communicate(timeout=30)
    done = Finished(study.returncode, out, err)
    assert (done.code, done.json["status"], done.json["workers"]) == (0, "recommended", 4), err
    with (folder / "studies" / "far" / "runs.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert len([row for row in rows if row["verdict"] == "valid"]) >= 3 + 2, rows
    assert not [row for row in rows if "requests-elsewhere" in row["findings"]]
    assert left_behind(str(folder)) == []
