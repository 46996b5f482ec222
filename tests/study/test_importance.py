"""Which parameter matters, where the truth is known."""

from __future__ import annotations

import pytest

from sweeper.records.configuration import Choices, Configuration, Dimension, Space
from sweeper.records.run import Objective
from sweeper.records.search import Search, Trial
from sweeper.study.proposer import importances

BOTH = (Objective.THROUGHPUT, Objective.P99)


def space(processes: tuple[int, ...] = (1, 2, 3)) -> Space:
    return Space(
        (
            Dimension("workers", Choices.between(1, 16)),
            Dimension("model_threads", Choices((1,))),
            Dimension("processes", Choices(processes)),
        )
    )


def searched(within: Space, every: int = 2, objectives: tuple[Objective, ...] = BOTH) -> Search:
    """Throughput follows the workers, and p99 the processes."""
    tried = list(within)[::every]
    values = [(10.0 * c.workers + c.processes, 900.0 / c.processes)[: len(objectives)] for c in tried]
    trials = tuple(
        Trial(number, c, 2, 2, own, None, 0.0, {})
        for number, (c, own) in enumerate(zip(tried, values, strict=True))
    )
    return Search(objectives, len(trials), within.size, trials, (), (), True)


def test_each_objective_has_its_own_order() -> None:
    found = importances(space(), searched(space()))
    assert list(found) == list(BOTH)
    assert list(found[Objective.THROUGHPUT]) == ["workers", "processes"]
    assert list(found[Objective.P99]) == ["processes", "workers"]
    assert found[Objective.THROUGHPUT]["workers"] > 0.9
    assert sum(found[Objective.P99].values()) == pytest.approx(1.0)
    assert found == importances(space(), searched(space()))


def test_nothing_is_said_where_nothing_can_be() -> None:
    alone = space(processes=(1,))
    assert importances(alone, searched(alone)) == {}
    assert importances(space(), searched(space(), every=20)) == {}
    alike = tuple(
        Trial(n, Configuration(n % 16 + 1, 1, n % 3 + 1), 1, 1, (5.0,), None, 0.0, {}) for n in range(12)
    )
    same = Search((Objective.THROUGHPUT,), 12, 48, alike, (), (), True)
    assert importances(space(), same) == {}
