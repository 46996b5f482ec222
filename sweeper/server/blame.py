"""Whose fault is a failed prediction: the client's data (422) or the model (500)?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sweeper.server.hooks import describe


def fault_of_data(data: Any, model: Any, error: Exception) -> str | None:
    """What is wrong with the samples, in one sentence; None where nothing is, so the model failed.

    Called once `predict` has raised, so that good requests pay nothing for it. What the model says of
    itself (feature names, number of features) is compared with what came; text, missing and infinite
    values are blamed when they are there and the model complained of a value or a type.
    """
    if not isinstance(data, pd.DataFrame) or not isinstance(error, ValueError | TypeError | KeyError):
        return None
    if len(data) == 0:
        return "The samples hold no rows."
    return wrong_columns(data, model) or wrong_values(data, error)


def wrong_columns(data: pd.DataFrame, model: Any) -> str | None:
    wanted, given = feature_names(model), [str(column) for column in data.columns]
    if wanted is None:
        number = getattr(model, "n_features_in_", None)
        if number is None or number == len(given):
            return None
        columns = f"{len(given)} column{'' if len(given) == 1 else 's'}"
        return f"The samples have {columns}; the model takes {number}."
    missing = [column for column in wanted if column not in set(given)]
    if missing:
        return f"The samples lack {listed(missing)}; the model takes {listed(wanted)}."
    unknown = [column for column in given if column not in set(wanted)]
    if unknown:
        return (
            f"The samples have {listed(unknown)}, which the model does not know; it takes {listed(wanted)}."
        )
    if given != wanted:
        return f"The samples' columns are in another order than the model's: {listed(wanted)}."
    return None


def wrong_values(data: pd.DataFrame, error: Exception) -> str | None:
    text = [str(column) for column in data.columns if not pd.api.types.is_numeric_dtype(data[column])]
    if text:
        return f"The samples hold values that are no numbers in {listed(text)} ({describe(error)})."
    gaps = [str(column) for column in data.columns if data[column].isna().any()]
    if gaps:
        return f"The samples lack values in {listed(gaps)} ({describe(error)})."
    infinite = [str(column) for column in data.columns if np.isinf(data[column].to_numpy(float)).any()]
    if infinite:
        return f"The samples hold infinite values in {listed(infinite)} ({describe(error)})."
    return None


def feature_names(model: Any) -> list[str] | None:
    """Column names as scikit-learn (and XGBoost's wrapper) or a Booster keep them; None without."""
    for attribute in ("feature_names_in_", "feature_names"):
        names = getattr(model, attribute, None)
        if names is not None:
            return [str(name) for name in names]
    return None


def listed(columns: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(columns[:most])
    more = f" and {len(columns) - most} more" if len(columns) > most else ""
    return f"the column{'' if len(columns) == 1 else 's'} {shown}{more}"
