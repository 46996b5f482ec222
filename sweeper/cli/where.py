"""Where studies are: folder, database, name; and opening one that exists."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sweeper.answers import Recommendation
from sweeper.config import ENVIRONMENT_PREFIX, Given, settings
from sweeper.errors import StoreError, UsageError
from sweeper.records import RunRecord
from sweeper.store.database import Database, StoredStudy
from sweeper.study_settings import StudySettings

VARIABLES = ("study", "studies_dir", "storage", "config")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Where:
    """As asked for on the command line or in the environment. `study` None means a new or the newest one."""

    study: str | None
    studies_dir: Path
    storage: str
    config: Path | None
    allow_drift: bool

    @classmethod
    def from_flags(
        cls,
        study: str | None,
        studies_dir: str | None,
        storage: str | None,
        config: str | None = None,
        allow_drift: bool = False,
    ) -> Where:
        study = study if study is not None else _variable("study")
        if study is not None and _NAME.fullmatch(study) is None:
            raise UsageError(
                f"--study '{study}': must be 1 to 100 letters, digits, '.', '_' or '-', beginning with a "
                "letter or digit"
            )
        folder = Path(studies_dir or _variable("studies_dir") or "studies")
        url = storage or _variable("storage") or f"sqlite:///{folder / 'studies.db'}"
        if not url.startswith("sqlite:///") or url == "sqlite:///":
            raise UsageError(
                f"--storage '{url}': must be a SQLite file, such as sqlite:///studies/studies.db"
            )
        file = config or _variable("config")
        return cls(study, folder, url, Path(file) if file else None, allow_drift)

    @property
    def flags(self) -> str:
        """What to add to another command so that it looks in the same place."""
        text = "" if self.studies_dir == Path("studies") else f" --studies-dir {self.studies_dir}"
        default = f"sqlite:///{self.studies_dir / 'studies.db'}"
        return text if self.storage == default else f"{text} --storage {self.storage}"

    @property
    def database_file(self) -> Path:
        return Path(self.storage.removeprefix("sqlite:///"))

    def all(self) -> tuple[StoredStudy, ...]:
        """Every study there, oldest first. Raises UsageError when there is none."""
        found: tuple[StoredStudy, ...] = ()
        if self.database_file.is_file():
            with _opened(self) as database:
                found = database.studies()
        if not found:
            raise UsageError(f"there is no study yet in {self.database_file}: make one with sweeper grid")
        return found

    def find(self) -> StoredStudy:
        """The study named, or the newest. Raises UsageError when there is none."""
        found = self.all()
        if self.study is None:
            return found[-1]
        for study in found:
            if study.name == self.study:
                return study
        names = ", ".join(study.name for study in found[-10:])
        raise UsageError(f"there is no study '{self.study}' in {self.database_file}; there is: {names}")

    def find_existing(self) -> StoredStudy | None:
        """The study named, if it is there; None for a new one."""
        if self.study is None or not self.database_file.is_file():
            return None
        with _opened(self) as database:
            return database.study(self.study)

    def settings_file(self) -> tuple[Mapping[str, object], str]:
        """What `--config` holds, and its name for messages."""
        if self.config is None:
            return {}, ""
        try:
            text = self.config.read_text(encoding="utf-8")
            return tomllib.loads(text), str(self.config)
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not text"
            raise UsageError(f"--config '{self.config}' cannot be read: {why}") from None
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"--config '{self.config}' is not valid TOML: {error}") from None


@contextmanager
def nothing_lost() -> Iterator[None]:
    """What fails in here fails where nothing was measured, and so is wrong use (exit code 2)."""
    try:
        yield
    except StoreError as error:
        raise UsageError(str(error)) from None


class _opened:
    """The database of a place, closed on leaving."""

    def __init__(self, where: Where) -> None:
        self._database = Database(where.storage, create=False)

    def __enter__(self) -> Database:
        return self._database

    def __exit__(self, *_: object) -> None:
        self._database.close()


def _variable(name: str) -> str | None:
    return os.environ.get(ENVIRONMENT_PREFIX + name.upper()) or None


def stored_settings(study: StoredStudy) -> StudySettings:
    """A stored study's settings, as validated today."""
    try:
        return settings(Given(study.settings, {}, str(study.settings.get("command", "grid"))))
    except UsageError as error:
        raise StoreError(f"study '{study.name}' has settings this sweeper does not know: {error}") from None


def records_of(where: Where) -> tuple[RunRecord, ...]:
    """The runs of a recorded study."""
    name = where.find().name
    with _opened(where) as database:
        return database.runs(name)


def answer(where: Where) -> Recommendation:
    """The answer of a recorded study, from its records alone."""
    from sweeper.cli.planning import plan_of
    from sweeper.optimization import OptimizePlan, optimization_so_far
    from sweeper.study import answer_so_far

    study = where.find()
    with _opened(where) as database:
        records = database.runs(study.name)
    plan = plan_of(study.name, stored_settings(study), study.environment)
    if isinstance(plan, OptimizePlan):
        return optimization_so_far(plan, records)
    return answer_so_far(plan, records)
