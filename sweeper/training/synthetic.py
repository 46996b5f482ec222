"""Seeded data to train on and to send: the Friedman function, where only five of the features matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeper.records import FloatArray
from sweeper.training.spec import SAMPLE_ROWS, ModelSpec

if TYPE_CHECKING:
    import pandas as pd

NOISE_DEVIATION = 1.0


@dataclass(frozen=True, slots=True)
class Dataset:
    """`train_x` of shape (rows, features), `train_y` (rows,); `sample_x` (100, features), kept out of it."""

    train_x: pd.DataFrame
    train_y: FloatArray
    sample_x: pd.DataFrame


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
