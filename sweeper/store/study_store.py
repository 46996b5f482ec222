"""One study on disk: its row and runs in the database, its files in `studies/NAME/`."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import tomli_w

from sweeper.errors import StoreError, UsageError
from sweeper.observations import RequestLog, TelemetrySample
from sweeper.records import RunRecord
from sweeper.store import durable, tables
from sweeper.store.codec import flat
from sweeper.store.database import Database, StoredStudy

RECOMMENDATION_FILE, OUTCOME_FILE = "recommendation.json", "scenarios.json"


class StudyStore:
    """A study opened for running; holds its lock until `close`."""

    def __init__(self, database: Database, studies_dir: Path, name: str) -> None:
        self._database = database
        self.name = name
        self.folder = studies_dir / name
        self._lock: int | None = None

    def lock(self) -> None:
        """Only one sweeper runs a study at a time. Raises UsageError when another one does."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(f"cannot write to {self.folder}: {error.strerror or error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise UsageError(
                f"study '{self.name}' is being run by another sweeper: wait for it, or use another --study"
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise StoreError(f"cannot lock {self.folder}: {error.strerror or error}") from error
        self._lock = descriptor

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def load(self) -> StoredStudy | None:
        return self._database.study(self.name)

    def create(self, study: StoredStudy) -> None:
        """Files first, then the row: a study in the database always has its files."""
        self.write_files(study.settings, study.environment)
        self._database.create_study(study)

    def write_files(self, settings: dict[str, Any], environment: dict[str, Any]) -> None:
        durable.write(self.folder / "study.toml", tomli_w.dumps(settings))
        durable.write(self.folder / "environment.json", _json(environment))

    def run_directory(self, run_id: str) -> Path:
        """An empty folder for a run's logs; what an unfinished run of that name left is removed."""
        directory = self.folder / "runs" / run_id
        try:
            if directory.exists():
                shutil.rmtree(directory)
            directory.mkdir(parents=True)
        except OSError as error:
            raise StoreError(f"cannot make {directory}: {error.strerror or error}") from error
        return directory

    def save(
        self, record: RunRecord, requests: RequestLog | None, telemetry: tuple[TelemetrySample, ...]
    ) -> None:
        """Durable on return: raw files first, then the row that says the run is there, then `runs.csv`."""
        directory = self.folder / "runs" / record.plan.run_id
        if requests is not None:
            durable.fill(directory / "requests.parquet", lambda path: tables.write_requests(path, requests))
            durable.fill(directory / "client.parquet", lambda path: tables.write_lags(path, requests))
        if telemetry:
            durable.fill(
                directory / "telemetry.parquet", lambda path: tables.write_telemetry(path, telemetry)
            )
        durable.sync_files(directory.glob("*.log"))
        durable.sync_folder(directory)
        self._add(record)
        self._write_csv()

    def _add(self, record: RunRecord) -> None:
        self._database.add_run(self.name, record)

    def records(self) -> tuple[RunRecord, ...]:
        return self._database.runs(self.name)

    def _write_csv(self) -> None:
        rows = [flat(record) for record in self.records()]
        if not rows:
            return
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        durable.write(self.folder / "runs.csv", text.getvalue())

    def save_answer(self, file: str, answer: dict[str, Any], *, complete: bool) -> None:
        self._write_csv()  # a kill between a run's row and its line here leaves the line out
        durable.write(self.folder / file, _json(answer))
        if complete:
            self._database.mark_complete(self.name)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
