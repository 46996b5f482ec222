"""What a prediction costs without a server: pandas.read_csv and predict in one thread, and nothing else.

Usage: python -m tests.bench.bare CODE_DIR          reads SECONDS from stdin, answers with CPU ms a prediction
       python -m tests.bench.bare CODE_DIR --start  imports what the server imports, loads the model, and ends
"""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import Any


def load_model(code_dir: Path) -> Any:
    """The artifact with the library it was written with; straight, without a server's checks."""
    import fastapi
    import pandas as pd
    import uvicorn

    assert fastapi and pd and uvicorn
    (artifact,) = [path for path in code_dir.iterdir() if path.suffix in (".pkl", ".joblib", ".ubj")]
    if artifact.suffix == ".pkl":
        import pickle

        return pickle.loads(artifact.read_bytes())
    if artifact.suffix == ".joblib":
        import joblib

        return joblib.load(artifact)
    import xgboost

    model = xgboost.XGBRegressor()
    model.load_model(artifact)
    return model


def predictions(model: Any, csv: bytes, seconds: float) -> float:
    """CPU milliseconds of one prediction, averaged over about `seconds`."""
    import pandas as pd

    finished, cpu_s, end_s = 0, time.thread_time(), time.monotonic() + seconds
    while time.monotonic() < end_s:
        model.predict(pd.read_csv(io.BytesIO(csv)))
        finished += 1
    return (time.thread_time() - cpu_s) / finished * 1000


def main() -> None:
    code_dir = Path(sys.argv[1])
    model = load_model(code_dir)
    if "--start" in sys.argv:
        return
    csv = (code_dir / "sample.csv").read_bytes()
    predictions(model, csv, 0.5)
    for line in sys.stdin:
        print(predictions(model, csv, float(line)), flush=True)


if __name__ == "__main__":
    main()
