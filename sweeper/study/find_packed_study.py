"""A packed study as a place that is read from, and which place a command line names: a study by its name, its
folder, or its packed file."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from sweeper.errors import StoreError, UsageError
from sweeper.records.claims import Shared
from sweeper.records.observations import RunTrace
from sweeper.records.run import RunRecord
from sweeper.records.safe_text import is_name, shell_command
from sweeper.store.database import StoredStudy
from sweeper.store.database_url import sqlite_url
from sweeper.store.packed_study import IN_A_FOLDER, PackedFiles, PackedStudy, read
from sweeper.study.find_study import Where, store_errors_as_wrong_use
from sweeper.study.recorded import stored_settings


@dataclass(frozen=True)
class PackedPlace:
    """To those who read it is like `Where`. Nothing is written there."""

    file: Path
    words: tuple[str, ...]
    """By which another command that reads finds it."""
    pack: PackedStudy

    password_note = ""

    @property
    def study(self) -> str:
        return self.pack.study.name

    def find(self, *, recommending: bool = False) -> StoredStudy:
        return self.pack.study

    def seen(self, study: str) -> Shared:
        return self.pack.seen

    def environments(self, study: str) -> dict[str, dict[str, Any]]:
        return self.pack.hosts

    def arguments_to_find(self, study: str) -> tuple[str, ...]:
        return self.words

    def files_of(self, study: str) -> Path | PackedFiles:
        return self.pack.files

    def page_of(self, study: str) -> Path:
        """In the current folder: not beside what is somebody else's."""
        return Path(f"report-{study}.html")

    def pack_of(self, study: str) -> Path:
        return Path(f"{study}.zip")

    def arguments_to_repeat(self, study: str) -> tuple[str, ...]:
        return ("--config", str(self.file))

    def finishing(self, command: str, study: str) -> str:
        return "finish it on the host where it was begun, and pack it again there"

    def every_run(self, study: str) -> str:
        return shell_command("export", *self.words)

    @property
    def how_to_bring_files(self) -> str:
        return "pack the study again on the host that has them"

    def traces(self, study: str, records: Sequence[RunRecord]) -> tuple[dict[str, RunTrace], dict[str, str]]:
        found = self.pack.traces
        measured = [record.plan.run_id for record in records if record.figures is not None]
        why = f"{self.file} was packed without it, because its requests were not there"
        return found, {run_id: why for run_id in measured if run_id not in found}


Place: TypeAlias = Where | PackedPlace


def place(study: str | None, studies_dir: str | None, storage: str | None) -> Place:
    """What a command line names: by a name, by the path of a folder or a file, or None for the newest study.

    A study that the database does not have may lie packed in its folder. Raises UsageError for what is not
    there or cannot be read.
    """
    named = study if study is not None else os.environ.get("SWEEPER_STUDY")
    if named and is_path(named):
        return place_at(named, storage)
    where = Where.from_flags(study, studies_dir, storage)
    if where.study is None:
        return where
    return _packed_unless_recorded(where, where.files_of(where.study), where.arguments_to_find(where.study))


def packed_in(studies_dir: Path) -> dict[str, Path]:
    """The packed studies that lie in folders there, by the names of these."""
    return {
        file.parent.name: file
        for file in sorted(studies_dir.glob(f"*/{IN_A_FOLDER}"))
        if is_name(file.parent.name)
    }


def is_path(text: str) -> bool:
    """Or else it is a name."""
    if "/" in text or text in (".", ".."):
        return True
    return text.endswith(".zip") and Path(text).is_file()


def place_at(typed: str, storage: str | None = None) -> Place:
    """Where a study is, from its folder or its packed file. Raises UsageError where there is neither."""
    path = Path(typed)
    if not _is_there(path):
        shown = ascii(typed) if "\0" in typed else typed
        raise UsageError(
            f"there is no study folder or packed study {shown}: it must be like studies/NAME or NAME.zip"
        )
    if not path.is_dir():
        return packed_place(path, (typed,))
    folder = path.resolve()
    packed = folder / IN_A_FOLDER
    if not is_name(folder.name) and _is_there(packed):
        return packed_place(path / IN_A_FOLDER, (typed,))
    beside = sqlite_url(folder.parent / "studies.db")
    where = Where.from_flags(folder.name, str(folder.parent), storage or beside)
    where = dataclasses.replace(where, folder_as_typed=typed)
    return _packed_unless_recorded(where, path, where.arguments_to_find(folder.name))


def _packed_unless_recorded(where: Where, folder: Path, words: tuple[str, ...]) -> Place:
    file = folder / IN_A_FOLDER
    if not _is_there(file) or where.find_existing() is not None:
        return where
    return packed_place(file, words)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # nobody may look, or it can be no name of a file
        return False


def packed_place(file: Path, words: tuple[str, ...]) -> PackedPlace:
    """Raises UsageError if `file` is no packed study or is damaged."""
    with store_errors_as_wrong_use():
        pack = read(file)
        try:
            stored_settings(pack.study)
        except StoreError as error:
            raise StoreError(f"{file}: {error}") from None
    return PackedPlace(file, words, pack)
