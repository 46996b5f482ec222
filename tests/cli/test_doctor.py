"""`sweeper doctor`: the table and the JSON on this machine, and its warnings before a study."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeper.cli.main import main

STATES = {"ok", "warning", "unavailable", "impossible"}
PLAN = ["grid", "--launcher", "command", "--server-command", "true {port}", "--data", "rows.csv", "--dry-run"]


@pytest.fixture
def one_core() -> Iterator[None]:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    yield
    os.sched_setaffinity(0, allowed)


def test_every_check_for_machines_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--no-noise", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.out.count("\n") == 1 and printed.err == ""
    found = json.loads(printed.out)
    assert (found["schema_version"], found["fit"], found["noise"]) == (1, True, None)
    checks = {check["check"]: check for check in found["checks"]}
    assert list(checks) == [
        "cores", "affinity", "CPU quota", "governor", "turbo", "other load", "steal", "open files", "ports",
        "PSI", "schedstat", "locust", "DRUM",
    ]  # fmt: skip
    assert {check["state"] for check in checks.values()} <= STATES
    assert checks["cores"]["seen"].startswith(f"{os.cpu_count()} core")
    assert all(check["seen"] and check["why"] for check in checks.values())


def test_the_same_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--no-noise"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["state", "what", "seen"]
    assert [line.split()[0] for line in lines if "locust " in line] == ["ok"]
    assert lines[-1].startswith("A study can be run here")


@pytest.mark.needs("two cores")
def test_a_dry_run_warns_on_stderr(
    one_core: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("a,b\n1,2\n")
    assert main(PLAN) == 0
    printed = capsys.readouterr()
    assert "warning" not in printed.out
    (line,) = [line for line in printed.err.splitlines() if "affinity" in line]
    assert line.startswith("sweeper: warning: affinity: cores ")
    assert f"taskset -pc 0-{os.cpu_count() - 1} $$" in line
    assert all(line.startswith("sweeper: warning: ") for line in printed.err.splitlines())


@pytest.mark.needs("namespaces")
def test_without_a_loopback_no_study_can_be_run() -> None:
    """In a network namespace whose loopback is down."""
    command = ["unshare", "--net", sys.executable, "-m", "sweeper", "doctor", "--noise", "2s"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1].startswith("No study can be run here: ports: no server")
    assert "noise" not in done.stderr
