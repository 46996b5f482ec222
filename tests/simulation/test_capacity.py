"""Studies of the capacity within an SLO: M/G/c queues whose capacity is known, read by the real code."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest

from sweeper.records.run import Bound, Capacity, Objective, RunFigures
from sweeper.statistics.capacity import RATIO, WIDE_RATIO, expected_rps
from sweeper.statistics.criteria import CandidateState, Rule
from tests.support.builders import FIGURES
from tests.support.simulation.climbs import Service, climbed, known_capacity
from tests.support.simulation.fixtures import Table
from tests.support.simulation.studies import WORKERS, Measure, Study, study

SLO_MS = 200.0
RULE = Rule(objective=Objective.CAPACITY, slo_p99_ms=SLO_MS)
STUDIES = 8
COARSE = 0.25
"""By how much (a log) the first climb of a study may be off."""


def steady(mean_s: float) -> Service:
    return _drawn(mean_s, 0.1)


def uneven(mean_s: float) -> Service:
    return _drawn(mean_s, 0.3)


@functools.cache
def _drawn(mean_s: float, sigma: float) -> Service:
    return lambda chance: float(chance.lognormal(math.log(mean_s) - sigma**2 / 2, sigma))


Servers = Mapping[int, tuple[int, Service]]
"""By worker count: how many requests are worked on at once, and how long each takes."""
PLATEAU: Servers = {w: (min(w, 4), steady(0.05)) for w in WORKERS}
UNEVEN: Servers = {w: (min(w, 4), uneven(0.05)) for w in WORKERS}
PEAK: Servers = {
    1: (1, steady(0.05)),
    4: (4, steady(0.06)),
    8: (8, steady(0.09)),
    16: (8, steady(0.11)),
    32: (8, steady(0.14)),
}


def measured(servers: Servers, seed: int) -> Measure:
    found: dict[tuple[int, int], Capacity] = {}
    off = np.random.default_rng([seed, 99])

    def measure(position: int, block: int) -> RunFigures:
        workers = WORKERS[position]
        count, service = servers[workers]
        expected = expected_rps([one for (w, b), one in sorted(found.items()) if w == workers and b < block])
        ratio = RATIO
        if expected is None:
            ratio = WIDE_RATIO
            expected = known_capacity(count, service, SLO_MS) * math.exp(float(off.normal(0, COARSE)))
        found[workers, block] = climbed(
            count, service, SLO_MS, expected_rps=expected, seed=1000 * seed + block, workers=workers,
            ratio=ratio,
        )  # fmt: skip
        return dataclasses.replace(FIGURES, capacity=found[workers, block])

    return measure


@functools.cache
def studies(name: str) -> list[Study]:
    servers = {"plateau": PLATEAU, "uneven": UNEVEN, "peak": PEAK}[name]
    return [study(measured(servers, seed), RULE) for seed in range(STUDIES)]


def good(name: str) -> set[int]:
    """Worker counts within the tolerance of the best."""
    servers = {"plateau": PLATEAU, "uneven": UNEVEN, "peak": PEAK}[name]
    known = {w: known_capacity(*server, SLO_MS) for w, server in servers.items()}
    return {w for w in WORKERS if known[w] >= (1 - RULE.tolerance) * max(known.values())}


@pytest.mark.parametrize("name", ["plateau", "uneven", "peak"])
def test_the_right_count_is_found_and_no_wrong_one(name: str, table: Table) -> None:
    answers: Counter[object] = Counter()
    wrong = 0
    for found in studies(name):
        answer = found.decision.answer
        answers[None if answer is None else answer.workers] += 1
        states = {s.configuration.workers: s.state for s in found.decision.standings}
        wrong += answer is not None and answer.workers not in good(name)
        wrong += states[min(good(name))] is CandidateState.EXCLUDED
    blocks = np.mean([found.blocks for found in studies(name)])
    table.append(
        {
            "truth": name,
            "smallest good one": str(min(good(name))),
            "answers": str(dict(answers)),
            "blocks": f"{blocks:.1f}",
        }
    )
    assert wrong == 0
    assert answers[min(good(name))] >= 0.5 * STUDIES


@pytest.mark.parametrize("name", ["plateau", "uneven", "peak"])
def test_the_printed_capacity_is_that_of_the_queue(name: str, table: Table) -> None:
    """On average within 3%, and its intervals cover."""
    servers = {"plateau": PLATEAU, "uneven": UNEVEN, "peak": PEAK}[name]
    off, covered, intervals = [], 0, 0
    for found in studies(name):
        for candidate in found.recommendation().candidates:
            interval = candidate.capacity_rps
            if interval is None or interval.low is None or interval.high is None or candidate.blocks < 3:
                continue
            known = known_capacity(*servers[candidate.configuration.workers], SLO_MS)
            off.append(math.log(interval.mean / known))
            intervals += 1
            covered += interval.low <= known <= interval.high
    table.append(
        {
            "truth": name,
            "off": f"{np.mean(off):+.1%}",
            "deviation": f"{np.std(off):.1%}",
            "covered": f"{covered} of {intervals}",
        }
    )
    assert abs(float(np.mean(off))) < 0.03
    assert covered >= 0.85 * intervals


def test_a_run_that_gives_a_bound_says_so_and_the_next_block_looks_beyond_it() -> None:
    count, service = PLATEAU[4]
    known = known_capacity(count, service, SLO_MS)
    low = climbed(count, service, SLO_MS, expected_rps=0.7 * known, seed=3)
    assert (low.bound, low.rps <= known) == (Bound.AT_LEAST, True)
    beyond = expected_rps([low])
    assert beyond is not None
    again = climbed(count, service, SLO_MS, expected_rps=beyond, seed=4)
    assert again.bound is Bound.EXACT


def test_a_value_that_never_keeps_the_slo_is_excluded() -> None:
    """Its service alone takes longer; two cores' worth of others keep it."""
    servers = {**PLATEAU, 32: (4, steady(0.25))}
    found = study(measured_with(servers), RULE)
    states = {s.configuration.workers: s for s in found.decision.standings}
    assert states[32].state is CandidateState.EXCLUDED
    assert found.decision.answer is not None
    assert found.decision.answer.workers == 4


def measured_with(servers: Servers) -> Measure:
    """As `measured`, but where the service alone breaks the SLO the first climb ends at its lowest rate."""
    inner = measured({**servers, 32: servers[32]}, 5)

    def measure(position: int, block: int) -> RunFigures:
        if WORKERS[position] != 32:
            return inner(position, block)
        count, service = servers[32]
        one = climbed(count, service, SLO_MS, expected_rps=1.3**-block, seed=block, workers=32)
        return dataclasses.replace(FIGURES, capacity=one)

    return measure
