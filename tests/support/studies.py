"""Studies in simulated worlds."""

from __future__ import annotations

from sweeper.records.answer import Recommendation
from sweeper.records.configuration import Configuration
from sweeper.records.run import RunRecord
from sweeper.run.timing import RunSettings
from sweeper.statistics.criteria import Rule
from sweeper.study.study import run_study
from sweeper.study.study_state import StudyPlan
from tests.support.builders import configurations
from tests.support.fakes import MemoryStore, Script, Watching, World

PLATEAU = {1: 90.0, 4: 140.0, 8: 140.0, 16: 140.0, 32: 140.0}
PEAK = {1: 80.0, 4: 110.0, 8: 140.0, 16: 115.0, 32: 90.0}


def planned(workers: tuple[int, ...] = tuple(PLATEAU), rule: Rule | None = None, seed: int = 0) -> StudyPlan:
    return StudyPlan(
        name="study",
        configurations=configurations(*workers),
        rule=rule or Rule(),
        seed=seed,
        reference=Configuration(4),
        run=RunSettings(cores_shared=False),
        fingerprint="abc",
        environment={},
    )


def studied(
    script: Script, plan: StudyPlan | None = None, store: MemoryStore | None = None, **options: object
) -> tuple[Recommendation, MemoryStore, Watching, World]:
    plan, store = plan or planned(), store or MemoryStore()
    world, watching = World(script, **options), Watching()  # type: ignore[arg-type]
    answer = run_study(plan, world.parts(), store, watching)
    assert world.left_running == []
    return answer, store, watching, world


def ids(records: list[RunRecord]) -> list[str]:
    """In the order of the plan; the runs of a block end in any."""
    return sorted(record.plan.run_id for record in records)


def whole_blocks(records: list[RunRecord], done: int) -> bool:
    """Whether the first `done` records, and the rest as well, are whole blocks."""
    return done in (0, len(records)) or records[done - 1].plan.block != records[done].plan.block
