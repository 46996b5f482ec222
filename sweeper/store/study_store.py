"""One study on disk: its row and runs in the database, its files in `studies/NAME/`."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import tomli_w

from sweeper.errors import AwayError, ClaimLostError, StoreError, UsageError
from sweeper.records.claims import Claim, Shared
from sweeper.records.observations import RequestLog, TelemetrySample
from sweeper.records.run import RunRecord
from sweeper.store import durable_files, kept_runs
from sweeper.store import parquet as tables
from sweeper.store.claims import ClaimTable
from sweeper.store.database import Database, StoredStudy
from sweeper.store.database_waits import Result, patiently
from sweeper.store.runs_csv import runs_csv

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

    def create(self, study: StoredStudy) -> None:
        """Files first, then the row: a study in the database always has its files."""
        self.write_files(study.settings, study.environment)
        self._database.create_study(study)

    def write_files(self, settings: dict[str, Any], environment: dict[str, Any]) -> None:
        durable_files.write(self.folder / "study.toml", tomli_w.dumps(settings))
        durable_files.write(self.folder / "environment.json", _json(environment))

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
            durable_files.fill(
                directory / "requests.parquet", lambda path: tables.write_requests(path, requests)
            )
        if telemetry:
            durable_files.fill(
                directory / "telemetry.parquet", lambda path: tables.write_telemetry(path, telemetry)
            )
        durable_files.sync_files(directory.glob("*.log"))
        durable_files.sync_folder(directory)
        if self._add(record):
            self._write_csv()

    def _add(self, record: RunRecord) -> bool:
        """Whether the database has it now."""
        self._database.add_run(self.name, record)
        return True

    def records(self) -> tuple[RunRecord, ...]:
        return self._database.runs(self.name)

    def _write_csv(self) -> None:
        records = self.records()
        if records:
            durable_files.write(self.folder / "runs.csv", runs_csv(records))

    def save_answer(self, file: str, answer: dict[str, Any], *, complete: bool) -> None:
        self._write_csv()  # a kill between a run's row and its line here leaves the line out
        durable_files.write(self.folder / file, _json(answer))
        if complete:
            self._mark_complete()

    def _mark_complete(self) -> None:
        self._database.mark_complete(self.name)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


HEARD_OF_EVERY_S = 10.0


class SharedStudyStore(StudyStore):
    """`SharedStore` of run/interfaces.py. Each host has a folder of its own (another --studies-dir, or
    another machine's disk): its lock is per folder."""

    def __init__(self, database: Database, studies_dir: Path, name: str, host: str) -> None:
        super().__init__(database, studies_dir, name)
        self._table = ClaimTable(database, name, host)
        self._kept: list[RunRecord] = []  # finished, and not in the database because that is away
        self.tell: Callable[[str], None] = lambda sentence: None
        """Told when the database is waited for."""

    @property
    def host(self) -> str:
        return self._table.host

    def lock(self) -> None:
        """Only one sweeper at a time works on a study in this folder, and only one under this host's name.
        Raises UsageError when another one does."""
        super().lock()
        self._table.hold_name()

    def close(self) -> None:
        self._table.close()
        super().close()

    def create_unless_there(self, study: StoredStudy) -> bool:
        """False where another host was quicker; nothing is written then."""
        with self._table.alone():
            if self._database.study(study.name) is not None:
                return False
            self.create(study)
        return True

    def join(self, settings: dict[str, Any], environment: dict[str, Any]) -> None:
        """Work on the study from here on; `environment` is this host's."""
        self.write_files(settings, environment)
        self._table.join(environment)
        known = {record.plan.run_id for record in super().records()}
        for record in kept_runs.kept(self.folder / "runs", self.name):
            if record.plan.run_id in known or record.host != self.host:
                kept_runs.drop(self.folder / "runs" / record.plan.run_id)
            else:
                self._kept.append(record)

    def patiently(self, act: Callable[[], Result]) -> Result:
        """What `act` gives, waiting for a database that is away. Raises StoreError where it stays away."""
        return patiently(act, self.tell, self._table.hold_name_again)

    def seen(self) -> Shared:
        self._bring_in()
        return self.patiently(self._table.seen)

    def records(self) -> tuple[RunRecord, ...]:
        self._bring_in()
        return self.patiently(super().records)

    def take(self, choose: Callable[[Shared], Claim | None]) -> Claim | None:
        self._bring_in()
        return self.patiently(lambda: self._table.take(choose))

    def _bring_in(self) -> None:
        """What was kept here while the database was away."""
        while self._kept:
            record = self._kept[0]
            try:
                self.patiently(partial(self._table.add_run, record))
            except ClaimLostError as lost:
                self.tell(f"{lost}, so that run {record.plan.run_id} does not count")
            kept_runs.drop(self.folder / "runs" / record.plan.run_id)
            self._kept.pop(0)

    def _mark_complete(self) -> None:
        self.patiently(super()._mark_complete)

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._table.alone():
            yield

    @contextmanager
    def holding(self, claim: Claim) -> Iterator[None]:
        """A thread reports that this host is alive, because a server may take a minute to start or to
        answer its last requests. An exception inside the block gives up the claim."""
        ended = threading.Event()

        def say_so() -> None:
            while not ended.wait(HEARD_OF_EVERY_S):
                with suppress(StoreError):  # a database that stays away is noticed when a run is saved
                    self._table.still_here(claim)

        thread = threading.Thread(target=say_so, name="still here", daemon=True)
        thread.start()
        try:
            yield
        except BaseException:
            with suppress(StoreError):
                self._table.give_up(claim)
            raise
        finally:
            ended.set()
            thread.join(timeout=1.0)

    def _add(self, record: RunRecord) -> bool:
        try:
            self._table.add_run(record)
        except AwayError as error:
            kept_runs.keep(self.folder / "runs" / record.plan.run_id, record)
            self._kept.append(record)
            self.tell(
                f"{error}: run {record.plan.run_id} is kept in {self.folder} until the database is back"
            )
            return False
        return True
