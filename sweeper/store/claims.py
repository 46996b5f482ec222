"""The claims of a study that several hosts share, in PostgreSQL.

A claim, and the record of a run, depend on what other hosts do. So each is one transaction under the study's
lock: it sees all that came before, and no other transaction comes in between. The database's clock alone
measures how long a host was silent.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from sweeper.errors import ClaimLostError, StoreError, UsageError
from sweeper.records.claims import Claim, Shared, claim_key
from sweeper.records.run import RunKind, RunRecord
from sweeper.store import schema
from sweeper.store.database import Database, lock_number
from sweeper.store.row_values import flag, name, parsed_object, whole
from sweeper.store.run_rows import plans_from_json, plans_to_json, row_of

LOST_AFTER_S = 60.0
"""A host that was not heard of for so long is lost, and what it was making is anybody's."""
NAME_FREE_WITHIN_S = 3.0
"""The server needs a moment to see that a sweeper was killed."""

_hosts, _claims = schema.hosts, schema.claims
_now = sa.func.clock_timestamp(type_=sa.DateTime(timezone=True))


class ClaimTable:
    """One host's view of one study."""

    def __init__(self, database: Database, study: str, host: str) -> None:
        self._database, self._study, self.host = database, study, host
        self._own: sa.Connection | None = None

    def hold_name(self) -> None:
        """Until `close`, or the end of this process, nobody else works on the study under this host's name.
        Raises UsageError where somebody does."""
        number = lock_number(f"{self._study} as {self.host}")
        deadline_s = time.monotonic() + NAME_FREE_WITHIN_S
        try:
            self._own = self._database.connect()
            while not self._own.execute(sa.select(sa.func.pg_try_advisory_lock(number))).scalar():
                if time.monotonic() > deadline_s:
                    raise UsageError(
                        f"another sweeper works on study '{self._study}' as host '{self.host}': wait for it, "
                        "or give this host a --host-name of its own"
                    )
                time.sleep(0.1)
        except SQLAlchemyError as error:
            raise self._database.failure("lock the study in", error) from error

    def hold_name_again(self) -> None:
        """Take the name again: the lost connection to the database released it. Raises StoreError if another
        sweeper has taken it since."""
        try:
            self.close()
            self.hold_name()
        except UsageError as error:
            raise StoreError(str(error)) from error

    def close(self) -> None:
        if self._own is not None:
            with suppress(SQLAlchemyError):  # there may be nobody at the other end
                self._own.invalidate()  # a connection that went back to the pool would keep the lock
                self._own.close()
            self._own = None

    @contextmanager
    def alone(self) -> Iterator[sa.Connection]:
        with self._database.exclusive("write to", self._study) as connection:
            yield connection

    def join(self, environment: dict[str, Any]) -> None:
        """Say who this host is, if that is not known yet."""
        with self.alone() as connection:
            found = sa.select(_hosts).where(_hosts.c.study == self._study, _hosts.c.host == self.host)
            if connection.execute(found).first() is None:
                connection.execute(
                    _hosts.insert().values(
                        study=self._study,
                        host=self.host,
                        environment=json.dumps(environment),
                        joined_at=_now,
                    )
                )

    def seen(self) -> Shared:
        with self._database.transaction("read") as connection:
            return self._seen_in(connection)

    def take(self, choose: Callable[[Shared], Claim | None]) -> Claim | None:
        with self.alone() as connection:
            claim = choose(self._seen_in(connection))
            if claim is None:
                return None
            known = connection.execute(self._update(claim).values(seen_at=_now)).rowcount
            if not known:
                connection.execute(
                    _claims.insert().values(
                        study=self._study,
                        kind=claim.kind.value,
                        block=claim.block,
                        attempt=claim.attempt,
                        host=self.host,
                        plan=plans_to_json(claim.runs),
                        claimed_at=_now,
                        seen_at=_now,
                    )
                )
            return claim

    def add_run(self, record: RunRecord) -> None:
        """Record a run. Raises ClaimLostError if another host has taken over its claim: decisions made since
        without the run must not change."""
        kind, block, attempt = claim_key(record.plan)
        with self.alone() as connection:
            of_block = sa.select(_claims.c.attempt, _claims.c.host).where(
                _claims.c.study == self._study, _claims.c.kind == kind.value, _claims.c.block == block
            )
            latest = connection.execute(of_block.order_by(_claims.c.attempt.desc())).first()
            if latest is None or (latest.attempt, latest.host) != (attempt, self.host):
                raise ClaimLostError(
                    f"{kind.value} {block} was taken over"
                    + (f" by host {latest.host}" if latest else "")
                    + f": this host did not report for {LOST_AFTER_S:g} s"
                )
            row, runs = row_of(record), schema.runs
            same = sa.select(runs.c.run_id).where(
                runs.c.study == self._study,
                runs.c.run_id == record.plan.run_id,
                runs.c.host == record.host,
                runs.c.started_at == record.started_at,
            )
            if connection.execute(same).first() is None:  # else it was stored, and only the reply was lost
                connection.execute(runs.insert().values(study=self._study, **row))

    def still_here(self, claim: Claim) -> None:
        with self._database.transaction("write to") as connection:
            connection.execute(self._update(claim).values(seen_at=_now))

    def give_up(self, claim: Claim) -> None:
        """Let others take it over at once."""
        long_ago = _now - timedelta(seconds=2 * LOST_AFTER_S)
        with self._database.transaction("write to") as connection:
            connection.execute(self._update(claim).values(seen_at=long_ago))

    def _update(self, claim: Claim) -> sa.Update:
        return _claims.update().where(
            _claims.c.study == self._study,
            _claims.c.kind == claim.kind.value,
            _claims.c.block == claim.block,
            _claims.c.attempt == claim.attempt,
        )

    def _seen_in(self, connection: sa.Connection) -> Shared:
        return Shared(claims_in(connection, self._study), self._database.runs_in(connection, self._study))


