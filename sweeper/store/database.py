"""The database: which studies there are, with which settings, and every run of theirs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from sweeper.errors import AwayError, StoreError
from sweeper.records.run import RunRecord
from sweeper.records.safe_text import NAME_RULE, is_name
from sweeper.records.scenarios import Scenario
from sweeper.store import database_waits, schema
from sweeper.store import row_values as values
from sweeper.store.database_url import is_postgres, shown
from sweeper.store.run_rows import record_of, row_of


@dataclass(frozen=True, slots=True)
class StoredStudy:
    """A study's row, as it was when the study was created, but for `complete`."""

    name: str
    created_at: str
    """UTC, ISO 8601."""
    settings: dict[str, Any]
    """As in study.toml: durations as text ("10s")."""
    environment: dict[str, Any]
    """The fingerprint, as in environment.json; of several hosts, of the first one."""
    complete: bool
    """It ran to its end."""


@dataclass(frozen=True, slots=True)
class UnreadableStudy:
    """A study's row that holds something else than a study."""

    name: str
    """As it can be shown: in ASCII, where it is no name that a study may have."""
    created_at: str
    """Empty where that cannot be read."""
    why: str


class Database:
    """One SQLite file or PostgreSQL database. Every method commits before it returns; errors are
    StoreErrors."""

    def __init__(self, url: str, *, create: bool = True) -> None:
        """With `create`, open it for writing: make the tables and test that they can be written. Otherwise
        change nothing, and treat missing tables as empty. Raises StoreError."""
        self._postgres = is_postgres(url)
        try:
            self._url = sa.make_url(url)
            if self._is_sqlite and self._url.database:
                _prepare_folder(Path(self._url.database), create)
            waits = database_waits.of_postgres() if self._postgres else {}
            self._engine = sa.create_engine(self._url, **waits)
        except (SQLAlchemyError, ImportError, ValueError) as error:
            raise StoreError(
                f"cannot use {shown(url)} as a database: {error}; it must be like "
                "sqlite:///studies/studies.db or postgresql://user@host/name"
            ) from error
        self._begin = "BEGIN"  # of SQLite
        self._missing: frozenset[str] = frozenset()
        if self._is_sqlite:
            event.listen(self._engine, "connect", _make_durable)
            event.listen(self._engine, "begin", lambda connection: connection.exec_driver_sql(self._begin))
        elif self._postgres:
            event.listen(self._engine, "connect", database_waits.release_locks_of_vanished_hosts)
        try:
            self._set_up(create)
            if create:
                self._try_writing()
        except BaseException:
            self.close()
            raise

    def _set_up(self, create: bool) -> None:
        with self.transaction("open") as connection:
            version = schema.version_in(connection)
            self._empty = version is None
            self._missing = schema.missing_from(connection)
        if version not in (None, schema.SCHEMA_VERSION):
            raise StoreError(
                f"{self.where} has schema version {version}, this sweeper reads {schema.SCHEMA_VERSION}: use "
                "the sweeper that wrote it, or another "
                + ("--studies-dir" if self._is_sqlite else "--storage")
            )
        if create and (self._empty or self._missing):
            # Two sweepers may come here at once: the first to hold the lock makes the tables.
            with self.exclusive("write to") as connection:
                if self._empty:
                    schema.make(connection)
                schema.catch_up(connection)
            self._empty, self._missing = False, frozenset()

    def _try_writing(self) -> None:
        """A disk that is full or a database that can only be read is found before anything is measured."""
        with self.exclusive("write to") as connection:
            connection.execute(schema.schema.update().values(version=schema.SCHEMA_VERSION))
            connection.rollback()

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def where(self) -> str:
        """For messages."""
        if self._is_sqlite and self._url.database:
            return self._url.database
        return shown(self._url.render_as_string(hide_password=False))

    @property
    def shares(self) -> bool:
        """Whether several hosts may work on its studies."""
        return self._postgres and not self._empty and schema.claims.name not in self._missing

    @contextmanager
    def transaction(self, doing: str) -> Iterator[sa.Connection]:
        """Committed on leaving. `doing` is for the message when the database fails."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self.failure(doing, error) from error

    def failure(self, doing: str, error: SQLAlchemyError) -> StoreError:
        """AwayError if the server is unreachable, else StoreError."""
        cause = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        kind = AwayError if self._postgres and is_away(error) else StoreError
        return kind(f"cannot {doing} {self.where}: {' '.join(cause.split())}")

    @contextmanager
    def exclusive(self, doing: str, what: str = "") -> Iterator[sa.Connection]:
        """A transaction that excludes every other exclusive one on the same `what`, on any host. (On SQLite
        it excludes every other writer.)"""
        self._begin = "BEGIN IMMEDIATE"
        try:
            with self.transaction(doing) as connection:
                if self._postgres:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_number(what))))
                yield connection
        finally:
            self._begin = "BEGIN"

    def connect(self) -> sa.Connection:
        """A connection of the caller's own, whose statements are committed one by one."""
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        self._engine.dispose()

    def create_study(self, study: StoredStudy) -> None:
        with self.transaction("write to") as connection:
            connection.execute(
                schema.studies.insert().values(
                    name=study.name,
                    created_at=study.created_at,
                    settings=json.dumps(study.settings),
                    environment=json.dumps(study.environment),
                    complete=study.complete,
                )
            )

    def studies(self) -> tuple[StoredStudy | UnreadableStudy, ...]:
        """All studies, oldest first."""
        if self._empty:
            return ()
        query = schema.as_stored(schema.studies).order_by("created_at", "name")
        with self.transaction("read") as connection:
            return tuple(map(_row_of, connection.execute(query)))

    def study(self, name: str) -> StoredStudy | None:
        if self._empty:
            return None
        query = schema.as_stored(schema.studies).where(schema.studies.c.name == name)
        with self.transaction("read") as connection:
            row = connection.execute(query).first()
        found = None if row is None else _row_of(row)
        if isinstance(found, UnreadableStudy):
            raise StoreError(found.why)
        return found

    def mark_complete(self, name: str) -> None:
        with self.transaction("write to") as connection:
            studies = schema.studies
            connection.execute(studies.update().where(studies.c.name == name).values(complete=True))

    def add_run(self, study: str, record: RunRecord) -> None:
        with self.transaction("write to") as connection:
            connection.execute(schema.runs.insert().values(study=study, **row_of(record)))

    def runs(self, study: str) -> tuple[RunRecord, ...]:
        """A study's runs in the order they were planned: the rounds of the search, the blocks, then the
        rounds of the confirmation; of scenarios, one after another."""
        with self.transaction("read") as connection:
            return self.runs_in(connection, study)

    def runs_in(self, connection: sa.Connection, study: str) -> tuple[RunRecord, ...]:
        """As `runs`, within a transaction."""
        query = schema.as_stored(schema.runs, self._missing).where(schema.runs.c.study == study)
        return tuple(sorted(map(record_of, connection.execute(query)), key=_place))


