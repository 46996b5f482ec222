"""Everything a page is made of: what is recorded of a study, read by somebody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweeper.analysis.scenarios.outcome import Outcome
from sweeper.records.answer import Candidate, Recommendation
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Verdict
from sweeper.records.observations import RunTrace
from sweeper.records.run import Objective, RunKind, RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class PageData:
    """Of a study of any command."""

    study: str
    """Its name."""
    records: tuple[RunRecord, ...]
    """All runs, in the order they were made."""
    settings: Mapping[str, Any]
    """As study.toml has them."""
    environments: Mapping[str, Mapping[str, Any]]
    """By host; one named '' where a single machine made all runs."""
    created_at: str
    """When the study was begun: UTC, as ISO 8601 writes it."""
    made_at: str
    """When the page was made, likewise."""
    repeat: str
    """The command that makes the study again; it holds no password."""
    version: str
    """Of the sweeper that makes the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioData(PageData):
    """Of `sweeper scenarios`."""

    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendationData(PageData):
    """Of a study that recommends a worker count."""

    recommendation: Recommendation
    traces: Mapping[str, RunTrace]
    """By the id of the run."""
    absent: Mapping[str, str]
    """Of the other measured runs, why there is no trace."""
    how_to_bring_files: str
    """What to do about these."""
    slo_p99_ms: float | None
    """The limit of p99; None: there is none."""
    reference: Configuration
    """What all others are compared with: DRUM's default, or what of this study comes closest to it."""
    importances: Mapping[Objective, Mapping[str, float]]
    """Shares of the variation by parameter, for each objective of a search; empty without one."""
    paste: str
    """The command that prints the answer to be pasted; it holds no password."""

    @property
    def decisive(self) -> tuple[RunRecord, ...]:
        """The runs of the blocks, whatever their verdict: not those of a search or a confirmation. Of several
        loads, those under the largest one."""
        loads = self.recommendation.loads
        largest = None if loads is None else loads.under[-1].load
        return tuple(r for r in self.records if r.plan.kind is RunKind.BLOCK and r.plan.load == largest)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return self.recommendation.candidates

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """Those that the blocks compare."""
        return tuple(candidate.configuration for candidate in self.candidates)

    @property
    def answer(self) -> Configuration | None:
        """The configuration that the page marks as the answer; None until the study is complete."""
        return self.recommendation.final

    def runs_of(self, configuration: Configuration, *, valid: bool = True) -> tuple[RunRecord, ...]:
        """Those with figures, of the blocks; only the valid ones, or also the suspect ones."""
        return tuple(
            r
            for r in self.decisive
            if r.configuration == configuration
            and r.figures is not None
            and (not valid or r.verdict is Verdict.VALID)
        )
