"""Pairs of simulated studies: the same blocks, looks and decision as real ones; only runs are drawn.

A study sees the host in a state of its own hours, around which it varies from block to block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sweeper.analysis.comparison.compare import compare
from sweeper.analysis.comparison.result import Change, Comparison, Side
from sweeper.records.configuration import Configuration
from sweeper.records.run import RunFigures
from tests.support.simulation.studies import RULE, WORKERS, Host, Levels, figures_of, study

FOUR, EIGHT = Configuration(4), Configuration(8)


@dataclass(frozen=True)
class Machine:
    """`hours` is how much the host differs from study to study, `drift` from block to block (with `memory`
    from one to the next), `deviation` one run from another; all of them sd of the log."""

    deviation: float = 0.02
    drift: float = 0.0
    hours: float = 0.0
    memory: float = 0.0


def side(name: str, levels: Levels, machine: Machine, rng: np.random.Generator, cores: int = 2) -> Side:
    host = Host(rng, machine.drift, machine.memory)
    hours = float(rng.normal(0, machine.hours))

    def measure(position: int, block: int) -> RunFigures:
        error = rng.normal(0, machine.deviation)
        return figures_of(math.exp(5 + levels[position] + hours + host.in_block(block) + error))

    made = study(measure)
    answer = made.recommendation().configuration
    return Side(name, made.records, RULE, answer, FOUR, {"cores": cores}, {})


@dataclass(frozen=True)
class Pairs:
    """Counts of pairs: how many exit with 1, and how many show each change of what is judged."""

    made: int
    worse: int
    changes: dict[Change, int]

    @property
    def share(self) -> float:
        return self.worse / self.made


def pairs(
    a: Levels,
    b: Levels,
    machine: Machine,
    count: int,
    seed: int,
    *,
    judge_all: bool = False,
    cores_b: int = 2,
) -> Pairs:
    rng = np.random.default_rng([seed, *(round(1000 * level) % 97 for level in b)])
    worse, changes = 0, dict.fromkeys(Change, 0)
    for _ in range(count):
        seen = one_pair(a, b, machine, rng, judge_all, cores_b)
        worse += seen.worse
        for one in seen.judgement:
            changes[one.change] += 1
    return Pairs(count, worse, changes)


def one_pair(
    a: Levels, b: Levels, machine: Machine, rng: np.random.Generator, judge_all: bool, cores_b: int
) -> Comparison:
    first, second = side("a", a, machine, rng), side("b", b, machine, rng, cores_b)
    return compare(first, second, RULE.tolerance, judge_all=judge_all)


def lowered(levels: Levels, by: float, *positions: int) -> Levels:
    """`by` is a share, of all configurations where none is named."""
    chosen = positions or range(len(WORKERS))
    return tuple(level + (math.log(1 - by) if i in chosen else 0.0) for i, level in enumerate(levels))
