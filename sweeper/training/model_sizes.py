"""What to train: the kind of model, its sizes and its seed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sweeper.errors import UsageError

MIN_FEATURES = 5  # the Friedman function reads five of them (estimators.py)
MAX_SEED = 2**32 - 1  # numpy's and scikit-learn's limit
MAX_DEPTH = 64


class ModelKind(StrEnum):
    XGBOOST = "xgboost"
    RANDOM_FOREST = "random-forest"
    SKLEARN_REGRESSION = "sklearn-regression"
    IO_BOUND = "io-bound"

    @property
    def has_trees(self) -> bool:
        return self in (ModelKind.XGBOOST, ModelKind.RANDOM_FOREST)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model to train; valid by construction (raises UsageError).

    The same spec under the same library versions gives the same predictions.
    """

    kind: ModelKind
    seed: int
    """Of the data and of the training."""
    trees: int | None
    """None for kinds without trees."""
    depth: int | None
    """The limit of each tree's depth; None for kinds without trees."""
    rows: int
    """To train on."""
    features: int
    """Columns, all of them numbers."""

    def __post_init__(self) -> None:
        kind = parse_kind(self.kind)
        object.__setattr__(self, "kind", kind)  # a plain string is welcome, too
        if not 0 <= self.seed <= MAX_SEED:
            raise UsageError(f"seed must be from 0 to {MAX_SEED}, not {self.seed}")
        if self.rows < 1:
            raise UsageError(f"rows must be at least 1, not {self.rows}")
        if self.features < MIN_FEATURES:
            raise UsageError(f"features must be at least {MIN_FEATURES}, not {self.features}")
        for name, value in (("trees", self.trees), ("depth", self.depth)):
            if not kind.has_trees and value is not None:
                raise UsageError(f"a {kind} model has no trees: leave {name} out (it was {value})")
            if kind.has_trees and value is None:
                raise UsageError(f"a {kind} model needs {name}, a number of at least 1")
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1, not {value}")
        if self.depth is not None and self.depth > MAX_DEPTH:
            raise UsageError(f"depth must be at most {MAX_DEPTH}, not {self.depth}")


def parse_kind(name: str) -> ModelKind:
    """The kind of that name; raises UsageError naming those there are."""
    try:
        return ModelKind(name)
    except ValueError:
        raise UsageError(f"unknown model {name!r}: use one of {', '.join(ModelKind)}") from None


def default_spec(kind: str) -> ModelSpec:
    """The sizes `sweeper train --model KIND` uses; raises UsageError for an unknown kind.

    Measured so that one predict of the 100-row sample costs 15 to 40 ms of one core for the two kinds with
    trees and under 2 ms for the others, and training takes well under a minute (models/README.md has the
    figures). Change sizes with `dataclasses.replace`.
    """
    return _DEFAULTS[parse_kind(kind)]


_DEFAULTS = {
    ModelKind.XGBOOST: ModelSpec(ModelKind.XGBOOST, seed=0, trees=8000, depth=6, rows=4000, features=20),
    ModelKind.RANDOM_FOREST: ModelSpec(
        ModelKind.RANDOM_FOREST, seed=0, trees=260, depth=24, rows=4000, features=20
    ),
    ModelKind.SKLEARN_REGRESSION: ModelSpec(
        ModelKind.SKLEARN_REGRESSION, seed=0, trees=None, depth=None, rows=4000, features=20
    ),
    ModelKind.IO_BOUND: ModelSpec(ModelKind.IO_BOUND, seed=0, trees=None, depth=None, rows=4000, features=20),
}
