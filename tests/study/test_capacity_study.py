"""Studies of the capacity within an SLO: where each run looks, and that a resumed study looks there, too."""

from __future__ import annotations

import dataclasses

import pytest

from sweeper.records.configuration import Configuration
from sweeper.records.run import Objective
from sweeper.statistics.criteria import Rule
from sweeper.study.study_state import StudyPlan
from tests.support.fakes import Behaviour, MemoryStore
from tests.support.studies import planned, studied

SLO_MS = 200.0
# Slots of 40 ms, 44 from 8 on: 4 and 8 workers take 100 and 182 requests/s at most, 16 no more than 8.
BUSY = {4: 4 / 0.04, 8: 8 / 0.044, 16: 8 / 0.044}


def script(configuration: Configuration, block: int, run_id: str) -> Behaviour:
    workers = configuration.workers
    return Behaviour(rps=BUSY[workers], alone_ms=workers / BUSY[workers] * 1000)


def plan() -> StudyPlan:
    made = planned(tuple(BUSY), Rule(objective=Objective.CAPACITY, slo_p99_ms=SLO_MS, tolerance=0.1))
    return dataclasses.replace(made, run=dataclasses.replace(made.run, capacity_within_ms=SLO_MS))


def test_the_first_block_finds_the_range_and_the_others_look_around_it() -> None:
    answer, store, _, world = studied(script, plan())
    assert answer.workers == 8
    by_workers = {candidate.configuration.workers: candidate for candidate in answer.candidates}
    assert by_workers[4].state == "excluded"
    for workers, most in BUSY.items():
        capacity = by_workers[workers].capacity_rps
        assert capacity is not None
        assert 0.6 * most < capacity.mean < most
    for record in store.saved:
        assert (record.plan.expected_rps is None) is (record.plan.block == 1)
        found = record.figures.capacity if record.figures is not None else None
        assert found is not None
        assert len(found.steps) == 5
        if record.plan.expected_rps is not None:
            assert found.steps[2].arrivals_per_s == pytest.approx(record.plan.expected_rps)
    assert not world.left_running


def test_a_resumed_study_makes_the_runs_that_it_would_have_made() -> None:
    whole, store, _, _ = studied(script, plan())
    for kept in range(1, len(store.saved), 3):
        again = MemoryStore(tuple(store.saved[:kept]))
        answer, resumed, _, _ = studied(script, plan(), again)
        assert {r.plan for r in resumed.saved} >= {r.plan for r in store.saved[:kept]}
        assert answer.workers == whole.workers


def test_a_server_that_dies_while_its_range_is_looked_for_is_a_failed_run() -> None:
    answer, store, _, world = studied(
        lambda *of: dataclasses.replace(script(*of), dies_after_s=2.0 if of[0].workers == 16 else None),
        plan(),
    )
    assert answer.workers == 8
    died = [r for r in store.saved if r.configuration.workers == 16]
    assert {finding.code for record in died for finding in record.findings} >= {"server-died"}
    assert not world.left_running
