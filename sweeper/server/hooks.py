"""custom.py: a model's own functions, under the names and with the arguments DRUM calls them.

init(code_dir)                    once, before the model is loaded; by keyword, as DRUM does
load_model(code_dir)              the model, in place of unpickling the artifact
read_input_data(data: bytes)      the input for `transform` or the model, in place of reading a CSV
transform(data, model)            -> DataFrame
score(data, model, **kwargs)      -> DataFrame with the column `Predictions`
post_process(predictions, model)  DataFrame `Predictions` -> DataFrame
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from sweeper.server.errors import StartError

Hook = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Hooks:
    init: Hook | None = None
    read_input_data: Hook | None = None
    load_model: Hook | None = None
    transform: Hook | None = None
    score: Hook | None = None
    post_process: Hook | None = None


def load_hooks(custom: Path | None) -> Hooks:
    """Import custom.py as the module `custom` and take the hooks it has. Raises StartError."""
    if custom is None:
        return Hooks()
    sys.path.insert(0, str(custom.parent))
    spec = importlib.util.spec_from_file_location("custom", custom)
    if spec is None or spec.loader is None:
        raise StartError(f"{custom} cannot be imported as a Python module.")
    module = importlib.util.module_from_spec(spec)
    sys.modules["custom"] = module  # so that pickled objects of its classes are found
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise StartError(f"{custom} cannot be imported: {describe(error)}.") from error
    found = {field.name: getattr(module, field.name, None) for field in fields(Hooks)}
    for name, hook in found.items():
        if hook is not None and not callable(hook):
            raise StartError(f"{name} in {custom} is a {type(hook).__name__}; a hook must be a function.")
    return Hooks(**found)


def describe(error: BaseException) -> str:
    """An exception in one line, e.g. `ValueError: no such file`."""
    text = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
