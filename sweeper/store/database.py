"""The database: which studies there are, with which settings, and every run of theirs.

Tables are prefixed `sweeper_`: Optuna's own (`studies`, `trials`, …) may live in the same file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from sweeper.errors import StoreError
from sweeper.records import RunRecord
from sweeper.store.codec import figures_to_json, findings_to_json, parameters_to_json, record_of

SCHEMA_VERSION = 1

_metadata = sa.MetaData()
_schema = sa.Table("sweeper_schema", _metadata, sa.Column("version", sa.Integer, primary_key=True))
_studies = sa.Table(
    "sweeper_studies",
    _metadata,
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("created_at", sa.String(32), nullable=False),
    sa.Column("settings", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("complete", sa.Boolean, nullable=False, default=False),
)
_runs = sa.Table(
    "sweeper_runs",
    _metadata,
    sa.Column("study", sa.String(200), sa.ForeignKey("sweeper_studies.name"), primary_key=True),
    sa.Column("run_id", sa.String(100), primary_key=True),
    sa.Column("block", sa.Integer, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("workers", sa.Integer, nullable=False),
    sa.Column("model_threads", sa.Integer, nullable=False),
    sa.Column("processes", sa.Integer, nullable=False),
    sa.Column("sentinel", sa.Boolean, nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("started_at", sa.String(32), nullable=False),
    sa.Column("elapsed_s", sa.Float, nullable=False),
    sa.Column("figures", sa.Text),
    sa.Column("findings", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("arrivals_per_s", sa.Float),
    sa.Column("search", sa.Boolean),
    sa.Column("parameters", sa.Text),
)
_LATE = ("arrivals_per_s", "search", "parameters")
"""Columns of `sweeper_runs` that came after version 1. A reader does without them, a writer adds them; an
older sweeper passes them over, so that the version stays."""


@dataclass(frozen=True, slots=True)
class StoredStudy:
    """A study's row. `settings` and `environment` are as they were when it was created."""

    name: str
    created_at: str
    settings: dict[str, Any]
    environment: dict[str, Any]
    complete: bool


