"""A process of its own: load a model's artifact and take the CPU time of one predict of its sample.

    python -P predict_cost.py FOLDER ARTIFACT

Run with one native thread (OMP_NUM_THREADS=1 and the like), it writes one line of JSON: `predict_cpu_ms`, the
median CPU time of the process, and `load_s`, the wall time of unpickling with its imports. A fresh
process, because that is where a server's predictions happen, and because native libraries read their thread
variables only once. It imports nothing from sweeper.
"""

from __future__ import annotations

import importlib.util
import json
import pickle
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

WARMUP_REPEATS = 3
REPEATS = 31


def predictor(folder: Path, model: Any) -> Callable[[pd.DataFrame], Any]:
    """What a server calls: the `score` hook where the folder has a custom.py, else the model's predict."""
    hooks = folder / "custom.py"
    if not hooks.exists():
        predict: Callable[[pd.DataFrame], Any] = model.predict
        return predict
    spec = importlib.util.spec_from_file_location("custom", hooks)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {hooks}")
    custom = importlib.util.module_from_spec(spec)
    sys.modules["custom"] = custom
    spec.loader.exec_module(custom)
    custom.init(folder)
    return lambda data: custom.score(data, model)


def measure(folder: Path, artifact: str) -> dict[str, float]:
    sample = pd.read_csv(folder / "sample.csv")
    started_s = time.perf_counter()
    with (folder / artifact).open("rb") as file:
        model = pickle.load(file)
    load_s = time.perf_counter() - started_s
    predict = predictor(folder, model)
    costs_ms = []
    for _ in range(WARMUP_REPEATS + REPEATS):
        before_s = time.process_time()
        predict(sample)
        costs_ms.append((time.process_time() - before_s) * 1000)
    return {"predict_cpu_ms": statistics.median(costs_ms[WARMUP_REPEATS:]), "load_s": load_s}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(Path(sys.argv[1]), sys.argv[2])) + "\n")
