"""Whole comparisons of two servers on fakes: what is run, how, until when; resuming and interrupts."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from sweeper.analysis.scenarios.expectations import ExpectationVerdict as Held
from sweeper.analysis.scenarios.outcome import Outcome
from sweeper.analysis.scenarios.stress import Limit
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Verdict
from sweeper.records.run import RunRecord
from sweeper.records.scenarios import Scenario, Terms, Workload
from sweeper.run.timing import RunSettings
from sweeper.study.scenarios import ScenarioPlan, outcome_so_far, run_scenarios, settings_of
from tests.support.fakes import Behaviour, MemoryStore, Script, Watching, World, generator
from tests.support.scenario_terms import terms

SLOWER = {"fastapi": 1.0, "gunicorn": 0.75}


def planned(wanted: Terms | None = None) -> ScenarioPlan:
    return ScenarioPlan("both", wanted or terms(), RunSettings(cores_shared=False), "abc", {})


def bearing(most: int, *, noise: float = 0.01, latency_s: float = 0.02) -> Script:
    """Servers with a capacity of 100 requests/s times their own; beyond `most` users a tenth fails."""

    def script(configuration: Configuration, block: int, run_id: str) -> Behaviour:
        found = re.fullmatch(r"\w+-b\d+-\d+-(.+)-u(\d+)", run_id)
        assert found is not None
        server, users = found[1], int(found[2])
        speed = float(np.exp(generator(0, run_id).normal(0, noise)))
        think_s = 0.025 if users == 1 else 0.3
        rps = min(100.0 * SLOWER[server], users / (think_s + latency_s)) * speed
        pool = "honest" if server == "fastapi" else "absent"
        return Behaviour(rps=rps, pool=pool, error_share=0.1 if users > most else 0.0)

    return script


def made(
    script: Script, plan: ScenarioPlan | None = None, store: MemoryStore | None = None, **options: object
) -> tuple[Outcome, MemoryStore, Watching, World]:
    plan, store = plan or planned(), store or MemoryStore()
    world, watching = World(script, **options), Watching()  # type: ignore[arg-type]
    seen = run_scenarios(plan, world.parts(*plan.terms.servers), store, watching)
    assert world.left_running == []
    return seen, store, watching, world


def cases(records: list[RunRecord], scenario: Scenario) -> list[tuple[int, str, int]]:
    return [
        (r.plan.block, r.plan.case.server, r.plan.case.users)
        for r in records
        if r.plan.case is not None and r.plan.case.scenario == scenario
    ]


def test_each_scenario_goes_its_way_and_says_what_holds() -> None:
    seen, store, watching, _ = made(bearing(150))
    assert seen.complete
    assert [record.verdict for record in store.saved if record.plan.case.scenario != "stress"] == [
        Verdict.VALID
    ] * len(cases(store.saved, Scenario.SINGLE) + cases(store.saved, Scenario.CONCURRENT))
    single = cases(store.saved, Scenario.SINGLE)
    assert sorted(single[:2]) == [(1, "fastapi", 1), (1, "gunicorn", 1)]
    first = [case for case in cases(store.saved, Scenario.CONCURRENT) if case[0] == 1]
    assert sorted(first) == sorted((1, server, users) for users in (10, 50) for server in SLOWER)
    by_code = {one.expectation.code: one for one in seen.hypotheses}
    # At 50 users the slower server is full, and its requests queue; at 10 neither is.
    assert [test.verdict for test in by_code["lower-p99"].tests] == [Held.UNDECIDED, Held.HELD]
    assert by_code["lower-p99"].verdict is Held.UNDECIDED
    assert by_code["similar-latency"].tests[-1].verdict is Held.NOT_HELD
    load = next(one for one in seen.loads if one.users == 50)
    assert load.ratios["rps"].mean == pytest.approx(1 / 0.75, rel=0.05)
    assert [cell.case.server for cell in load.cells] == ["fastapi", "gunicorn"]
    assert all((one.last_good or 0) <= 150 < (one.first_bad or 0) for one in seen.stress)
    assert {one.limit for one in seen.stress} == {Limit.ERRORS}
    assert [scenario for scenario, _, _ in watching.looks][-1] is Scenario.STRESS
    configurations = {record.plan.case.server: record.configuration for record in store.saved}
    assert configurations == {"fastapi": Configuration(4), "gunicorn": Configuration(1)}


def test_a_scenario_ends_at_a_look_and_no_later_than_the_last() -> None:
    clear = terms(scenarios=(Scenario.CONCURRENT,), concurrency=(50,))
    _, store, _, _ = made(bearing(10_000), planned(clear))
    assert max(record.plan.block for record in store.saved) == 3
    _, store, watching, _ = made(bearing(10_000, noise=0.2), planned(clear))
    assert max(record.plan.block for record in store.saved) == 5
    assert [(block, seen.complete) for _, block, seen in watching.looks] == [(3, False), (5, True)]


def test_turns_are_for_many_users_on_a_model_that_computes() -> None:
    turns = {s: settings_of(planned(), s).interleave for s in Scenario}
    assert turns == {Scenario.SINGLE: False, Scenario.CONCURRENT: True, Scenario.STRESS: False}
    assert not settings_of(planned(terms(workload=Workload.IO)), Scenario.CONCURRENT).interleave
    alone = dataclasses.replace(planned(), run=RunSettings(interleave=False))
    assert not settings_of(alone, Scenario.CONCURRENT).interleave


def test_under_stress_a_long_latency_is_waited_for() -> None:
    """1,600 users on 100 requests/s: 16 s for each request, and so much longer a warm-up."""
    wanted = terms(scenarios=(Scenario.STRESS,), max_users=1600)
    _, store, _, _ = made(bearing(10_000), planned(wanted))
    windows = {r.plan.case.users: r.figures for r in store.saved if r.plan.case.server == "fastapi"}
    assert windows[50].warmup_s < 6
    assert windows[1600].warmup_s > 16 and windows[1600].window_s > 14
    assert windows[1600].latency.p50_ms == pytest.approx(15_700, rel=0.1)


def test_it_goes_on_where_it_was() -> None:
    whole, store, _, _ = made(bearing(150))
    for kept in (1, 5, len(store.saved) - 2):
        again = MemoryStore(tuple(store.saved[:kept]))
        resumed, _, _, _ = made(bearing(150), store=again)
        assert {r.plan.run_id for r in again.saved} == {r.plan.run_id for r in store.saved}
        assert [one.verdict for one in resumed.hypotheses] == [one.verdict for one in whole.hypotheses]
        so_far = outcome_so_far(planned(), store.saved[:kept])
        assert not so_far.complete
    assert outcome_so_far(planned(), store.saved) == whole
    before = len(store.saved)
    made(bearing(150), store=store)
    assert len(store.saved) == before


def test_an_interrupt_anywhere_leaves_nothing_running() -> None:
    small = planned(terms(concurrency=(10,), looks=(2,), max_users=50))
    _, _, _, world = made(bearing(10_000), small)
    for at in range(1, len(world.steps), 97):
        broken, store = World(bearing(10_000), interrupt_at=at), MemoryStore()
        with pytest.raises(KeyboardInterrupt):
            run_scenarios(small, broken.parts("fastapi", "gunicorn"), store, Watching())
        assert broken.left_running == []


def test_a_server_that_never_starts_is_said_and_not_compared() -> None:
    def script(configuration: Configuration, block: int, run_id: str) -> Behaviour:
        return Behaviour(dies_at_start="gunicorn" in run_id, rps=30.0)

    seen, store, _, _ = made(script, planned(terms(concurrency=(10,))))
    assert seen.complete
    assert all(one.verdict is Held.UNDECIDED for one in seen.hypotheses)
    assert not any(load.ratios for load in seen.loads)
    assert "server-did-not-start" in [finding.code for finding in seen.findings]
    # Twice in each scenario, and then it is given up.
    assert len([record for record in store.saved if record.verdict is Verdict.FAILED]) == 6
    limits = {one.server: one.limit for one in seen.stress}
    assert limits == {"fastapi": Limit.USERS, "gunicorn": Limit.START}
