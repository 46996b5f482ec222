"""The real DRUM: it starts with what we set, says that it has no pool, and leaves nothing behind."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from sklearn.linear_model import LinearRegression

from sweeper.errors import PoolNotAppliedError
from sweeper.launch import DrumLauncher, LaunchOptions
from sweeper.records.configuration import Configuration
from sweeper.records.observations import PoolStats
from sweeper.telemetry import ProcTelemetry

pytestmark = pytest.mark.needs("drum")


@pytest.fixture
def code_dir(tmp_path):
    features = pd.DataFrame(np.eye(3), columns=["a", "b", "c"])
    folder = tmp_path / "model"
    folder.mkdir()
    with (folder / "model.pkl").open("wb") as file:
        pickle.dump(LinearRegression().fit(features, [1.0, 2.0, 3.0]), file)
    return folder


def test_released_drum_does_not_apply_the_pool(code_dir, tmp_path):
    launcher = DrumLauncher(code_dir, LaunchOptions(drum_arguments=("--target-type", "regression")))
    server = launcher.start(Configuration(workers=8, processes=2), tmp_path / "server.log")
    try:
        server.wait_ready(60)
        family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        environ = family[-1].environ()
        pool = json.loads(environ["MLOPS_RUNTIME_PARAM_DRUM_FASTAPI_EXECUTOR_WORKERS"])
        assert (pool["payload"], environ["OMP_NUM_THREADS"]) == (8, "1")
        # gunicorn's master and two workers
        assert ProcTelemetry().attach(server.pid, 0).sample().server_processes >= 3
        assert server.pool_stats() == PoolStats()
        with pytest.raises(PoolNotAppliedError, match=r"DRUM \d\S* serves with flask, not with fastapi"):
            launcher.check_pool_applied(server)
    finally:
        ended = server.stop(grace_s=20)
    assert not ended.killed
    assert psutil.wait_procs(family, timeout=5)[1] == []
    assert "gunicorn" in Path(tmp_path / "server.log").read_text().lower()
