"""The nouns of a comparison: the two sides, what changed in one configuration, and the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sweeper.answers import Interval
from sweeper.confirmation import split
from sweeper.fingerprints import Difference
from sweeper.records import Configuration, Objective, RunRecord
from sweeper.statistics.candidates import valid_runs
from sweeper.statistics.rule import Rule

DECIDES = {Objective.THROUGHPUT: "rps", Objective.P99: "p99_ms"}
"""The figure that decides, by A's objective."""


class Change(StrEnum):
    WORSE = "worse"
    NOT_WORSE = "not worse"
    BETTER = "better"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two studies. `settings` are those that decide what its figures mean; with `host_speed` the
    probed speed of the host is taken out of its ratios, as its own answer does."""

    name: str
    records: Sequence[RunRecord]
    rule: Rule
    answer: Configuration | None
    reference: Configuration
    environment: Mapping[str, object]
    settings: Mapping[str, object]
    host_speed: bool = False

    @property
    def blocks(self) -> list[RunRecord]:
        """The runs that decide: with users in a closed loop, and not those of a search."""
        return [record for record in split(self.records)[0] if not record.plan.search]

    def runs(self, configuration: Configuration) -> int:
        return len(valid_runs(configuration, self.blocks))


@dataclass(frozen=True, slots=True)
class FigureChange:
    """One figure of one configuration: its means in both studies, and B ÷ A. `in_these_hours` leaves out that
    other hours may differ; `relative` is how the ratio to the reference changed."""

    a: float
    b: float
    ratio: Interval | None
    in_these_hours: Interval | None
    relative: Interval | None


@dataclass(frozen=True, slots=True)
class Compared:
    """One configuration. `by_reference` says that its change is shown beside the reference, not by itself;
    `limit` what it breaks in B; `blocks_needed` in each study would decide an undecided one, None where no
    number would."""

    configuration: Configuration
    runs_a: int
    runs_b: int
    figures: Mapping[str, FigureChange]
    change: Change
    by_reference: bool = False
    limit: str = ""
    blocks_needed: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """`judged` are those that decide whether B is `worse`: A's answer, or all. `left_out` were measured in
    both and have no valid run in one of them. `host_a`, `host_b`: by how much (log) the host varied between
    the blocks of each study, in the figure that decides."""

    a: str
    b: str
    same_machine: bool
    environment: tuple[Difference, ...]
    settings: tuple[Difference, ...]
    objective: Objective
    tolerance: float
    confidence: float
    reference: Configuration | None
    configurations: tuple[Compared, ...]
    judged: tuple[Configuration, ...]
    left_out: tuple[Configuration, ...]
    host_a: float
    host_b: float

    @property
    def decides(self) -> str:
        return DECIDES[self.objective]

    @property
    def worse(self) -> bool:
        return any(one.change is Change.WORSE for one in self.judgement)

    @property
    def judgement(self) -> tuple[Compared, ...]:
        return tuple(one for one in self.configurations if one.configuration in self.judged)
