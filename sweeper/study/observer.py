"""What sweeper reports to an observer while a study runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sweeper.records.answer import Recommendation
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding
from sweeper.records.run import RunPlan, RunRecord
from sweeper.records.search import Search
from sweeper.run.under_load import RunState


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a study is when runs of it start."""

    runs_done: int  # recorded so far, on whichever host
    runs_left: int  # to `until`, those that start now included
    until: str  # in words: `the look after block 3`
    run_s: float  # mean seconds of a run so far; a guess before the first

    @property
    def left_s(self) -> float:
        return self.runs_left * self.run_s


class Observer(Protocol):
    """Called on this host, in the order of what happens; never for what was recorded before."""

    def runs_started(self, plans: Sequence[RunPlan], progress: Progress) -> None: ...

    def run_state(self, plan: RunPlan, state: RunState, elapsed_s: float) -> None: ...

    def turns_tried(self, tried: Finding) -> None:
        """What came of the trial whether runs may take turns; before the first of them goes on."""

    def run_finished(self, record: RunRecord) -> None: ...

    def round_finished(self, number: int, so_far: Search) -> None:
        """A round of the search, counted from 1."""

    def block_finished(self, block: int, so_far: Recommendation) -> None: ...

    def eliminated(self, configuration: Configuration, block: int, why: str) -> None:
        """It has no runs after that block."""

    def resting(self, configurations: Sequence[Configuration], block: int) -> None:
        """They have no runs in the blocks after that one, until this is called again; empty: all have."""

    def waiting(self, why: str) -> None:
        """For other hosts. Once for each reason, not for each look."""
