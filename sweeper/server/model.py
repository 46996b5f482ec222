"""A loaded model and one request's way through it, from bytes to JSON; runs in the pool's threads.

The order of things is DRUM's: read_input_data or CSV, transform, score or `predict`, post_process.
This module imports pandas, so it is imported only once the start has been found in order.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic_core import to_json

from sweeper.server.blame import fault_of_data
from sweeper.server.errors import RequestError
from sweeper.server.hooks import Hooks, describe
from sweeper.server.payload import Samples, read_samples
from sweeper.server.turn import Turn

COLUMN = "Predictions"
CSV_TYPES = (None, "text/csv", "text/plain")
TURN_BYTES = 1 << 18
"""Up to this size a CSV is read in turn; reading a longer one mostly happens outside the GIL."""

Vector = NDArray[np.float64]
log = logging.getLogger("sweeper.server")


@dataclass(frozen=True, slots=True)
class Model:
    """`loaded` is what the hooks get; `predict` maps a DataFrame of n rows to n numbers."""

    loaded: Any
    hooks: Hooks
    predict: Callable[[Any], Any]
    predictor: str | None
    """The framework's name as `/info/` gives it; None where `score` predicts."""
    turn: Turn

    def answer(self, content_type: str, body: bytes) -> bytes:
        """`{"predictions": [...]}` for a request's body. Raises RequestError."""
        samples = read_samples(content_type, body)
        data = self._read(samples)
        if self.hooks.transform is not None:
            data = self._frame("transform", data, self.loaded)
        extra: pd.DataFrame | None = None
        if self.hooks.score is None:
            predictions = self._predict(data)
        else:
            predictions, extra = self._score(data, samples)
        if self.hooks.post_process is not None:
            frame = self._frame("post_process", pd.DataFrame({COLUMN: predictions}), self.loaded)
            predictions = as_vector(frame, "post_process")
        return encode(predictions, extra)

    def _read(self, samples: Samples) -> Any:
        if self.hooks.read_input_data is not None:
            return self._call("read_input_data", samples.data)
        if samples.mimetype not in CSV_TYPES:
            raise RequestError(
                422,
                f"ERROR: payload format `{samples.mimetype}` is not supported; "
                "send CSV, or give the model a `read_input_data` hook that reads it.",
            )
        if len(samples.data) > TURN_BYTES:
            return read_csv(samples.data)
        return self.turn.take(read_csv, samples.data)

    def _predict(self, data: Any) -> Vector:
        try:
            predictions = self.predict(data)
        except Exception as error:
            fault = None if self.hooks.transform else fault_of_data(data, self.loaded, error)
            if fault is not None:
                raise RequestError(422, f"ERROR: {fault}") from error
            raise failure("Failure when making predictions.", error) from error
        return as_vector(predictions, "predict")

    def _score(self, data: Any, samples: Samples) -> tuple[Vector, pd.DataFrame | None]:
        frame = self._frame(
            "score",
            data,
            self.loaded,
            target_type="regression",
            binary_data=samples.data,
            mimetype=samples.mimetype,
            charset=samples.charset,
            sparse_colnames=None,
        )
        if len(frame.columns) == 1:
            return as_vector(frame, "score"), None
        if COLUMN not in frame:
            found = ", ".join(map(str, frame.columns)) or "none"
            raise RequestError(500, f"ERROR: score must return the column {COLUMN}; it returned {found}.")
        return as_vector(frame[COLUMN], "score"), frame.drop(columns=COLUMN)

    def _frame(self, hook: str, *args: Any, **kwargs: Any) -> pd.DataFrame:
        frame = self._call(hook, *args, **kwargs)
        if not isinstance(frame, pd.DataFrame):
            kind = type(frame).__name__
            raise RequestError(500, f"ERROR: {hook} must return a DataFrame, but it returned a {kind}.")
        return frame

    def _call(self, hook: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(self.hooks, hook)(*args, **kwargs)
        except Exception as error:
            raise failure(f"Model '{hook}' hook failed.", error) from error


def read_csv(data: bytes) -> pd.DataFrame:
    """As DRUM reads it: in a single column a blank line is a missing value. Raises RequestError (422)."""
    try:
        frame = pd.read_csv(io.BytesIO(data))
        if frame.shape[1] == 1:
            frame = pd.read_csv(io.BytesIO(data), skip_blank_lines=False)
    except ValueError as error:  # as pandas' ParserError and EmptyDataError and UnicodeDecodeError are
        raise RequestError(422, f"ERROR: The samples cannot be read as CSV: {describe(error)}.") from error
    return frame


def as_vector(predictions: Any, source: str) -> Vector:
    """One float a row, shape (n,), from shape (n,) or (n, 1). Raises RequestError (500) for anything else."""
    try:
        vector = np.asarray(predictions, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise RequestError(500, f"ERROR: {source} must return numbers: {describe(error)}.") from error
    if vector.ndim == 2 and vector.shape[1] == 1:
        return vector[:, 0]
    if vector.ndim != 1:
        raise RequestError(
            500, f"ERROR: {source} must return one number a row, not the shape {vector.shape}."
        )
    return vector


def encode(predictions: Vector, extra: pd.DataFrame | None) -> bytes:
    """The answer's JSON; NaN and infinities are null. `extra` are score's columns beyond Predictions."""
    body = b'{"predictions":' + to_json(predictions.tolist(), inf_nan_mode="null")
    if extra is not None:
        body += b',"extraModelOutput":' + extra.to_json(orient="split").encode()
    return body + b"}"


def failure(what: str, error: Exception) -> RequestError:
    """The model's fault (500): one line in the log, the traceback with it at level debug."""
    log.error("%s %s", what, describe(error), exc_info=log.isEnabledFor(logging.DEBUG))
    return RequestError(500, f"ERROR: {what} Exception: {error!r}")
