"""Searches in simulated worlds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sweeper.records.answer import Recommendation
from sweeper.records.claims import Shared
from sweeper.records.configuration import Choices, Configuration, Dimension, Space
from sweeper.records.run import Objective, RunRecord
from sweeper.records.search import Search
from sweeper.run.timing import RunSettings
from sweeper.statistics.criteria import Rule
from sweeper.study.optimization import OptimizePlan, answer_of_search, run_optimization
from sweeper.study.search_rounds import SearchSpace
from sweeper.study.study_state import StudyPlan
from tests.support.fakes import Behaviour, MemoryStore, Script, Watching, World, generator

FOUR = Configuration(4)


class Kept:
    """A TrialLog that keeps what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Search, int, bool]] = []

    def keep(self, search: Search, runs: Sequence[RunRecord], *, finished: bool) -> None:
        self.calls.append((search, len(runs), finished))


def planned(
    workers: tuple[int, int] = (1, 64),
    threads: tuple[int, ...] = (1,),
    trials: int = 12,
    rule: Rule | None = None,
    objectives: tuple[Objective, ...] = (Objective.THROUGHPUT,),
    **options: object,
) -> OptimizePlan:
    space = Space(
        (
            Dimension("workers", Choices.between(*workers)),
            Dimension("model_threads", Choices(threads)),
            Dimension("processes", Choices((1,))),
        )
    )
    settings = RunSettings(cores_shared=False)
    blocks = StudyPlan("study", (), rule or Rule(), 0, FOUR, settings, "abc", {}, **options)  # type: ignore[arg-type]
    search = SearchSpace(space, FOUR, objectives, trials, 0)
    return OptimizePlan(search, dataclasses.replace(settings, window_s=5.0), blocks)


def peak(noise: float = 0.01, drift: float = 0.15, best: int = 16, seed: int = 0) -> Script:
    """Throughput rises to `best` workers and falls slowly from there."""

    def script(configuration: Configuration, block: int, run_id: str) -> Behaviour:
        workers = configuration.workers
        level = 200.0 * min(workers, best) / best / (1 + max(0, workers - best) / 100)
        level *= 0.8 ** (configuration.model_threads - 1)
        host = generator(seed, f"{run_id[0]} {block}").normal(0, drift)
        error = generator(seed, run_id).normal(0, noise)
        return Behaviour(rps=level * float(2.718281828 ** (host + error)))

    return script


def optimization_so_far(plan: OptimizePlan, records: Sequence[RunRecord]) -> Recommendation:
    """What the records of one host give."""
    return answer_of_search(plan, Shared(records=tuple(records)))


def optimized(
    script: Script, plan: OptimizePlan | None = None, store: MemoryStore | None = None, **options: object
) -> tuple[Recommendation, MemoryStore, Watching, Kept]:
    plan, store = plan or planned(), store or MemoryStore()
    world, watching, kept = World(script, **options), Watching(), Kept()  # type: ignore[arg-type]
    answer = run_optimization(plan, world.parts(), store, watching, kept)
    assert world.left_running == []
    return answer, store, watching, kept
