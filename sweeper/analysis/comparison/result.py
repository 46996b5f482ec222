"""What a comparison is made of and what it gives: two sides, what changed in one configuration, the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sweeper.analysis.fingerprints import Difference
from sweeper.records.answer import Interval
from sweeper.records.configuration import Configuration
from sweeper.records.run import Objective, RunKind, RunRecord, valid_figures
from sweeper.statistics.criteria import Rule

DECIDES = {Objective.THROUGHPUT: "rps", Objective.P99: "p99_ms", Objective.CAPACITY: "capacity_rps"}
"""The figure that decides, by A's objective."""


class Change(StrEnum):
    WORSE = "worse"
    NOT_WORSE = "not worse"
    BETTER = "better"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two studies."""

    name: str
    records: Sequence[RunRecord]
    rule: Rule
    answer: Configuration | None  # None without one
    reference: Configuration
    environment: Mapping[str, object]  # as in environment.json
    settings: Mapping[str, object]  # those that decide what its figures mean
    # the probed speed of the host is taken out of its ratios, as its own answer does
    host_speed: bool = False

    @property
    def blocks(self) -> list[RunRecord]:
        """The runs that decide."""
        return [record for record in self.records if record.plan.kind is RunKind.BLOCK]

    def runs(self, configuration: Configuration) -> int:
        return len(valid_figures(self.blocks, configuration))


@dataclass(frozen=True, slots=True)
class FigureChange:
    """One figure of one configuration in both studies."""

    a: float  # its mean in A, in its own unit
    b: float  # its mean in B
    ratio: Interval | None  # B ÷ A; None: not to be told
    in_these_hours: Interval | None  # the same, leaving out that other hours may differ
    relative: Interval | None  # how its ratio to the reference changed; None without a reference


@dataclass(frozen=True, slots=True)
class ConfigurationChange:
    """One configuration in both studies."""

    configuration: Configuration
    runs_a: int  # valid ones
    runs_b: int  # valid ones
    figures: Mapping[str, FigureChange]  # by name
    change: Change
    by_reference: bool = False  # the change is shown beside the reference, not by itself
    limit: str = ""  # what it breaks in B, in words
    # in each study, that would decide an undecided one; None: no number would
    blocks_needed: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Study B against study A."""

    a: str  # its name
    b: str  # its name
    same_machine: bool
    environment: tuple[Difference, ...]  # what differs in it
    settings: tuple[Difference, ...]  # what differs in them
    objective: Objective  # A's
    tolerance: float  # as a share
    confidence: float
    reference: Configuration | None  # None: there is none that both have
    configurations: tuple[ConfigurationChange, ...]  # those in common
    judged: tuple[Configuration, ...]  # those that decide whether B is `worse`: A's answer, or all
    left_out: tuple[Configuration, ...]  # measured in both, and without a valid run in one of them
    host_a: float  # by how much (log) the host varied between the blocks of A, in the figure that decides
    host_b: float  # the same of B

    @property
    def decides(self) -> str:
        return DECIDES[self.objective]

    @property
    def worse(self) -> bool:
        return any(one.change is Change.WORSE for one in self.judgement)

    @property
    def judgement(self) -> tuple[ConfigurationChange, ...]:
        return tuple(one for one in self.configurations if one.configuration in self.judged)
