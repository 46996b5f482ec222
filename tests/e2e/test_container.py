"""Studies of servers in real containers: a whole one in turns, and one whose sweeper is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest

from tests.support.commands import (
    IN_TURNS,
    OWN_HOST,
    TIMEOUT_S,
    Finished,
    environment,
    run_rows,
    wait_until_gone,
)
from tests.support.containers import PUBLISHED, containers, remove, server_command, wait_until_removed

pytestmark = [pytest.mark.e2e, pytest.mark.needs("containers", "namespaces")]
THREE = ("--min-blocks", "3", "--max-blocks", "8", "--no-confirm", "--data", "rows.csv", "--json")


@pytest.fixture
def marked(folder: Path) -> Iterator[Path]:
    yield folder
    remove(folder)


def in_containers(mark: Path, *server: object, options: tuple[str, ...]) -> tuple[str, ...]:
    command = server_command(*server, options=options, mark=mark)
    return ("--launcher", "command", "--server-command", command)


def begun(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """`sweeper` on a host of its own: what engines do to the network of theirs is gone with it."""
    return subprocess.Popen(
        [*OWN_HOST, *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> Finished:
    try:
        out, err = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    assert "Traceback" not in err, err
    return Finished(process.returncode, out, err)


def test_a_whole_study_in_turns_with_published_ports(marked: Path) -> None:
    """Each server listens on port 8080 of a network of its own."""
    arguments = (
        "grid",
        *in_containers(
            marked, "--service-ms", 40, "--shape", "plateau:4", "--own-time",
            options=(*PUBLISHED, "--cpus", "1"),
        ),
        *IN_TURNS, *THREE, "--workers", "1,4", "--study", "contained",
    )  # fmt: skip
    done = finished(begun(*arguments, cwd=marked))
    assert (done.code, done.json["status"], done.json["workers"]) == (0, "recommended", 4), done.err
    by_workers = {candidate["workers"]: candidate for candidate in done.json["candidates"]}
    # 40 ms a request: 25/s from one slot, of which a window of two seconds has 50; 100/s from the plateau.
    assert by_workers[1]["rps"]["mean"] == pytest.approx(25, rel=0.1)
    assert by_workers[4]["rps"]["mean"] == pytest.approx(100, rel=0.1)

    study = marked / "studies" / "contained"
    rows = run_rows(study)
    valid = [row for row in rows if row["verdict"] == "valid"]
    assert {row["workers"] for row in valid} == {"1", "4"}
    assert len(valid) >= 3 + 2
    assert "no-turns" not in {code for row in rows for code in row["findings"].split()}
    for row in valid:
        samples = pyarrow.parquet.read_table(study / "runs" / row["run_id"] / "telemetry.parquet").to_pydict()
        # The server is one process of one thread, and its control group counts periods; an engine's client
        # has many threads.
        assert {*samples["server_processes"], *samples["server_threads"]} == {1}
        assert None not in samples["cgroup_throttled_periods"]
        assert samples["server_user_cpu_s"][-1] > 0
    assert containers(marked) == []


def test_nothing_stays_behind_when_sweeper_is_killed(marked: Path) -> None:
    """While one of two containers stands still."""
    study = (
        "grid",
        *in_containers(
            marked, "--service-ms", 20, "--shape", "plateau:2", "--own-time", options=("--network", "host")
        ),
        *IN_TURNS, *THREE, "--workers", "1,2", "--study", "cut",
    )  # fmt: skip
    process = begun(*study, cwd=marked)
    deadline_s = time.monotonic() + 60
    while len(containers(marked, "--filter=status=running")) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    time.sleep(1.0)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert wait_until_removed(marked) == []
    assert wait_until_gone(marked) == []
    done = finished(begun(*study, cwd=marked))
    assert (done.code, done.json["workers"]) == (0, 2), done.err
    assert containers(marked) == []
