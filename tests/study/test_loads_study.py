"""Whole studies of several loads on fakes: what a block holds, resuming, several hosts."""

from __future__ import annotations

import dataclasses
import random

import pytest

from sweeper.records.answer import Status
from sweeper.records.run import RunPlan, RunRecord
from sweeper.statistics.criteria import Rule
from sweeper.study.sharing import OneHost
from sweeper.study.study import run_study
from sweeper.study.study_state import StudyPlan, answer_so_far, next_claim
from tests.support.builders import figures, record
from tests.support.fakes import MemoryStore, Watching, World, generator, noisy
from tests.support.shared_fakes import MemorySharedStore, Table
from tests.support.studies import PEAK, PLATEAU, planned, studied

LOADS = (10.0, 100.0)
LIGHT = dict.fromkeys(PLATEAU, 90.0)


def several(rule: Rule | None = None) -> StudyPlan:
    return dataclasses.replace(planned(rule=rule or Rule(loads=2)), loads=LOADS, users=100)


def made(run: RunPlan) -> RunRecord:
    """As if it had been made, with noise of 1%: under 10 users all values are alike."""
    assert run.load is not None
    workers = run.configuration.workers
    rps = (LIGHT if run.load == 10 else PLATEAU)[workers] * (
        1 + float(generator(0, run.run_id).normal(0, 0.01))
    )
    found = record(workers, run.block, figures(rps=rps, max_concurrency=workers, pool_workers=workers))
    return dataclasses.replace(found, plan=run)


def test_each_block_has_each_value_under_each_load_one_load_after_another() -> None:
    plan = several()
    runs = plan.block(1, {})
    assert (
        len(runs) == len({run.run_id for run in runs}) == 2 * (5 + 1)
    )  # the reference twice under each load
    assert [run.position for run in runs] == list(range(1, 13))
    assert len({run.load for run in runs[:6]}) == 1
    assert {(run.load, run.configuration.workers) for run in runs} == {
        (load, workers) for load in LOADS for workers in PLATEAU
    }
    assert runs == plan.block(1, {}) != plan.block(2, {})
    assert {plan.block(number, {})[0].load for number in range(1, 9)} == set(LOADS)
    assert plan.runs_at_most == 14 * 12
    assert all(run.load is None for run in planned().block(1, {}))


def test_the_load_generator_gets_the_users_of_the_run() -> None:
    answer, store, watching, _ = studied(noisy(PEAK, noise=0.01), several())
    assert (answer.status, answer.workers) == (Status.RECOMMENDED, 8)
    assert {record.plan.load for record in store.saved} == set(LOADS)
    assert {c.workers for c, _, _ in watching.dropped} == {1, 4, 16, 32}
    assert all("users" in why for _, _, why in watching.dropped)
    assert answer.confirmation is None
    assert answer.loads is not None
    assert [one.configuration and one.configuration.workers for one in answer.loads.under] == [8, 8]


def test_the_light_load_rests_when_it_has_nothing_left_to_settle() -> None:
    """The records of a study that is made claim by claim."""
    plan, store = several(), MemoryStore()
    host = OneHost(store)
    while (claim := host.take(lambda seen: next_claim(plan, "", seen))) is not None:
        for run in host.seen().missing(claim):
            store.save(made(run), None, ())
    records = store.saved
    found = answer_so_far(plan, records)
    assert (found.status, found.workers) == (Status.RECOMMENDED, 4)
    blocks = max(r.plan.block for r in records)
    of_one = {
        load: sum(r.configuration.workers == 1 and r.plan.load == load for r in records) for load in LOADS
    }
    assert of_one[100] == 2
    assert of_one[10] <= blocks
    assert found.candidates[0].eliminated_after == 2


@pytest.mark.parametrize("at", [3, 40, 200, 900])
def test_an_interrupted_study_goes_on_to_the_same_answer(at: int) -> None:
    script, plan = noisy(PEAK, noise=0.01), several()
    whole, expected, _, _ = studied(script, plan)
    store = MemoryStore()
    world = World(script, interrupt_at=at)
    with pytest.raises(KeyboardInterrupt):
        run_study(plan, world.parts(), store, Watching())
    again, store, _, _ = studied(script, plan, store)
    assert dataclasses.replace(again, elapsed_s=0.0) == dataclasses.replace(whole, elapsed_s=0.0)
    assert {r.plan for r in store.saved} == {r.plan for r in expected.saved}


def test_several_hosts_share_it_block_by_block() -> None:
    plan, table, order = several(), Table(), random.Random(0)
    stores = {name: MemorySharedStore(table, name) for name in ("a", "b")}
    for _ in range(40):
        name = order.choice(("a", "b"))
        claim = stores[name].take(lambda seen, name=name: next_claim(plan, name, seen))
        if claim is None:
            continue
        for run in stores[name].seen().missing(claim):
            stores[name].save(dataclasses.replace(made(run), host=name), None, ())
    seen = stores["a"].seen()
    assert next_claim(plan, "a", seen) is None
    found = answer_so_far(plan, seen.records, seen.claims)
    assert (found.status, found.workers) == (Status.RECOMMENDED, 4)
    assert "several-hosts" in [finding.code for finding in found.findings]
    assert len({r.plan.run_id for r in seen.records}) == len(seen.records)
