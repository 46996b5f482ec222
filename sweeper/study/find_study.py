"""Where studies are: folder, database, name; and opening one that exists."""

from __future__ import annotations

import os
import re
import socket
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.errors import StoreError, UsageError
from sweeper.records.claims import Shared
from sweeper.records.observations import RunTrace
from sweeper.records.run import RunRecord
from sweeper.records.safe_text import NAME_RULE, is_name, shell_command
from sweeper.settings.combine import ENVIRONMENT_PREFIX
from sweeper.settings.scenario_settings import ScenarioSettings
from sweeper.store import answers_cache
from sweeper.store.claims import environments, shared
from sweeper.store.database import Database, StoredStudy, UnreadableStudy
from sweeper.store.database_url import hides, is_postgres, normalised, shown, sqlite_file, sqlite_url
from sweeper.store.packed_study import IN_A_FOLDER


@dataclass(frozen=True, slots=True)
class Where:
    """As asked for on the command line or in the environment."""

    study: str | None  # None: a new one, or for reading the newest
    studies_dir: Path
    storage: str  # a URL, complete with its password: not to be printed
    host_name: str | None = None  # among hosts that share the study; None: the machine's
    folder_as_typed: str | None = None  # of the study; None: it was named by its name

    @classmethod
    def from_flags(
        cls,
        study: str | None,
        studies_dir: str | None,
        storage: str | None,
        host_name: str | None = None,
    ) -> Where:
        study = study if study is not None else _variable("study")
        if study is not None:
            _check_name("the study's name", study)
        host_name = host_name if host_name is not None else _variable("host_name")
        if host_name is not None:
            _check_name("--host-name", host_name)
        folder = Path(studies_dir or _variable("studies_dir") or "studies")
        if re.search("[\ud800-\udfff]", str(folder)):
            raise UsageError(
                f"--studies-dir '{folder}': must be a name in UTF-8, because the database is there"
            )
        url = normalised(storage or _variable("storage") or sqlite_url(folder / "studies.db"))
        return cls(study, folder, url, host_name)

    @property
    def words(self) -> tuple[str, ...]:
        """What to add to another command so that it looks in the same place; *** for a password."""
        found: tuple[str, ...] = ()
        if self.studies_dir != Path("studies"):
            found = ("--studies-dir", str(self.studies_dir))
        if self.storage != sqlite_url(self.studies_dir / "studies.db"):
            found += ("--storage", self._address)
        return found

    def arguments_to_find(self, study: str) -> tuple[str, ...]:
        """The words by which another command that reads finds the same study."""
        if self.folder_as_typed is None:
            return (study, *self.words)
        beside = self.storage == sqlite_url(self.studies_dir / "studies.db")
        return (self.folder_as_typed, *(() if beside else ("--storage", self._address)))

    def files_of(self, study: str) -> Path:
        """Where its files are."""
        return self.studies_dir / study if self.folder_as_typed is None else Path(self.folder_as_typed)

    def page_of(self, study: str) -> Path:
        """Where `sweeper report` writes unless it is told otherwise."""
        return self.files_of(study) / "report.html"

    def pack_of(self, study: str) -> Path:
        """Where `sweeper pack` writes, likewise."""
        return self.files_of(study) / IN_A_FOLDER

    def arguments_to_repeat(self, study: str) -> tuple[str, ...]:
        """The words by which a command that measures makes such a study again."""
        return ("--config", str(self.files_of(study) / "study.toml"), *self.words)

    def finishing(self, command: str, study: str) -> str:
        """What to do about one that is not finished."""
        finish = shell_command(command, "--study", study, *self.words)
        return f"finish it first with {finish}{self.password_note}"

    def every_run(self, study: str) -> str:
        """What shows all its runs."""
        return str(self.files_of(study) / "runs.csv")

    @property
    def how_to_bring_files(self) -> str:
        """What to do about files of runs that are not there."""
        return "copy those runs' folders to runs/ in this study's folder and make the report again"

    def traces(self, study: str, records: Sequence[RunRecord]) -> tuple[dict[str, RunTrace], dict[str, str]]:
        """By run id: what is to be drawn of each run; and, where nothing can be drawn, the reason."""
        from sweeper.store.parquet import read_traces  # with pandas, which takes long to import

        return read_traces(self.files_of(study), records)

    @property
    def host_words(self) -> tuple[str, ...]:
        """For commands that measure: what to add so that it is the same host again."""
        return ("--host-name", self.host_name) if self.shared and self.host_name else ()

    @property
    def password_note(self) -> str:
        """What to say where `words` hides a password."""
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
        return sqlite_file(self.storage)

    @property
    def _nothing_there(self) -> bool:
        return not self.shared and not self._file.is_file()

    def all(self) -> tuple[StoredStudy, ...]:
        """Every study there that can be read, oldest first. Raises UsageError when there is none."""
        rows = self.rows()
        found = _readable(rows)
        if not found:
            last = rows[-1]
            assert isinstance(last, UnreadableStudy)
            raise UsageError(f"no study in {self.place} can be read: {last.why}")
        return found

    def rows(self) -> tuple[StoredStudy | UnreadableStudy, ...]:
        """The same with those that cannot be read."""
        found = self.rows_if_any()
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
        for study in self.rows_if_any():
            if study.name == self.study:
                if isinstance(study, UnreadableStudy):
                    raise StoreError(study.why)
                return study
        self._refuse_files_alone(self.studies_dir / self.study)
        found = self.all()
        names = ", ".join(study.name for study in found[-10:])
        raise UsageError(
            f"there is no study '{self.study}' in {self.place}; the newest there: {names}; "
            f"{shell_command('studies', *self.words)} lists all"
        )

    def rows_if_any(self) -> tuple[StoredStudy | UnreadableStudy, ...]:
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
            f"{folder} has files of study '{self.study}', but {self.place} does not have its runs: {look}"
            "name the database that has them (--storage), ask for a packed study (sweeper pack), or "
            "repeat it "
            f"with the command and settings in {settings}"
        )

    def find_existing(self) -> StoredStudy | None:
        """The study named, if it is there; None for a new one."""
        if self.study is None or self._nothing_there:
            return None
        with opened(self) as database:
            return database.study(self.study)

    def digests(self) -> dict[object, str]:
        """Of all that is recorded of each study, by its name."""
        with opened(self) as database:
            return answers_cache.digests(database)

    def environments(self, study: str) -> dict[str, dict[str, Any]]:
        """Of the hosts that share a study, by name."""
        if not self.shared:
            return {}
        with opened(self) as database:
            return environments(database, study)

    def seen(self, study: str) -> Shared:
        """All that is recorded of a study."""
        with opened(self) as database:
            return shared(database, study)