class Database:
    """One `studies.db`. Every method commits before it returns; errors are StoreErrors."""

    def __init__(self, url: str, *, create: bool = True) -> None:
        try:
            self._url = sa.make_url(url)
            if self._is_sqlite and self._url.database:
                _prepare_folder(Path(self._url.database), create)
            self._engine = sa.create_engine(self._url)
        except (SQLAlchemyError, ModuleNotFoundError) as error:
            raise StoreError(
                f"cannot use {self._where if hasattr(self, '_url') else url} as a database: {error}; it must "
                "be like sqlite:///studies/studies.db"
            ) from error
        self._begin = "BEGIN"
        self._missing: frozenset[str] = frozenset()
        if self._is_sqlite:
            event.listen(self._engine, "connect", _make_durable)
            event.listen(self._engine, "begin", lambda connection: connection.exec_driver_sql(self._begin))
        try:
            self._set_up()
            self._catch_up(create)
        except BaseException:
            self.close()
            raise

    def _set_up(self) -> None:
        with self._transaction("open") as connection:
            version = _version(connection)
        if version is None:
            # Two sweepers may come here at once: the first to hold the lock makes the tables.
            self._begin = "BEGIN IMMEDIATE"
            with self._transaction("open") as connection:
                _metadata.create_all(connection)
                version = _version(connection)
                if version is None:
                    connection.execute(_schema.insert().values(version=SCHEMA_VERSION))
            self._begin = "BEGIN"
        if version not in (None, SCHEMA_VERSION):
            raise StoreError(
                f"{self._where} has schema version {version}, this sweeper reads {SCHEMA_VERSION}: use the "
                "sweeper that wrote it, or another --studies-dir"
            )

    def _catch_up(self, create: bool) -> None:
        with self._transaction("open") as connection:
            self._missing = _missing(connection)
        if not self._missing or not create:
            return
        self._begin = "BEGIN IMMEDIATE"
        with self._transaction("write to") as connection:
            for name in sorted(_missing(connection)):
                kind = _runs.c[name].type.compile(self._engine.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {_runs.name} ADD COLUMN {name} {kind}")
        self._begin = "BEGIN"
        self._missing = frozenset()

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def _where(self) -> str:
        if self._is_sqlite and self._url.database:
            return self._url.database
        return self._url.render_as_string(hide_password=True)

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            cause = str(error.orig) if isinstance(error, DBAPIError) else str(error)
            raise StoreError(f"cannot {doing} {self._where}: {cause}") from error

    def close(self) -> None:
        self._engine.dispose()

    def create_study(self, study: StoredStudy) -> None:
        with self._transaction("write to") as connection:
            connection.execute(
                _studies.insert().values(
                    name=study.name,
                    created_at=study.created_at,
                    settings=json.dumps(study.settings),
                    environment=json.dumps(study.environment),
                    complete=study.complete,
                )
            )

    def studies(self) -> tuple[StoredStudy, ...]:
        """All studies, oldest first."""
        with self._transaction("read") as connection:
            rows = connection.execute(sa.select(_studies).order_by(_studies.c.created_at, _studies.c.name))
            return tuple(_study_of(row) for row in rows)

    def study(self, name: str) -> StoredStudy | None:
        with self._transaction("read") as connection:
            row = connection.execute(sa.select(_studies).where(_studies.c.name == name)).first()
            return None if row is None else _study_of(row)

    def mark_complete(self, name: str) -> None:
        with self._transaction("write to") as connection:
            connection.execute(_studies.update().where(_studies.c.name == name).values(complete=True))

    def add_run(self, study: str, record: RunRecord) -> None:
        plan = record.plan
        with self._transaction("write to") as connection:
            connection.execute(
                _runs.insert().values(
                    study=study,
                    run_id=plan.run_id,
                    block=plan.block,
                    position=plan.position,
                    workers=plan.configuration.workers,
                    model_threads=plan.configuration.model_threads,
                    processes=plan.configuration.processes,
                    sentinel=plan.sentinel,
                    verdict=record.verdict.value,
                    started_at=record.started_at,
                    elapsed_s=record.elapsed_s,
                    figures=figures_to_json(record.figures),
                    findings=findings_to_json(record.findings),
                    fingerprint=record.fingerprint,
                    arrivals_per_s=plan.arrivals_per_s,
                    search=plan.search,
                    parameters=parameters_to_json(plan.configuration.parameters),
                )
            )

    def runs(self, study: str) -> tuple[RunRecord, ...]:
        """A study's runs in the order they were made: the rounds of the search, the blocks, then the rounds
        of the confirmation."""
        columns = [c for c in _runs.c if c.name not in self._missing]
        order: list[sa.ColumnElement[Any]] = []
        if "search" not in self._missing:
            order.append(sa.case((_runs.c.search.is_(True), 0), else_=1))
        if "arrivals_per_s" not in self._missing:
            order.append(_runs.c.arrivals_per_s.is_not(None))
        query = sa.select(*columns).where(_runs.c.study == study)
        query = query.order_by(*order, _runs.c.block, _runs.c.position)
        with self._transaction("read") as connection:
            return tuple(record_of(row) for row in connection.execute(query))


def _prepare_folder(path: Path, create: bool) -> None:
    if not create:
        if not path.exists():
            raise StoreError(f"there is no {path}: no study has been made here yet")
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {path.parent}: {error.strerror or error}") from error


def _version(connection: sa.Connection) -> int | None:
    if not sa.inspect(connection).has_table(_schema.name):
        return None
    version: int | None = connection.execute(sa.select(_schema.c.version)).scalar()
    return version


def _missing(connection: sa.Connection) -> frozenset[str]:
    """Late columns that the table of runs, if there is one, does not have yet."""
    inspector = sa.inspect(connection)
    if not inspector.has_table(_runs.name):
        return frozenset()
    return frozenset(_LATE) - {column["name"] for column in inspector.get_columns(_runs.name)}


def _study_of(row: Any) -> StoredStudy:
    try:
        settings, environment = dict(json.loads(row.settings)), dict(json.loads(row.environment))
    except (TypeError, ValueError) as error:
        raise StoreError(f"study '{row.name}' is damaged in the database: {error}") from error
    return StoredStudy(row.name, row.created_at, settings, environment, bool(row.complete))


def _make_durable(connection: Any, _record: Any) -> None:
    """A committed run survives a power cut: full fsync, and a rollback journal that kill -9 cannot tear.

    Transactions begin where SQLAlchemy says so, not where sqlite3 guesses: it commits before CREATE.
    """
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA busy_timeout = 10000")
    cursor.close()
