"""`sweeper train`: the four models to sweep with, each a folder that DRUM can serve.

`spec` says what to train, `target` whether it may be put there, `synthetic` makes the data, `estimators`
fits, `measure` (a process of its own) takes the cost of one predict, `model_folder` reads and writes
`model.json`, `publish` puts the finished folder in place in one step, and `build` runs these in order.
Nothing here prints: progress goes to a callback.
"""

from sweeper.training.build import TrainingProgress, train
from sweeper.training.model_folder import TrainedModel, describe, is_up_to_date
from sweeper.training.spec import ModelKind, ModelSpec, default_spec

__all__ = [
    "ModelKind",
    "ModelSpec",
    "TrainedModel",
    "TrainingProgress",
    "default_spec",
    "describe",
    "is_up_to_date",
    "train",
]
