"""A trial before the first block decides whether runs take turns: once, and for the whole study."""

from __future__ import annotations

import dataclasses

import pytest

from sweeper.records.finding import FindingCode, Verdict
from sweeper.records.run import RunKind
from sweeper.statistics.criteria import Rule
from sweeper.study.study import run_shared_study
from sweeper.study.study_state import StudyPlan, answer_so_far
from tests.support import optimizations
from tests.support.fakes import Behaviour, MemoryStore, Script, Watching, World, noisy
from tests.support.shared_fakes import MemorySharedStore, Table
from tests.support.shared_studies import host
from tests.support.studies import PEAK, planned, studied

EVERY = {workers: 20.0 * min(workers, 8) for workers in range(1, 33)}
# A request of one user takes 50 ms, for 1 ms of which the server computes. It would show in turns, too.
WAITS = noisy(EVERY | PEAK, noise=0.01, alone_ms=50.0, cpu_ms=1.0, run_delay_ms=0.1, waits_outside=True)
COMPUTES = noisy(EVERY | PEAK, noise=0.01)


def to_try(rule: Rule | None = None) -> StudyPlan:
    plan = planned(tuple(PEAK), rule)
    return dataclasses.replace(plan, run=dataclasses.replace(plan.run, try_turns=True))


@pytest.mark.parametrize(("script", "in_turns"), [(WAITS, False), (COMPUTES, True)])
def test_all_blocks_count_whichever_way_they_are_made(script: Script, in_turns: bool) -> None:
    answer, store, watching, world = studied(script, to_try())
    assert (answer.workers, answer.complete) == (8, True)
    assert {record.verdict for record in store.saved} == {Verdict.VALID}
    assert ("freeze" in world.steps) is in_turns
    assert answer.blocks_made is not None
    assert answer.blocks_made.in_turns is in_turns
    assert answer.blocks_made.trial is not None
    assert answer.blocks_made.trial["in_turns"] is in_turns
    assert [tried.message for tried in watching.tried] == [answer.blocks_made.why]
    assert [record.has(FindingCode.TURNS_TRIED) for record in store.saved].count(True) == 1
    assert FindingCode.TURNS_TRIED not in [finding.code for finding in answer.findings]


@pytest.mark.parametrize(("script", "in_turns"), [(WAITS, False), (COMPUTES, True)])
def test_a_search_makes_the_trial_and_its_answer_says_so(script: Script, in_turns: bool) -> None:
    """Its finalists' blocks are made as the trial says, before which there was a search."""
    plan = optimizations.planned((1, 16), trials=4)
    runs = {"run": dataclasses.replace(plan.blocks.run, try_turns=True)}
    plan = dataclasses.replace(plan, blocks=dataclasses.replace(plan.blocks, **runs))
    plan = dataclasses.replace(plan, search_run=dataclasses.replace(plan.search_run, try_turns=True))
    answer, store, *_ = optimizations.optimized(script, plan)
    tried = [record.plan.kind for record in store.saved if record.has(FindingCode.TURNS_TRIED)]
    assert tried == [RunKind.SEARCH]
    assert answer.blocks_made is not None and answer.blocks_made.trial is not None
    assert answer.blocks_made.in_turns is answer.blocks_made.trial["in_turns"] is in_turns


@pytest.mark.parametrize("script", [WAITS, COMPUTES])
def test_a_resumed_study_goes_by_the_trial_that_was_made(script: Script) -> None:
    whole, store, _, _ = studied(script, to_try())
    for kept in (1, 3, 7):
        again = MemoryStore(tuple(store.saved[:kept]))
        answer, _, watching, world = studied(script, to_try(), again)
        tried = any(record.has(FindingCode.TURNS_TRIED) for record in store.saved[:kept])
        assert watching.tried == []
        assert answer.workers == whole.workers
        if script is WAITS:  # its first run, which made the trial, is the first to end
            assert tried
            assert "freeze" not in world.steps
            assert answer.blocks_made == whole.blocks_made


def test_without_the_trial_turns_are_given_up_after_a_block() -> None:
    answer, store, watching, _ = studied(WAITS, planned(tuple(PEAK)))
    assert watching.tried == []
    suspect = {record.plan.block for record in store.saved if record.has(FindingCode.OUTSIDE_WAITS)}
    assert suspect == {1}
    assert answer.blocks_made is not None
    assert answer.blocks_made.in_turns is False
    assert "outside-waits" in answer.blocks_made.why


def test_a_trial_that_tells_nothing_leaves_the_turns() -> None:
    """No schedstat: nobody knows how long threads wait for a core."""
    answer, _, watching, world = studied(noisy(PEAK, noise=0.01, run_delay_ms=None), to_try())
    assert answer.workers == 8
    assert "freeze" in world.steps
    assert "could not tell" in watching.tried[0].message


def test_a_server_that_does_not_start_is_tried_no_more_often_than_it_is_run() -> None:
    answer, store, watching, _ = studied(lambda *plan: Behaviour(dies_at_start=True), to_try())
    assert watching.tried == []
    assert answer.workers is None
    assert {record.verdict for record in store.saved} == {Verdict.FAILED}


def test_hosts_go_by_one_trial() -> None:
    table, plan = Table(), to_try(Rule(looks=(4,)))
    tried = []
    for name in ("a", "b"):
        world, watching = World(WAITS), Watching()
        store = MemorySharedStore(table, name)
        member = dataclasses.replace(host(name), run=plan.run)
        run_shared_study(plan, member, world.parts(), store, watching)
        assert "freeze" not in world.steps
        tried += watching.tried
    assert len(tried) == 1
    answer = answer_so_far(plan, table.records, table.claims)
    assert answer.blocks_made is not None
    assert answer.blocks_made.in_turns is False
