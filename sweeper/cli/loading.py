"""Reading a recorded study as a whole: for the commands that show it, and for people's own Python."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sweeper.answers import Recommendation
from sweeper.claims import Shared
from sweeper.cli.where import Where, answer_of, is_of_scenarios, outcome_of
from sweeper.errors import UsageError
from sweeper.records import RunRecord
from sweeper.scenarios.outcome import Outcome
from sweeper.store.database import StoredStudy
from sweeper.store.frames import candidates_frame, runs_frame, trials_frame
from sweeper.store.study_data import StudyData


@dataclass(frozen=True)
class Recorded:
    """A study with all that is recorded of it."""

    study: StoredStudy
    folder: Path
    seen: Shared

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


def recorded(where: Where) -> Recorded:
    """The study that is named there, or the newest. Raises UsageError or StoreError where it cannot be."""
    return recorded_of(where.find(), where)


def recorded_of(study: StoredStudy, where: Where) -> Recorded:
    """As `recorded`, of a study that is known to be there."""
    return Recorded(study, where.studies_dir / study.name, where.seen(study.name))


def load_study(path: str | os.PathLike[str], *, storage: str | None = None) -> StudyData:
    """A recorded study from its folder, `studies/NAME`; nothing is measured and nothing written.

    Its runs are in `studies.db` beside that folder, or in `storage` (a URL such as
    `sqlite:///studies/studies.db`). For what comes back see `StudyData`.

        study = sweeper.load_study("studies/checkout")
        study.runs.query("verdict == 'valid'").groupby("workers")["rps"].median()

    Raises sweeper.errors.UsageError where there is no such study, and StoreError where its database is
    damaged or of another schema version. Both say in one sentence what is wrong.
    """
    return study_data(recorded(place_of(Path(path), storage)))


def place_of(folder: Path, storage: str | None = None) -> Where:
    """Where a study is, from its folder. Raises UsageError where there is no such folder."""
    place = folder.resolve()
    if not place.is_dir():
        raise UsageError(f"there is no study folder {folder}: it must be like studies/NAME")
    beside = f"sqlite:///{place.parent / 'studies.db'}"
    return Where.from_flags(place.name, str(place.parent), storage or beside)


def study_data(found: Recorded) -> StudyData:
    return StudyData(
        name=found.study.name,
        folder=found.folder,
        settings=found.study.settings,
        environment=found.study.environment,
        recommendation=found.recommendation,
        runs=runs_frame(found.records),
        candidates=candidates_frame(found.recommendation),
        trials=trials_frame(found.recommendation.search),
    )
