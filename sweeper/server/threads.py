"""DRUM's predictor was written for one request at a time: what its requests share is kept apart here.

What only a model's author can mend is in docs/reference/drum.md: hooks that change what they share, and what
belongs to the thread that loaded the model (a database connection, `sklearn.set_config`, signals).
"""

from __future__ import annotations

import threading
from typing import Any


class PerThread:
    """An attribute that every thread has for itself, None until it is set there."""

    def __init__(self) -> None:
        self._values: dict[tuple[int, int], object] = {}

    def __get__(self, owner: object, kind: type | None = None) -> object:
        return self._values.get((id(owner), threading.get_ident()))

    def __set__(self, owner: object, value: object) -> None:
        self._values[id(owner), threading.get_ident()] = value


def one_at_a_time(kind: type, name: str) -> None:
    """Let the method `name` of `kind` run in one thread only, whichever it is."""
    method, lock = getattr(kind, name), threading.Lock()

    def locked(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return method(*args, **kwargs)

    setattr(kind, name, locked)


def make_safe_for_threads() -> None:
    """Before a model is loaded."""
    from datarobot_drum.drum.artifact_predictors.artifact_predictor import ArtifactPredictor
    from datarobot_mlops.channel.output_channel_queue import (  # type: ignore[import-untyped]
        OutputChannelQueueSync,
    )

    # Each request notes its labels in the predictor that all share, and clears them first: a binary model
    # then fails now and then with "argument of type 'NoneType' is not iterable".
    for name in ("class_labels", "target_type"):
        setattr(ArtifactPredictor, name, PerThread())
    # --monitor-settings: files and buffers that are written without a lock.
    one_at_a_time(OutputChannelQueueSync, "submit")