def _place(record: RunRecord) -> tuple[int, ...]:
    """In the order of planning."""
    plan = record.plan
    scenarios = [scenario.value for scenario in Scenario]
    return (
        scenarios.index(plan.scenario) if plan.scenario in scenarios else len(scenarios),
        not plan.search,
        plan.arrivals_per_s is not None,
        plan.block,
        plan.attempt,
        plan.position,
    )


def is_away(error: BaseException) -> bool:
    """Whether PostgreSQL's server does not answer, shuts down, starts up, or has closed the connection."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    lost = isinstance(error, OperationalError | InterfaceError) and state is None
    return error.connection_invalidated or lost or (state or "")[:2] == "08" or state in _SHUT


_SHUT = ("57P01", "57P02", "57P03")  # admin_shutdown, crash_shutdown, cannot_connect_now


def lock_number(what: str) -> int:
    """The number of an advisory lock: 64 bits with a sign, of which other programs use none by chance."""
    digest = hashlib.blake2b(f"sweeper {what}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _prepare_folder(path: Path, create: bool) -> None:
    if create:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the folder {path.parent}: {error.strerror or error}") from error
    elif not path.exists():
        raise StoreError(f"there is no {path}: no study has been made here yet; make one with sweeper grid")


def _row_of(row: Any) -> StoredStudy | UnreadableStudy:
    if not is_name(row.name):
        why = f"the study called {ascii(row.name)[:120]} is ignored: a study's name must be {NAME_RULE}"
        return UnreadableStudy(ascii(row.name)[:120], _shown_time(row.created_at), why)
    try:
        return checked_study(row)
    except ValueError as error:
        why = (
            f"study '{row.name}' is damaged in the database: {error}; bring that back from a copy, or "
            "measure again under another --study"
        )
        return UnreadableStudy(row.name, _shown_time(row.created_at), why)


def checked_study(row: Any) -> StoredStudy:
    """Raises ValueError for what is no row of a study."""
    return StoredStudy(
        values.name(row.name, "name"),
        values.moment(row.created_at, "created_at"),
        values.parsed_object(row.settings, "settings"),
        values.parsed_object(row.environment, "environment"),
        values.flag(row.complete, "complete"),
    )


def _shown_time(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 32 and value.isascii() else ""


def _make_durable(connection: Any, _record: Any) -> None:
    """A committed run survives a power cut: full fsync, and a rollback journal that kill -9 cannot tear.

    Transactions begin where SQLAlchemy says so, not where sqlite3 guesses: it commits before CREATE.
    """
    connection.isolation_level = None
    # What is no UTF-8 is refused by row_values.py, for its row alone.
    connection.text_factory = lambda data: data.decode(errors="surrogateescape")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # Another program's lock (a backup, VACUUM) is waited for as long as a PostgreSQL server that is away.
    connection.execute(f"PRAGMA busy_timeout = {round(database_waits.WAIT_S * 1000)}")
