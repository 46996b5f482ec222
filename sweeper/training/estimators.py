"""The estimator of each kind, a scikit-learn regressor that pickle can carry, and seeded data for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sweeper.records.run import FloatArray
from sweeper.training.model_sizes import ModelKind, ModelSpec

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


FOREST_STEPS = 40  # progress reports while a forest grows
OnFraction = Callable[[float], None]


class Regressor(Protocol):
    def predict(self, data: Any) -> FloatArray:
        """Predictions of shape (n,) for a table of shape (n, features)."""


def fit(spec: ModelSpec, data: Dataset, on_fraction: OnFraction) -> Regressor:
    """Train; `on_fraction` is told how much is done, from 0 to 1, never backwards."""
    match spec.kind:
        case ModelKind.XGBOOST:
            return _fit_xgboost(spec, data, on_fraction)
        case ModelKind.RANDOM_FOREST:
            return _fit_forest(spec, data, on_fraction)
        case ModelKind.SKLEARN_REGRESSION | ModelKind.IO_BOUND:
            return _fit_pipeline(data, on_fraction)


def _fit_xgboost(spec: ModelSpec, data: Dataset, on_fraction: OnFraction) -> Regressor:
    import xgboost

    class Rounds(xgboost.callback.TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            on_fraction((epoch + 1) / (spec.trees or 1))
            return False

    model = xgboost.XGBRegressor(
        n_estimators=spec.trees,
        max_depth=spec.depth,
        # So slow that the residual never runs out: otherwise the later trees are stumps that cost nothing.
        learning_rate=0.001,
        max_bin=64,
        tree_method="hist",
        random_state=spec.seed,
        # Same trees as with more threads; on data this small and cores this shared, one is also the fastest.
        n_jobs=1,
        verbosity=0,
        callbacks=[Rounds()],
    )
    model.fit(data.train_x, data.train_y)
    model.set_params(callbacks=None, n_jobs=None)
    # The pickled booster carries its thread count, a cap on OMP_NUM_THREADS from then on; 0 is no cap.
    model.get_booster().set_param({"nthread": 0})
    return model


def _fit_forest(spec: ModelSpec, data: Dataset, on_fraction: OnFraction) -> Regressor:
    import joblib
    from sklearn.ensemble import RandomForestRegressor

    trees = spec.trees or 1
    forest = RandomForestRegressor(
        max_depth=spec.depth,
        max_features="sqrt",
        random_state=spec.seed,
        n_jobs=joblib.cpu_count(),
        warm_start=True,
    )
    steps = min(trees, FOREST_STEPS)
    for step in range(1, steps + 1):
        grown = trees * step // steps
        forest.set_params(n_estimators=grown)
        forest.fit(data.train_x, data.train_y)
        on_fraction(grown / trees)
    forest.set_params(n_jobs=None, warm_start=False)
    return forest  # type: ignore[no-any-return]


def _fit_pipeline(data: Dataset, on_fraction: OnFraction) -> Regressor:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), Ridge())
    pipeline.fit(data.train_x, data.train_y)
    on_fraction(1.0)
    return pipeline  # type: ignore[no-any-return]
