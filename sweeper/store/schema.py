"""The tables. They are prefixed `sweeper_`: Optuna's own (`studies`, `trials`, …) may live beside them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

SCHEMA_VERSION = 1

metadata = sa.MetaData()
schema = sa.Table("sweeper_schema", metadata, sa.Column("version", sa.Integer, primary_key=True))
studies = sa.Table(
    "sweeper_studies",
    metadata,
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("created_at", sa.String(32), nullable=False),
    sa.Column("settings", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("complete", sa.Boolean, nullable=False, default=False),
)
runs = sa.Table(
    "sweeper_runs",
    metadata,
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
    sa.Column("attempt", sa.Integer),
    sa.Column("host", sa.String(100)),
    sa.Column("scenario", sa.String(64)),
    sa.Column("server", sa.String(64)),
    sa.Column("users", sa.Integer),
    sa.Column("expected_rps", sa.Float),
    sa.Column("load", sa.Float),
)
hosts = sa.Table(
    "sweeper_hosts",
    metadata,
    sa.Column("study", sa.String(200), sa.ForeignKey("sweeper_studies.name"), primary_key=True),
    sa.Column("host", sa.String(100), primary_key=True),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
)
claims = sa.Table(
    "sweeper_claims",
    metadata,
    sa.Column("study", sa.String(200), sa.ForeignKey("sweeper_studies.name"), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("block", sa.Integer, primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("host", sa.String(100), nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
)

_LATE_COLUMNS = (
    "arrivals_per_s", "search", "parameters", "attempt", "host", "scenario", "server", "users",
    "expected_rps",
    "load",
)  # fmt: skip
_LATE_TABLES = (hosts, claims)
"""What came after version 1. A reader does without, a writer adds it; an older sweeper passes it over, so
that the version stays."""


def version_in(connection: sa.Connection) -> int | None:
    """None where there are no tables of ours."""
    if not sa.inspect(connection).has_table(schema.name):
        return None
    version: int | None = connection.execute(sa.select(schema.c.version)).scalar()
    return version


def make(connection: sa.Connection) -> None:
    metadata.create_all(connection)
    if version_in(connection) is None:
        connection.execute(schema.insert().values(version=SCHEMA_VERSION))


def missing_from(connection: sa.Connection) -> frozenset[str]:
    """Names of late columns of `sweeper_runs` and of late tables that are not there yet."""
    inspector = sa.inspect(connection)
    if not inspector.has_table(runs.name):
        return frozenset()
    columns = {column["name"] for column in inspector.get_columns(runs.name)}
    tables = {table.name for table in _LATE_TABLES if not inspector.has_table(table.name)}
    return frozenset(_LATE_COLUMNS) - columns | tables


def catch_up(connection: sa.Connection) -> None:
    """Add what is missing."""
    for name in sorted(missing_from(connection) & set(_LATE_COLUMNS)):
        kind = runs.c[name].type.compile(connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {runs.name} ADD COLUMN {name} {kind}")
    metadata.create_all(connection, tables=_LATE_TABLES)


def as_stored(table: sa.Table, missing: frozenset[str] = frozenset()) -> sa.Select[Any]:
    """A SELECT of its columns, but for those missing, without SQLAlchemy's reading of them: in SQLite
    anything may be in any column."""
    there = [column for column in table.columns if column.name not in missing]
    return sa.select(*(sa.type_coerce(column, _Stored).label(column.name) for column in there))


class _Stored(sa.types.TypeDecorator[Any]):
    impl = sa.types.NullType
    cache_ok = True
