"""The scenarios end to end, in a short form: our FastAPI server against the real DRUM with gunicorn.

The model sleeps 60 ms for each prediction, which is known truth for both: one gunicorn worker answers 17
requests/s at most, and four threads four times as many.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.commands import left_behind, start, sweeper

pytestmark = [pytest.mark.e2e, pytest.mark.needs("drum")]

SLEEPER = """
import time
import pandas as pd

def load_model(code_dir):
    return object()

def score(data, model, **kwargs):
    time.sleep(0.06)
    return pd.DataFrame({"Predictions": [0.5] * len(data)})
"""
ASKED = (
    "scenarios", "--workload", "io", "--code-dir", "sleeper", "--target-type", "regression",
    "--data", "rows.csv", "--concurrency", "20",
    "--max-users", "16", "--window", "2s", "--warmup", "1s", "--warmup-cap", "5s", "--drain", "5s",
    "--min-blocks", "2", "--max-blocks", "2", "--study", "both",
)  # fmt: skip


@pytest.fixture
def home(folder: Path) -> Path:
    (folder / "sleeper").mkdir()
    (folder / "sleeper" / "custom.py").write_text(SLEEPER)
    return folder


def test_interrupted_and_gone_on_with_it_says_what_held(home: Path) -> None:
    process = start(*ASKED, cwd=home)
    runs = home / "studies" / "both" / "runs.csv"
    deadline_s = time.monotonic() + 90
    while not runs.is_file() and time.monotonic() < deadline_s:
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (130, False), err
    assert "sweeper scenarios --study both" in err
    kept = runs.read_text().splitlines()

    done = sweeper("scenarios", "--study", "both", "--json", cwd=home)
    assert left_behind(str(home)) == []
    assert done.code == 0, done.err
    assert set(kept) <= set(runs.read_text().splitlines())
    seen = done.json
    assert seen["complete"] and seen["blocks"] == {"single": 2, "concurrent": 2}
    assert json.loads((home / "studies" / "both" / "scenarios.json").read_text()) == seen

    loads = {load["users"]: load for load in seen["loads"]}
    for load in loads.values():
        assert [(one["server"], one["failed_runs"]) for one in load["servers"]] == [
            ("fastapi", 0),
            ("gunicorn", 0),
        ]
    for server in loads[1]["servers"]:
        assert server["figures"]["p50_ms"]["mean"] > 60
        assert server["figures"]["peak_rss_bytes"]["mean"] > 5e7
    fastapi, gunicorn = (server["figures"]["rps"]["mean"] for server in loads[20]["servers"])
    assert gunicorn < 17 < fastapi  # what one worker can do, and what 20 users ask of four
    verdicts = {one["code"]: one["verdict"] for one in seen["hypotheses"]}
    assert verdicts.keys() == {"lower-p99", "higher-throughput"} and "not held" not in verdicts.values()
    assert [(one["server"], one["last_good_users"], one["limit"]) for one in seen["stress"]] == [
        ("fastapi", 16, "users"), ("gunicorn", 16, "users"),
    ]  # fmt: skip
    text = sweeper("scenarios", "--study", "both", cwd=home)
    assert "higher throughput when I/O-bound" in text.out and "stress: gunicorn sustains 16 users" in text.out
