"""Where studies are: folder, database, name; and opening one that exists."""

from __future__ import annotations

import os
import re
import shlex
import socket
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.answers import Recommendation
from sweeper.claims import Shared
from sweeper.config import ENVIRONMENT_PREFIX, Given, settings
from sweeper.errors import StoreError, UsageError
from sweeper.scenarios.outcome import Outcome
from sweeper.store.address import SQLITE, hides, is_postgres, normalised, shown
from sweeper.store.claim_table import environments, shared
from sweeper.store.database import Database, StoredStudy
from sweeper.study_settings import ScenarioSettings, StudySettings

OF_THE_IO_MODEL = ("upstream_url", "upstream_wait_ms")  # its custom.py reads them
VARIABLES = ("study", "studies_dir", "storage", "config", "host_name", *OF_THE_IO_MODEL)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Where:
    """As asked for on the command line or in the environment. `study` None means a new or the newest one;
    `storage` is complete, with its password, and not to be printed; `host_name` None means the machine's."""

    study: str | None
    studies_dir: Path
    storage: str
    config: Path | None
    allow_drift: bool
    host_name: str | None = None

    @classmethod
    def from_flags(
        cls,
        study: str | None,
        studies_dir: str | None,
        storage: str | None,
        config: str | None = None,
        allow_drift: bool = False,
        host_name: str | None = None,
    ) -> Where:
        study = study if study is not None else _variable("study")
        if study is not None:
            _check_name("the study's name", study)
        host_name = host_name if host_name is not None else _variable("host_name")
        if host_name is not None:
            _check_name("--host-name", host_name)
        folder = Path(studies_dir or _variable("studies_dir") or "studies")
        url = normalised(storage or _variable("storage") or f"{SQLITE}{folder / 'studies.db'}")
        file = config or _variable("config")
        return cls(study, folder, url, Path(file) if file else None, allow_drift, host_name)

    @property
    def flags(self) -> str:
        """What to add to another command so that it looks in the same place; *** for a password."""
        text = "" if self.studies_dir == Path("studies") else f" --studies-dir {self.studies_dir}"
        if self.storage != f"{SQLITE}{self.studies_dir / 'studies.db'}":
            text += f" --storage {shlex.quote(self._address)}"
        return text

    @property
    def host_flag(self) -> str:
        """For commands that measure: what to add so that it is the same host again."""
        return f" --host-name {self.host_name}" if self.shared and self.host_name else ""

    @property
    def password_note(self) -> str:
        """What to say where `flags` hides a password."""
        return " (*** stands for the password)" if self.shared and hides(self.storage) else ""

    @property
    def shared(self) -> bool:
        """Whether several hosts may work on a study there."""
        return is_postgres(self.storage)

    @property
    def host(self) -> str:
        """This host's name among those that share a study. Raises UsageError where the machine's will not
        do."""
        if self.host_name is None:
            _check_name("--host-name is needed: this machine's name", socket.gethostname())
        return self.host_name or socket.gethostname()

    @property
    def place(self) -> str:
        """For messages: the file, or the address without its password."""
        return self._address if self.shared else str(self._file)

    @property
    def database(self) -> str:
        """The same for the same database, whichever way it was named."""
        return self.storage if self.shared else str(self._file.resolve())

    @property
    def _address(self) -> str:
        return shown(self.storage) if self.shared else self.storage

    @property
    def _file(self) -> Path:
        return Path(self.storage.removeprefix(SQLITE))

    @property
    def _nothing_there(self) -> bool:
        return not self.shared and not self._file.is_file()

    def all(self) -> tuple[StoredStudy, ...]:
        """Every study there, oldest first. Raises UsageError when there is none."""
        found = self._studies()
        if not found:
            raise UsageError(f"there is no study yet in {self.place}: make one with sweeper grid")
        return found

    def find(self, *, recommending: bool = False) -> StoredStudy:
        """The study named, or the newest (of those that recommend a worker count). Raises UsageError when
        there is none."""
        if self.study is None:
            found = self.all()
            rest = [study for study in found if not (recommending and is_of_scenarios(study))]
            if not rest:
                raise UsageError(
                    f"no study in {self.place} recommends a worker count: make one with sweeper grid"
                )
            return rest[-1]
        for study in self._studies():
            if study.name == self.study:
                return study
        self._refuse_files_alone(self.studies_dir / self.study)
        found = self.all()
        names = ", ".join(study.name for study in found[-10:])
        raise UsageError(
            f"there is no study '{self.study}' in {self.place}; the newest there: {names}; sweeper "
            f"studies{self.flags} lists all"
        )

    def _studies(self) -> tuple[StoredStudy, ...]:
        if self._nothing_there:
            return ()
        with opened(self) as database:
            return database.studies()

    def _refuse_files_alone(self, folder: Path) -> None:
        """UsageError for the files of a study whose runs are elsewhere, such as the bundled example's."""
        settings = folder / "study.toml"
        if not settings.is_file():
            return
        page = folder / "report.html"
        look = f"open {page} in a browser, " if page.is_file() else ""
        raise UsageError(
            f"of study '{self.study}' {folder} has files, but {self.place} does not have its runs: {look}"
            "name the database that has them (--storage), or repeat it with the command and settings in "
            f"{settings}"
        )

    def find_existing(self) -> StoredStudy | None:
        """The study named, if it is there; None for a new one."""
        if self.study is None or self._nothing_there:
            return None
        with opened(self) as database:
            return database.study(self.study)

    def environments(self, study: str) -> dict[str, dict[str, Any]]:
        """Of the hosts that share a study, by name."""
        with opened(self) as database:
            return environments(database, study)

    def seen(self, study: str) -> Shared:
        """All that is recorded of a study."""
        with opened(self) as database:
            return shared(database, study)

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