def _readable(rows: Iterable[StoredStudy | UnreadableStudy]) -> tuple[StoredStudy, ...]:
    return tuple(row for row in rows if isinstance(row, StoredStudy))


@contextmanager
def store_errors_as_wrong_use() -> Iterator[None]:
    """A failure in here comes before anything is measured: it is wrong use (exit code 2)."""
    try:
        yield
    except StoreError as error:
        raise UsageError(str(error)) from None


@contextmanager
def opened(where: Where) -> Iterator[Database]:
    """The database of a place for reading, closed on leaving. Raises UsageError where it cannot be read."""
    with store_errors_as_wrong_use():
        database = Database(where.storage, create=False)
        try:
            yield database
        finally:
            database.close()


def _check_name(what: str, name: str) -> None:
    if not is_name(name):
        raise UsageError(f"{what} '{name}': must be {NAME_RULE}")


def as_study_name(text: str) -> str:
    """What of a text, such as a folder's name, may stand in the name of a study; "model" if nothing may."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-.")[:60] or "model"


def _variable(name: str) -> str | None:
    return os.environ.get(ENVIRONMENT_PREFIX + name.upper()) or None


def is_of_scenarios(study: StoredStudy) -> bool:
    return study.settings.get("command") == ScenarioSettings.COMMAND
