"""Records of a study that several hosts share: the claims of the hosts, and the runs made so far.

A claim covers a whole block, a round of the search, or the confirmation. One host makes all its runs, because
they are compared with each other. If that host is lost, another host repeats the claim as a new attempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sweeper.records.run import RunKind, RunPlan, RunRecord


@dataclass(frozen=True, slots=True)
class Claim:
    """A block, round or confirmation that one host makes, planned from the records known at that moment."""

    kind: RunKind
    block: int  # from 1, and counted for each kind by itself; the confirmation is one whole, number 1
    attempt: int  # how many hosts had it before and were lost
    host: str  # its name; empty for a study on one host
    runs: tuple[RunPlan, ...]
    silent: bool = False  # its host was not heard of for so long that it counts as lost

    @property
    def name(self) -> str:
        return f"{self.kind.value} {self.block}"


def claim_key(plan: RunPlan) -> tuple[RunKind, int, int]:
    """Kind, number and attempt of the claim that a run belongs to."""
    return plan.kind, 1 if plan.kind is RunKind.OPEN_LOOP else plan.block, plan.attempt


@dataclass(frozen=True)
class Shared:
    """All claims and records of a study at one moment. What follows from it is the same on every host."""

    claims: tuple[Claim, ...] = ()  # none are kept where a host makes a study by itself
    records: tuple[RunRecord, ...] = ()

    @cached_property
    def recorded(self) -> dict[str, RunRecord]:
        return {record.plan.run_id: record for record in self.records}

    def of(self, kind: RunKind) -> list[Claim]:
        """In order of number and attempt."""
        found = [claim for claim in self.claims if claim.kind is kind]
        return sorted(found, key=lambda claim: (claim.block, claim.attempt))

    def attempts(self, kind: RunKind, block: int) -> list[Claim]:
        """In order; of all but the last, the host was lost."""
        return [claim for claim in self.of(kind) if claim.block == block]

    def latest(self, kind: RunKind) -> dict[int, Claim]:
        """The last attempt at each number, by number."""
        return {claim.block: claim for claim in self.of(kind)}

    def made(self, *claims: Claim) -> list[RunRecord]:
        """Recorded runs, in the order in which they were planned."""
        runs = [run.run_id for claim in claims for run in claim.runs]
        return [self.recorded[run_id] for run_id in runs if run_id in self.recorded]

    def missing(self, claim: Claim) -> list[RunPlan]:
        return [run for run in claim.runs if run.run_id not in self.recorded]
