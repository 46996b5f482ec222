"""What a store is given: a study, the requests of a run; and the name of a database."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from sweeper.store.database import StoredStudy
from tests.support.builders import log


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


ROOT = Path(__file__).parents[2]
STUDY = StoredStudy("s", "2026-01-01T00:00:00Z", {"users": 5, "window": "10s"}, {"cores": 2}, False)
REQUESTS = dataclasses.replace(
    log([1.0, 2.0, 3.0], [10.0, np.nan, 30.0]), client_late_ms=np.array([0.1, np.nan, np.nan])
)