def claims_in(connection: sa.Connection, study: str) -> tuple[Claim, ...]:
    """In the order in which they were made."""
    silent = (_claims.c.seen_at < _now - timedelta(seconds=LOST_AFTER_S)).label("silent")
    query = sa.select(_claims, silent).where(_claims.c.study == study).order_by(_claims.c.claimed_at)
    return tuple(_claim_of(row, study) for row in connection.execute(query))


def _claim_of(row: Any, study: str) -> Claim:
    try:
        return checked_claim(row)
    except ValueError as error:
        raise StoreError(f"a claim of study '{study}' is damaged: {error}") from error


def checked_claim(row: Any) -> Claim:
    """Raises ValueError for what is no row of a claim."""
    try:
        return Claim(
            RunKind(row.kind),
            whole(row.block, "block", 0),
            whole(row.attempt, "attempt", 0),
            name(row.host, "host"),
            plans_from_json(row.plan),
            flag(row.silent, "silent"),
        )
    except (AttributeError, TypeError) as error:
        raise ValueError(str(error)) from error


def shared(database: Database, study: str) -> Shared:
    """What there is of a study, for those who only read; without claims where no hosts share it."""
    with database.transaction("read") as connection:
        claims = claims_in(connection, study) if database.shares else ()
        return Shared(claims, database.runs_in(connection, study))


def environments(database: Database, study: str) -> dict[str, dict[str, Any]]:
    """Of each host that works on a study, by name; in the order in which they joined."""
    if not database.shares:
        return {}
    query = sa.select(_hosts).where(_hosts.c.study == study).order_by(_hosts.c.joined_at)
    with database.transaction("read") as connection:
        rows = list(connection.execute(query))
    try:
        return {name(row.host, "host"): parsed_object(row.environment, "environment") for row in rows}
    except ValueError as error:
        raise StoreError(f"a host of study '{study}' is damaged in the database: {error}") from error
