"""What a study writes to and tells: a store in memory, an observer that remembers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sweeper.analysis.scenarios.outcome import Outcome
from sweeper.records.answer import Recommendation
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding
from sweeper.records.observations import RequestLog, TelemetrySample
from sweeper.records.run import RunPlan, RunRecord
from sweeper.records.scenarios import Scenario
from sweeper.records.search import Search
from sweeper.run.under_load import RunState
from sweeper.study.observer import Progress


class MemoryStore:
    """Records in a list; `folders` says which run directories were asked for."""

    def __init__(self, records: tuple[RunRecord, ...] = ()) -> None:
        self.saved = list(records)
        self.folders: list[str] = []

    def run_directory(self, run_id: str) -> Path:
        self.folders.append(run_id)
        return Path("runs") / run_id

    def save(
        self, record: RunRecord, requests: RequestLog | None, telemetry: tuple[TelemetrySample, ...]
    ) -> None:
        assert record.plan.run_id not in {saved.plan.run_id for saved in self.saved}
        self.saved.append(record)

    def records(self) -> tuple[RunRecord, ...]:
        return tuple(self.saved)


class Watching:
    """An observer that keeps what it was told."""

    def __init__(self) -> None:
        self.states: list[tuple[str, RunState]] = []
        self.progress: list[Progress] = []
        self.finished: list[RunRecord] = []
        self.blocks: list[tuple[int, Recommendation]] = []
        self.dropped: list[tuple[Configuration, int, str]] = []
        self.rests: list[tuple[tuple[Configuration, ...], int]] = []
        self.rounds: list[tuple[int, Search]] = []
        self.waits: list[str] = []
        self.tried: list[Finding] = []
        self.looks: list[tuple[Scenario, int, Outcome]] = []

    def runs_started(self, plans: Sequence[RunPlan], progress: Progress) -> None:
        self.progress.append(progress)

    def run_state(self, plan: RunPlan, state: RunState, elapsed_s: float) -> None:
        self.states.append((plan.run_id, state))

    def turns_tried(self, tried: Finding) -> None:
        self.tried.append(tried)

    def run_finished(self, record: RunRecord) -> None:
        self.finished.append(record)

    def block_finished(self, block: int, so_far: Recommendation) -> None:
        self.blocks.append((block, so_far))

    def eliminated(self, configuration: Configuration, block: int, why: str) -> None:
        self.dropped.append((configuration, block, why))

    def resting(self, configurations: Sequence[Configuration], block: int) -> None:
        self.rests.append((tuple(configurations), block))

    def round_finished(self, number: int, so_far: Search) -> None:
        self.rounds.append((number, so_far))

    def waiting(self, why: str) -> None:
        self.waits.append(why)

    def scenario_look(self, scenario: Scenario, block: int, so_far: Outcome) -> None:
        self.looks.append((scenario, block, so_far))
