"""Reading a recorded study as a whole: for the commands that show it, and for people's own Python."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sweeper.analysis.scenarios.outcome import Outcome
from sweeper.records.answer import Recommendation
from sweeper.records.claims import Shared
from sweeper.records.run import RunRecord
from sweeper.store.data_frames import StudyData, candidates_frame, runs_frame, trials_frame
from sweeper.store.database import StoredStudy
from sweeper.store.packed_study import PackedFiles
from sweeper.study.find_packed_study import Place, place_at
from sweeper.study.find_study import is_of_scenarios
from sweeper.study.recorded import answer_of, outcome_of


@dataclass(frozen=True)
class Recorded:
    """A study with all that is recorded of it."""

    study: StoredStudy
    files: Path | PackedFiles  # of its runs: in studies/NAME, or packed
    seen: Shared  # its runs and, where hosts share it, their claims

    @property
    def records(self) -> tuple[RunRecord, ...]:
        return self.seen.records

    @cached_property
    def recommendation(self) -> Recommendation:
        """The answer the runs give. Raises UsageError for a study that recommends nothing."""
        return answer_of(self.study, self.seen)

    @cached_property
    def outcome(self) -> Outcome | None:
        """What a study of `sweeper scenarios` shows; None for others."""
        return outcome_of(self.study, self.seen) if is_of_scenarios(self.study) else None


def recorded(where: Place) -> Recorded:
    """The study that is named there, or the newest. Raises UsageError or StoreError where it cannot be."""
    return recorded_of(where.find(), where)


def recorded_of(study: StoredStudy, where: Place) -> Recorded:
    """As `recorded`, of a study that is known to be there; its name is one that a study may have."""
    return Recorded(study, where.files_of(study.name), where.seen(study.name))


def load_study(path: str | os.PathLike[str], *, storage: str | None = None) -> StudyData:
    """A recorded study from its folder, `studies/NAME`, or from a file that `sweeper pack` made; nothing is
    measured and nothing written.

    For a folder, the runs are in `storage` (a URL such as `sqlite:///studies/studies.db`), by default in
    `studies.db` beside the folder, or else packed in the folder. `StudyData` describes the result.

        study = sweeper.load_study("studies/checkout")
        study.runs.query("verdict == 'valid'").groupby("workers")["rps"].median()

    Raises sweeper.errors.UsageError where there is no such study, and StoreError where its database is
    damaged or of another schema version. Both say in one sentence what is wrong.
    """
    where = place_at(os.fspath(path), storage)
    return study_data(recorded(where), Path(path))


def study_data(found: Recorded, folder: Path) -> StudyData:
    return StudyData(
        name=found.study.name,
        folder=folder,
        settings=found.study.settings,
        environment=found.study.environment,
        recommendation=found.recommendation,
        runs=runs_frame(found.records),
        candidates=candidates_frame(found.recommendation),
        trials=trials_frame(found.recommendation.search),
        files=found.files,
    )
