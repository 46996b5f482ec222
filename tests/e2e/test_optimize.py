"""A whole optimization with real locust against a server whose best pool size is known."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from tests.support.commands import IN_TURNS, left_behind, start, sweeper, truth

pytestmark = pytest.mark.e2e

SEARCH = (
    *(
        "--workers",
        "1..8",
        "--trials",
        "3",
        "--search-window",
        "2s",
        "--min-blocks",
        "3",
        "--max-blocks",
        "8",
    ),
    *("--no-confirm", "--study", "search"),
)


def test_a_search_finds_the_plateau_survives_a_kill_and_is_a_study_of_optunas(folder: Path) -> None:
    """Killed in its second round, gone on with: what was recorded is kept, and nothing is left running."""
    server = truth("--service-ms", 40, "--shape", "plateau:4", "--own-time")
    process = start("optimize", *server, *IN_TURNS, *SEARCH, cwd=folder)
    runs = folder / "studies" / "search" / "runs.csv"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if runs.is_file() and len(runs.read_text().splitlines()) >= 4:
            break
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = runs.read_text().splitlines()
    assert len(before) >= 4

    done = sweeper("optimize", "--study", "search", "--json", cwd=folder)
    answer = done.json
    assert left_behind(str(folder)) == []
    assert (done.code, answer["status"]) == (0, "recommended"), done.err
    tried = {trial["workers"] for trial in answer["search"]["trials"]}
    assert tried == {1, 4, 8}
    assert answer["workers"] == 4, done.err
    assert set(before) <= set(runs.read_text().splitlines())

    study = optuna.load_study(study_name="search", storage=f"sqlite:///{folder / 'studies' / 'studies.db'}")
    assert len(study.trials) == 3
    assert {trial.state for trial in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    recorded = [run for trial in study.trials for run in trial.user_attrs["runs"]]
    lines = runs.read_text().splitlines()[1:]
    assert sorted(recorded) == sorted(line.split(",")[0] for line in lines)

    again = sweeper("recommend", "search", "--format", "json", cwd=folder)
    assert json.loads(again.out) == answer
    text = sweeper("recommend", "search", cwd=folder)
    assert "Search: 3 configurations of 8" in text.out
    other = sweeper("grid", "--study", "search", cwd=folder)
    assert other.code == 2
    assert "sweeper optimize" in other.err
