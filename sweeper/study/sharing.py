"""How hosts share a study: which of them makes what. A study on one host is the case of one.

No host leads. Each host claims whole blocks (or rounds of a search). If a host is lost, another host makes
its block again. The records and claims alone decide what comes next, and the answer, so that each host finds
both by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sweeper.records.claims import Claim, Shared
from sweeper.records.observations import RequestLog, TelemetrySample
from sweeper.records.run import RunKind, RunPlan, RunRecord
from sweeper.run.interfaces import RunStore
from sweeper.run.timing import RunSettings

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Host:
    """This host, where the runs are made."""

    name: str  # among those that share the study; empty where none does
    run: RunSettings  # how runs are made here
    fingerprint: str  # of this host's environment


class OneHost:
    """A `SharedStore` for a host by itself: its claims follow from the records, and are kept nowhere."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._claims: list[Claim] = []

    def seen(self) -> Shared:
        return Shared(tuple(self._claims), self._store.records())

    def take(self, choose: Callable[[Shared], Claim | None]) -> Claim | None:
        """Claim what `choose` names. If all its runs are recorded, ask again until some are missing."""
        records = self._store.records()
        while True:
            seen = Shared(tuple(self._claims), records)
            claim = choose(seen)
            if claim is not None and claim not in self._claims:
                self._claims.append(claim)
            if claim is None or seen.missing(claim):
                return claim

    def holding(self, claim: Claim) -> AbstractContextManager[None]:
        return nullcontext()

    def alone(self) -> AbstractContextManager[None]:
        return nullcontext()

    def patiently(self, act: Callable[[], Result]) -> Result:
        return act()

    def run_directory(self, run_id: str) -> Path:
        return self._store.run_directory(run_id)

    def save(
        self, record: RunRecord, requests: RequestLog | None, telemetry: tuple[TelemetrySample, ...]
    ) -> None:
        self._store.save(record, requests, telemetry)

    def records(self) -> tuple[RunRecord, ...]:
        return self._store.records()


def choose(
    seen: Shared,
    kind: RunKind,
    host: str,
    numbers: Iterable[int],
    planned: Callable[[int, int], Sequence[RunPlan]],
) -> Claim | None:
    """What this host has begun, or else the first of `numbers` that nobody has, or whose host is lost.

    `planned` gives the runs by number and attempt.
    """
    unfinished = {number: claim for number, claim in seen.latest(kind).items() if seen.missing(claim)}
    for claim in unfinished.values():
        if claim.host == host:
            return claim
    for number in numbers:
        before = seen.attempts(kind, number)
        if not before or (number in unfinished and unfinished[number].silent):
            attempt = len(before)
            return Claim(kind, number, attempt, host, tuple(planned(number, attempt)))
    return None


def what_others_make(seen: Shared, host: str) -> str:
    """For people who wait for it: `block 3 on b, block 4 on c`; empty where nobody makes anything."""
    return ", ".join(
        f"{claim.name} on {claim.host}"
        for kind in RunKind
        for claim in seen.latest(kind).values()
        if claim.host != host and seen.missing(claim)
    )
