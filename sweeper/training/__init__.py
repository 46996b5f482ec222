"""`sweeper train`: the four models to sweep with, each a folder that DRUM can serve.

    model_sizes.py       what to train: the kinds, how large each is by default
    estimators.py        makes the data (rows to train on, rows of sample.csv), and fits
    output_folder.py     may the model be put there; puts it in place in one step
    model_folder.py      reads and writes model.json
    predict_cost.py      a process of its own: what one predict costs
    io_bound_custom.py   becomes custom.py, the hooks of the io-bound model
    build.py             `train`, which runs these in order

Nothing here prints: progress goes to a callback.
"""

from sweeper.training.build import TrainingProgress, train
from sweeper.training.model_folder import TrainedModel, describe, is_up_to_date
from sweeper.training.model_sizes import ModelKind, ModelSpec, default_spec

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
