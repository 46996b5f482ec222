"""The nouns of a search as frozen records: what it tried, and what it took into the final blocks."""

from __future__ import annotations

from dataclasses import dataclass

from sweeper.records.configuration import Configuration
from sweeper.records.run import Objective


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration that a search tried, with all its runs."""

    number: int
    configuration: Configuration
    runs: int  # all of them
    measured_runs: int  # those that have figures
    # of the objectives in their own units (requests/s, ms), the host's changes taken out; empty where no run
    # has figures
    values: tuple[float, ...]
    p99_ms: float | None  # whatever is aimed at; None where no run has figures
    error_rate: float | None  # share of the completed requests that failed; None where no run has figures
    constraints: dict[str, float]  # by how much a limit is exceeded, by name: kept at 0 and below
    stopped: str = ""  # why it was given up before it had all its runs, if it was
    rps: float | None = None  # requests/s, whatever is aimed at; None where no run has figures

    def figure(self, objective: Objective) -> float | None:
        """In the objective's own unit, whether or not it was aimed at."""
        if objective is Objective.CAPACITY:
            return self.values[0] if self.values else None  # always the only one that is aimed at
        return self.rps if objective is Objective.THROUGHPUT else self.p99_ms

    @property
    def keeps_limits(self) -> bool:
        return bool(self.constraints) and all(excess <= 0 for excess in self.constraints.values())


@dataclass(frozen=True, slots=True)
class Search:
    """What a search tried."""

    objectives: tuple[Objective, ...]
    wanted: int  # trials it was to make, no more than `space_size`
    space_size: int  # how many different configurations there are
    trials: tuple[Trial, ...]
    front: tuple[int, ...]  # numbers of the trials that none beats in every objective
    finalists: tuple[Configuration, ...]  # went on to the final blocks, which alone decide
    complete: bool
