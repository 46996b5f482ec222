"""Seeded data: the rows that a model is trained on, and those of its sample.csv."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeper.records.run import FloatArray
from sweeper.training.model_sizes import ModelSpec

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_ROWS = 100
"""Of sample.csv, which one request sends."""
NOISE_DEVIATION = 1.0


@dataclass(frozen=True, slots=True)
class Dataset:
    train_x: pd.DataFrame
    """Shape (rows, features)."""
    train_y: FloatArray
    """Shape (rows,)."""
    sample_x: pd.DataFrame
    """sample.csv: shape (SAMPLE_ROWS, features), not among the rows that are trained on."""


def feature_names(count: int) -> tuple[str, ...]:
    return tuple(f"feature_{number:02d}" for number in range(count))


def make_dataset(spec: ModelSpec) -> Dataset:
    """Friedman (1991), "Multivariate adaptive regression splines", problem 1, plus columns without effect.

    All features are uniform on [0, 1) with full precision, so 100 rows of 20 features are a CSV of 39 kB.
    """
    import pandas as pd
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(
        n_samples=spec.rows + SAMPLE_ROWS,
        n_features=spec.features,
        noise=NOISE_DEVIATION,
        random_state=spec.seed,
    )
    table = pd.DataFrame(x, columns=list(feature_names(spec.features)))
    return Dataset(
        train_x=table.iloc[: spec.rows],
        train_y=y[: spec.rows],
        sample_x=table.iloc[spec.rows :].reset_index(drop=True),
    )
