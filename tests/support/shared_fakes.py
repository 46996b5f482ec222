"""A study shared by several hosts, in memory: what PostgreSQL promises, without it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sweeper.errors import ClaimLostError
from sweeper.records.claims import Claim, Shared, claim_key
from sweeper.records.observations import RequestLog, TelemetrySample
from sweeper.records.run import RunRecord

Result = TypeVar("Result")


class Table:
    """All claims and records. `silent` holds names of hosts that nobody has heard of for long."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []
        self.records: list[RunRecord] = []
        self.silent: set[str] = set()

    def seen(self) -> Shared:
        claims = (dataclasses.replace(claim, silent=claim.host in self.silent) for claim in self.claims)
        return Shared(tuple(claims), tuple(self.records))

    def take(self, host: str, choose: Callable[[Shared], Claim | None]) -> Claim | None:
        claim = choose(self.seen())
        if claim is None:
            return None
        assert claim.host == host
        same = [known for known in self.claims if _key(known) == _key(claim)]
        if not same:
            assert claim.runs
            self.claims.append(claim)
        else:
            assert (same[0].host, same[0].runs) == (host, claim.runs)
        return claim

    def add(self, record: RunRecord) -> None:
        kind, block, attempt = claim_key(record.plan)
        latest = self.seen().attempts(kind, block)[-1]
        if (latest.attempt, latest.host) != (attempt, record.host):
            raise ClaimLostError(f"{latest.name} was taken over by host {latest.host}")
        assert record.plan.run_id not in {known.plan.run_id for known in self.records}
        self.records.append(record)


def _key(claim: Claim) -> tuple[object, ...]:
    return claim.kind, claim.block, claim.attempt


class MemorySharedStore:
    """One host's view of it. `before_save` is called with what is about to be recorded."""

    def __init__(self, table: Table, host: str) -> None:
        self.table, self.host = table, host
        self.before_save: Callable[[RunRecord], None] = lambda record: None

    def run_directory(self, run_id: str) -> Path:
        return Path("runs") / run_id

    def save(
        self, record: RunRecord, requests: RequestLog | None, telemetry: tuple[TelemetrySample, ...]
    ) -> None:
        self.before_save(record)
        self.table.add(record)

    def records(self) -> tuple[RunRecord, ...]:
        return tuple(self.table.records)

    def seen(self) -> Shared:
        return self.table.seen()

    def take(self, choose: Callable[[Shared], Claim | None]) -> Claim | None:
        return self.table.take(self.host, choose)

    @contextmanager
    def holding(self, claim: Claim) -> Iterator[None]:
        yield

    def patiently(self, act: Callable[[], Result]) -> Result:
        return act()

    @contextmanager
    def alone(self) -> Iterator[None]:
        yield
