"""Code dirs made in the tests: a small scikit-learn model, its artifact, hooks."""

from __future__ import annotations

import pickle
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

COLUMNS = ["a", "b", "c"]


def rows(number: int = 7) -> pd.DataFrame:
    values = np.random.default_rng(4).normal(size=(number, len(COLUMNS)))
    return pd.DataFrame(values, columns=COLUMNS)


def regression() -> LinearRegression:
    data = rows(40)
    return LinearRegression().fit(data, data["a"] * 3 - data["b"] + 0.25)


def csv(frame: pd.DataFrame | None = None) -> bytes:
    return (rows() if frame is None else frame).to_csv(index=False).encode()


def expected(frame: pd.DataFrame | None = None) -> list[float]:
    return [float(value) for value in regression().predict(rows() if frame is None else frame)]


def folder(path: Path, custom: str | None = None, *, artifact: bool = True) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    if artifact:
        (path / "model.pkl").write_bytes(pickle.dumps(regression()))
    if custom is not None:
        (path / "custom.py").write_text(textwrap.dedent(custom))
    return path


LIGHT = """
import pandas as pd

class Light:
    def predict(self, data):
        return data["a"] * 3 - data["b"] + 0.25

def load_model(code_dir):
    return Light()

def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": model.predict(data)})
"""


def light(path: Path, custom: str = "") -> Path:
    """A model for which the server imports no framework, so that it starts in half the time."""
    return folder(path, LIGHT + textwrap.dedent(custom), artifact=False)


def light_expected(number: int = 7) -> list[float]:
    frame = rows(number)
    return list(frame["a"] * 3 - frame["b"] + 0.25)
