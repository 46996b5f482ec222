"""Whom a search gives up, and how good what it finds is.

The real rounds, rule, finalists, blocks and looks; only runs are drawn. Run with -s for the table.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from sweeper.records.configuration import Configuration, Space
from sweeper.records.run import Objective
from sweeper.records.search import Trial
from sweeper.statistics.criteria import Rule
from sweeper.statistics.search import FALSE_STOPS
from sweeper.study import search_rounds as rounds
from tests.support.simulation.fixtures import Table
from tests.support.simulation.searches import (
    SURFACES,
    Bench,
    Level,
    Searched,
    flat,
    optimize,
    plateau,
    shortfall,
    space,
)

RULE = Rule()
STUDIES = 250
TRIALS = 16


def at_random(
    within: Space, found: Sequence[Trial], objectives: Sequence[Objective], wanted: int, seed: str
) -> tuple[tuple[Configuration, ...], tuple[Configuration, ...]]:
    """In place of the sampler: which configurations are proposed matters little here, and this is fast."""
    tried = {trial.configuration for trial in found}
    left = [configuration for configuration in within if configuration not in tried]
    rng = random.Random(seed)
    again = rng.sample(sorted(tried), 1) if tried else []
    return tuple(rng.sample(left, wanted)), tuple(again)


@pytest.fixture
def quick_proposals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "propose", at_random)


def wrongly(searched: Searched, level: Level) -> list[Configuration]:
    """Given up although within the tolerance of the best that was tried."""
    best = max(level(trial.configuration) for trial in searched.trials)
    return [c for c in searched.given_up if best - level(c) <= RULE.margin]


@pytest.mark.parametrize("deviation", [0.01, 0.03])
@pytest.mark.parametrize("name", ["flat", "plateau", "peak", "cliff"])
def test_good_configurations_are_hardly_ever_given_up(
    name: str, deviation: float, table: Table, quick_proposals: None
) -> None:
    """Of 250 searches at most 5% give up one that is within the tolerance of the best one they tried, with
    looks after every round; and those that are far behind do not get all their runs."""
    levels = {"flat": flat, **{surface: level for surface, (level, _) in SURFACES.items()}}
    level = levels[name]
    wrong = saved = hopeless = 0
    for seed in range(STUDIES):
        bench = Bench(level, np.random.default_rng(seed), deviation)
        searched = optimize(bench, space(), TRIALS, seed, RULE, decide=False)
        wrong += bool(wrongly(searched, level))
        far = [t for t in searched.trials if shortfall(level, space(), t.configuration) > 0.3]
        hopeless += len(far)
        saved += sum(1 for trial in far if trial.stopped and trial.runs == 1)
    table.append(
        {
            "truth": name,
            "s of 10 s": f"{deviation:.0%}",
            "searches": str(STUDIES),
            "give up a good one": f"{wrong / STUDIES:.1%}",
            "30% behind: stopped after one run": f"{saved / hopeless:.0%}" if hopeless else "-",
        }
    )
    assert wrong / STUDIES <= FALSE_STOPS


def test_the_plateaus_first_point_is_found_among_the_finalists(quick_proposals: None) -> None:
    """What takes the least of those within the tolerance goes on, not only the three that look best."""
    fewest = []
    for seed in range(30):
        bench = Bench(plateau, np.random.default_rng(seed), 0.005)
        searched = optimize(bench, space(), TRIALS, seed, RULE, decide=False)
        good = [t.configuration for t in searched.trials if plateau(t.configuration) > -0.03]
        fewest.append(min(good) in searched.finalists)
    assert sum(fewest) >= 27


@pytest.mark.parametrize("name", SURFACES)
def test_a_whole_optimization_ends_near_the_best(name: str, table: Table) -> None:
    """With the real sampler: of 25 answers at least 22 are within the tolerance of the true best."""
    level, within = SURFACES[name]
    close = told = 0
    minutes = []
    for seed in range(25):
        bench = Bench(level, np.random.default_rng(seed), 0.015)
        searched = optimize(bench, within, TRIALS, seed, RULE)
        minutes.append(searched.spent_s / 60)
        if searched.answer is not None:
            told += 1
            close += shortfall(level, within, searched.answer) <= RULE.tolerance
    table.append(
        {
            "truth": f"{name}, whole",
            "searches": "25",
            "answers": str(told),
            "within 5%": str(close),
            "minutes": f"{np.mean(minutes):.1f}",
        }
    )
    assert close >= 22
