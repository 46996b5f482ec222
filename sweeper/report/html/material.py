"""Everything a page is made of: what is recorded of a study, read by somebody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweeper.answers import Candidate, Recommendation
from sweeper.records import Configuration, Objective, RunRecord, Verdict
from sweeper.scenarios.outcome import Outcome
from sweeper.traces import RunTrace


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyMaterial:
    """Of a study of any command. `environments` are by host, with one named '' where a single machine made
    all runs. `repeat` is the command that makes the study again; it holds no password.
    """

    study: str
    records: tuple[RunRecord, ...]
    settings: Mapping[str, Any]
    environments: Mapping[str, Mapping[str, Any]]
    created_at: str
    made_at: str
    repeat: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared(AnyMaterial):
    """Of `sweeper scenarios`."""

    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Material(AnyMaterial):
    """Of a study that recommends a worker count. `traces` are by run; `absent` says of the other measured
    runs why there is none. `importances` are shares by parameter, for each objective of a search. `paste`
    prints the answer to be pasted; it holds no password.
    """

    recommendation: Recommendation
    traces: Mapping[str, RunTrace]
    absent: Mapping[str, str]
    slo_p99_ms: float | None
    reference: Configuration
    importances: Mapping[Objective, Mapping[str, float]]
    paste: str

    @property
    def decisive(self) -> tuple[RunRecord, ...]:
        """The runs of the blocks, whatever their verdict: not those of a search or a confirmation."""
        return tuple(r for r in self.records if not r.plan.search and r.plan.arrivals_per_s is None)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return self.recommendation.candidates

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """Those that the blocks compare."""
        return tuple(candidate.configuration for candidate in self.candidates)

    @property
    def answer(self) -> Configuration | None:
        """What is marked as such: before the end there is none, because nobody planned to look yet."""
        return self.recommendation.configuration if self.recommendation.complete else None

    def runs_of(self, configuration: Configuration, *, valid: bool = True) -> tuple[RunRecord, ...]:
        """Those with figures, of the blocks; only the valid ones, or also the suspect ones."""
        return tuple(
            r
            for r in self.decisive
            if r.configuration == configuration
            and r.figures is not None
            and (not valid or r.verdict is Verdict.VALID)
        )
