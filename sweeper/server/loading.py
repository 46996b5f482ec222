"""From a code dir to a Model. Slow (imports the model's framework); runs once, in a thread of its own."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweeper.server.code_dir import CodeDir
from sweeper.server.errors import StartError
from sweeper.server.hooks import describe, load_hooks
from sweeper.server.model import Model
from sweeper.server.turn import Turn


def load(code_dir: CodeDir) -> Model:
    """Import custom.py, run `init`, load the model. Raises StartError, whose text is the reason."""
    folder = str(code_dir.path)
    sys.path.append(folder)
    hooks = load_hooks(code_dir.custom)
    if hooks.load_model is None:
        code_dir.the_artifact()
    if hooks.init is not None:
        with explained(f"init in {code_dir.custom} failed"):
            hooks.init(code_dir=folder)
    if hooks.load_model is not None:
        with explained(f"load_model in {code_dir.custom} failed"):
            loaded = hooks.load_model(folder)
        if loaded is None:
            raise StartError(f"load_model in {code_dir.custom} returned None; it must return the model.")
    else:
        artifact = code_dir.the_artifact()
        with explained(f"The artifact {artifact} cannot be loaded"):
            loaded = load_artifact(artifact)
    if hooks.score is None and not callable(getattr(loaded, "predict", None)):
        raise StartError(
            f"The model in {code_dir.path} is a {type(loaded).__name__}, which has no predict method; "
            "add a score hook in custom.py."
        )
    turn = Turn(patience_s=sys.getswitchinterval())
    return Model(loaded, hooks, predict_function(loaded), None if hooks.score else framework(loaded), turn)


@contextmanager
def explained(what: str) -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit) as error:
        raise StartError(f"{what}: {describe(error)}.") from error


def load_artifact(artifact: Path) -> Any:
    """Unpickled for .pkl and .joblib; an XGBRegressor for XGBoost's own .json and .ubj."""
    suffix = artifact.suffix.lower()
    if suffix == ".pkl":
        with artifact.open("rb") as opened:
            return pickle.load(opened)
    if suffix == ".joblib":
        import joblib

        return joblib.load(artifact)
    import xgboost

    model = xgboost.XGBRegressor()
    model.load_model(artifact)
    return model


def predict_function(loaded: Any) -> Callable[[Any], Any]:
    """How to predict from a DataFrame: `predict`, but a bare Booster wants a DMatrix."""
    if framework(loaded) != "xgboost" or type(loaded).__name__ != "Booster":
        return getattr(loaded, "predict", None) or no_predict
    import xgboost

    return lambda data: loaded.predict(xgboost.DMatrix(data))


def no_predict(data: Any) -> Any:
    raise TypeError("the model has no predict method")


def framework(loaded: Any) -> str:
    """`xgboost`, `scikit-learn` or `python`, told without importing either."""
    packages = [kind.__module__.partition(".")[0] for kind in type(loaded).__mro__]
    steps = getattr(loaded, "steps", None)
    if steps and packages[0] == "sklearn":  # a pipeline is what its last step is, as in DRUM
        return framework(steps[-1][1])
    if "xgboost" in packages:
        return "xgboost"
    return "scikit-learn" if "sklearn" in packages else "python"