@contextmanager
def opened(where: Where) -> Iterator[Database]:
    """The database of a place for reading, closed on leaving. Raises UsageError where it cannot be read."""
    with nothing_lost():
        database = Database(where.storage, create=False)
        try:
            yield database
        finally:
            database.close()


def _check_name(what: str, name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            f"{what} '{name}': must be 1 to 100 letters, digits, '.', '_' or '-', beginning with a letter or "
            "digit"
        )


def _variable(name: str) -> str | None:
    return os.environ.get(ENVIRONMENT_PREFIX + name.upper()) or None


def stored_settings(study: StoredStudy) -> StudySettings:
    """A stored study's settings, as validated today."""
    try:
        return settings(Given(study.settings, {}, str(study.settings.get("command", "grid"))))
    except UsageError as error:
        raise StoreError(
            f"study '{study.name}' has settings this sweeper does not know ({error}): use the one that made "
            "it"
        ) from None


def answer(where: Where) -> Recommendation:
    """The answer of a recorded study, from its records alone: of the one named, or of the newest that
    recommends anything."""
    study = where.find(recommending=where.study is None)
    return answer_of(study, where.seen(study.name))


def recorded_answer(where: Where) -> Recommendation | Outcome:
    """What a recorded study of any command shows."""
    study = where.find()
    seen = where.seen(study.name)
    return outcome_of(study, seen) if is_of_scenarios(study) else answer_of(study, seen)


def is_of_scenarios(study: StoredStudy) -> bool:
    return study.settings.get("command") == ScenarioSettings.COMMAND


def outcome_of(study: StoredStudy, seen: Shared) -> Outcome:
    """What is recorded of a study of `sweeper scenarios`."""
    from sweeper.cli.planning import scenario_plan_of
    from sweeper.scenario_study import outcome_so_far

    chosen = stored_settings(study)
    assert isinstance(chosen, ScenarioSettings)
    return outcome_so_far(scenario_plan_of(study.name, chosen, study.environment), seen.records)


def answer_of(study: StoredStudy, seen: Shared) -> Recommendation:
    """The answer that what is recorded of a study gives. Raises UsageError where it is none that could."""
    if is_of_scenarios(study):
        raise UsageError(
            f"study '{study.name}' compares two servers and recommends no worker count: sweeper report shows "
            "what it found"
        )
    from sweeper.cli.planning import plan_of
    from sweeper.course import answer_so_far
    from sweeper.optimization import OptimizePlan
    from sweeper.shared_optimization import shared_optimization_so_far

    plan = plan_of(study.name, stored_settings(study), study.environment)
    if isinstance(plan, OptimizePlan):
        return shared_optimization_so_far(plan, seen)
    return answer_so_far(plan, seen.records, seen.claims)
