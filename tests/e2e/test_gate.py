"""Whole searches where the gate before the pool matters: FastAPI's own gate, and a model that sleeps.

The model answers in 60 ms while four requests are with it, and in as much more as there are more than that:
its pool has eight threads, which a gate of four protects.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
import yaml

from tests.support.commands import left_behind, sweeper

pytestmark = pytest.mark.e2e
GATE, POOL = "DRUM_MAX_CONCURRENT_REQUESTS", "DRUM_FASTAPI_EXECUTOR_WORKERS"
HOOKS = """
    import threading
    import time

    import pandas as pd

    lock, inside = threading.Lock(), 0

    def load_model(code_dir):
        return object()

    def score(data, model, **kwargs):
        global inside
        with lock:
            inside += 1
            crowd = inside
        time.sleep(0.06 * max(1.0, (crowd / 4) ** 2))
        with lock:
            inside -= 1
        return pd.DataFrame({"Predictions": [1.0] * len(data)})
"""
SEARCH = (
    "optimize", "--workers", "8", "--tune", f"{GATE}=4,8", "--trials", "2", "--users", "20",
    "--code-dir", "code", "--data", "rows.csv", "--target-type", "regression", "--no-interleave",
    "--no-confirm", "--search-window", "2s", "--window", "2s", "--warmup", "1s", "--warmup-cap", "8s",
    "--drain", "5s", "--min-blocks", "3", "--max-blocks", "6", "--study", "gate",
)  # fmt: skip


def test_the_gate_that_is_searched_is_found_and_pasted(folder: Path) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "custom.py").write_text(textwrap.dedent(HOOKS))
    plan = sweeper(*SEARCH, "--dry-run", cwd=folder)
    assert f"{GATE} 4,8: 2 configurations" in plan.out and "raised" not in plan.out
    done = sweeper(*SEARCH, "--json", cwd=folder)
    assert left_behind(str(folder)) == []
    assert done.out, done.err
    found = done.json
    assert (done.code, found["status"], found["workers"]) == (0, "recommended", 8), done.err
    assert found["runtime_parameters"] == {POOL: 8, GATE: 4}
    tried = {trial["parameters"][GATE]: trial["rps"] for trial in found["search"]["trials"]}
    assert tried[4] > tried[8]
    assert not [f for f in found["findings"] if f["code"] == "gated"]
    env = sweeper("recommend", "gate", "--format", "env", cwd=folder).out
    assert f'{GATE}=\'{{"type": "numeric", "payload": 4}}\'' in env
    values = sweeper("recommend", "gate", "--format", "drum-yaml", cwd=folder).out.partition("---")[0]
    assert yaml.safe_load(values) == {POOL: 8, GATE: 4}
    text = sweeper("recommend", "gate", cwd=folder).out
    assert f"Recommended: {POOL}=8 {GATE}=4" in text and "Gate:" not in text
