"""The example study of the repository, as it is packed there."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sweeper.records.answer import Recommendation
from sweeper.store.packed_study import IN_A_FOLDER
from sweeper.study.find_packed_study import packed_place
from sweeper.study.recorded import answer

EXAMPLE = Path(__file__).parents[2] / "studies" / "example-xgboost"


@cache
def recorded_recommendation() -> Recommendation:
    return answer(packed_place(EXAMPLE / IN_A_FOLDER, ("example-xgboost",)))
