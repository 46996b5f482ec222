"""Ctrl-C and kill -9 in the middle of a study: nothing recorded is lost, nothing is left running."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.commands import (
    IN_TURNS,
    environment,
    recorded,
    start,
    sweeper,
    truth,
    wait_until_gone,
)
from tests.support.small_disk import fill, small_disk

pytestmark = pytest.mark.e2e
STUDY = (
    "grid", *truth("--service-ms", 20, "--shape", "plateau:2", "--own-time"), *IN_TURNS,
    "--min-blocks", "3", "--max-blocks", "8", "--workers", "1,2", "--study", "cut", "--json",
    "--no-confirm",
)  # fmt: skip


def wait_for_a_run(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while not recorded(folder) and time.monotonic() < deadline:
        time.sleep(0.1)


def run_for(seconds: float, folder: Path, number: int) -> tuple[int, str]:
    process = start(*STUDY, cwd=folder)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, number)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


def test_killed_four_times_a_study_still_ends_with_its_answer(folder: Path) -> None:
    """Some of its servers are stopped at that moment (SIGSTOP), and end all the same."""
    chance = random.Random(7)
    before: list[str] = []
    for _ in range(4):
        code, _err = run_for(chance.uniform(3.0, 11.0), folder, signal.SIGKILL)
        assert code == -signal.SIGKILL
        assert wait_until_gone(folder) == []
        now = recorded(folder)
        assert set(before) <= set(now)
        before = now
    done = sweeper(*STUDY, cwd=folder)
    assert (done.code, done.json["workers"]) == (0, 2), done.err
    runs = recorded(folder)
    assert set(before) <= set(runs)
    assert len(runs) == len(set(runs)) >= 2 + 2 + 1
    assert sorted(path.name for path in (folder / "studies" / "cut" / "runs").iterdir()) == runs


@pytest.mark.needs("mounts")
def test_a_full_disk_says_how_to_go_on_and_leaves_nothing(folder: Path) -> None:
    with small_disk(folder / "studies", "3m"):
        process = start(*STUDY, cwd=folder)
        wait_for_a_run(folder)
        fill(folder / "studies" / "else")
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1, err
        said = err.splitlines()[-1]
        assert said.startswith("sweeper: cannot write"), err
        assert "No space left on device" in said or "disk is full" in said, err  # a file, or the database
        assert "(all recorded runs are kept); to go on: sweeper grid --study cut" in said
        assert "Traceback" not in err
        assert wait_until_gone(folder) == []
        kept = recorded(folder)
        (folder / "studies" / "else").unlink()
        process = start("grid", "--study", "cut", cwd=folder)
        deadline = time.monotonic() + 60
        while len(recorded(folder)) <= len(kept) and time.monotonic() < deadline:
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        assert set(kept) < set(recorded(folder))
        assert wait_until_gone(folder) == []


STAYING = (
    "grid", *truth("--service-ms", 20, "--own-time", "--stays"), *IN_TURNS, "--workers", "1,2",
    "--study", "cut", "--no-confirm", "--verbose",
)  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_servers_that_stay_are_waited_for_together_until_a_second_signal(number: int, folder: Path) -> None:
    process = start(*STAYING, cwd=folder)
    assert process.stderr is not None
    said = []
    while not (said and " measuring, " in said[-1]):
        said.append(process.stderr.readline())
        assert said[-1], said
    os.kill(process.pid, number)
    while "waiting up to 10 s for 2 servers to stop; Ctrl-C again kills what is left" not in said[-1]:
        said.append(process.stderr.readline())
        assert said[-1], said
    time.sleep(1.0)  # a second signal within half a second is the first one again
    assert process.poll() is None
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.splitlines()[-1].endswith("every finished run is saved; to go on: sweeper grid --study cut")
    assert wait_until_gone(folder) == []


@pytest.mark.parametrize("module", ["typer", "pydantic", "sqlalchemy", "numpy", "pandas"])
def test_an_interrupt_at_the_very_beginning_is_one_sentence(module: str, folder: Path) -> None:
    """While it imports: the interpreter says what it has just imported."""
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "sweeper", *STUDY],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    line = "before"
    while line and line.rsplit(maxsplit=1)[-1] != module and "block 1" not in line:
        line = process.stderr.readline()
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    said = [line for line in err.splitlines() if line and not line.startswith("import time:")]
    assert [line.partition(";")[0].partition(":")[0] for line in said] == ["sweeper"]
    assert "interrupted" in said[0]
    assert wait_until_gone(folder) == []


def test_an_interrupt_saves_says_how_to_go_on_and_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start(*STUDY, cwd=folder)
    wait_for_a_run(folder)
    time.sleep(1.5)  # into the next run
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "sweeper grid --study cut" in err
    assert wait_until_gone(folder) == []
    kept = recorded(folder)
    assert kept
    half = sweeper("recommend", "cut", "--format", "json", cwd=folder)
    assert '"complete": false' in half.out
    refused = sweeper("grid", "--study", "cut", "--users", "9", "--dry-run", cwd=folder)
    assert (refused.code, "users is 80 in the study, 9 now" in refused.err) == (2, True)
    monkeypatch.setenv("DRUM_UVICORN_LOOP", "asyncio")
    refused = sweeper("grid", "--study", "cut", cwd=folder)
    assert refused.code == 2
    assert "begun in another environment (variables.DRUM_UVICORN_LOOP was absent, is asyncio)" in refused.err
    assert recorded(folder) == kept
