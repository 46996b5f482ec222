"""Searches on several hosts, on fakes: rounds under way at once, lost hosts, one set of finalists for all."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter

import pytest

from sweeper.records.answer import Recommendation, Status
from sweeper.records.claims import Claim
from sweeper.records.configuration import Configuration
from sweeper.records.run import RunKind, RunPlan, RunRecord
from sweeper.study.optimization import (
    OptimizePlan,
    answer_of_search,
    next_round,
    run_shared_optimization,
    search_state_of,
)
from sweeper.study.search_rounds import RUNS_AT_MOST
from sweeper.study.study_state import next_claim
from tests.support.builders import figures, record
from tests.support.fakes import Behaviour, Script, Watching, World, generator
from tests.support.optimizations import FOUR, Kept, optimized, peak, planned
from tests.support.shared_fakes import MemorySharedStore, Table
from tests.support.shared_studies import SPEED, host


def searched(
    script: Script, table: Table, plan: OptimizePlan | None = None, name: str = "a"
) -> tuple[Recommendation, Watching, Kept]:
    world, watching, kept = World(script), Watching(), Kept()
    store = MemorySharedStore(table, name)
    answer = run_shared_optimization(plan or planned(), host(name), world.parts(), store, watching, kept)
    assert world.left_running == []
    return answer, watching, kept


def test_one_host_alone_searches_as_ever() -> None:
    alone, store, seen_alone, kept_alone = optimized(peak())
    table = Table()
    answer, watching, kept = searched(peak(), table)
    assert [r.plan for r in table.records] == [r.plan for r in store.saved]
    assert dataclasses.replace(answer, elapsed_s=0.0) == dataclasses.replace(alone, elapsed_s=0.0)
    assert [number for number, _ in watching.rounds] == [number for number, _ in seen_alone.rounds]
    assert kept.calls[-1] == kept_alone.calls[-1]
    windows = {(r.plan.search, round(r.figures.window_s)) for r in table.records if r.figures is not None}
    assert windows == {(True, 5), (False, 10)}
    again, _, _ = searched(peak(), table, name="b")
    assert again == answer


def test_a_server_that_ignores_the_worker_count_ends_the_search() -> None:
    table = Table()
    answer, _, kept = searched(lambda c, block, run_id: Behaviour(pool="fixed"), table)
    assert (answer.status, answer.workers, answer.complete) == (Status.INCONCLUSIVE, None, True)
    assert kept.calls[-1][2] is True
    assert next_round(planned(), "b", table.seen()) is None


def test_a_first_run_that_fails_is_no_reason_to_give_up_while_the_round_is_under_way() -> None:
    table = Table()
    claim = table.take("a", lambda seen: next_round(planned(), "a", seen))
    assert claim is not None
    failed = record(1, 1, verdict="failed")  # type: ignore[arg-type]
    table.add(dataclasses.replace(failed, plan=claim.runs[0], host="a", figures=None))
    assert not search_state_of(planned(), table.seen()).pointless
    assert next_round(planned(), "b", table.seen()) is not None


def test_rounds_under_way_at_once_try_different_things() -> None:
    plan, table = planned(), Table()
    claims = [table.take(name, lambda s, name=name: next_round(plan, name, s)) for name in "abc"]
    assert [claim.block for claim in claims if claim] == [1, 2, 3]
    tried = Counter(run.configuration for claim in claims if claim for run in claim.runs)
    assert tried.pop(FOUR) == 3  # the reference is in each
    assert len(tried) >= 3 + 3  # what a has begun is due again, with others that are new
    assert max(tried.values()) <= RUNS_AT_MOST


# --- whatever the interleaving --------------------------------------------------------------------------


def recorded(run: RunPlan, name: str) -> RunRecord:
    workers = run.configuration.workers
    level = 200.0 * min(workers, 16) / 16 / (1 + max(0, workers - 16) / 100)
    noise = generator(0, f"{run.run_id} {name}").normal(0, 0.01)
    made = record(workers, 1, figures(rps=level * SPEED[name] * 2.718**noise))
    return dataclasses.replace(made, plan=run, host=name)


def next_of(plan: OptimizePlan, name: str, table: Table) -> Claim | None:
    course = search_state_of(plan, table.seen())
    if course.complete:
        final = plan.final(course.finalists())
        return table.take(name, lambda seen: next_claim(final, name, seen))
    return table.take(name, lambda seen: next_round(plan, name, seen))


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_interleaving_all_hosts_find_the_same_finalists(seed: int) -> None:
    plan, table, chance = planned(trials=9), Table(), random.Random(seed)
    claims: dict[str, Claim | None] = dict.fromkeys(SPEED)
    finalists: set[tuple[Configuration, ...]] = set()
    lost = 0
    for _ in range(2000):
        name = chance.choice(list(SPEED))
        claim = claims[name]
        if claim is not None and chance.random() < 0.05 and lost < 3:
            lost += 1
            table.silent.add(name)
            claims[name] = None
        elif claim is None:
            claims[name] = next_of(plan, name, table)
            table.silent.discard(name)
        elif missing := table.seen().missing(claim):
            try:
                table.add(recorded(missing[0], name))
            except Exception as error:
                assert "was taken over" in str(error)
                claims[name] = None
        else:
            claims[name] = None
        course = search_state_of(plan, table.seen()) if claims[name] is None else None
        if course is not None and course.complete:
            finalists.add(course.finalists())
            if not any(claims.values()) and next_of(plan, name, table) is None:
                break
    else:
        pytest.fail("it never ends")
    seen = table.seen()
    ids = [r.plan.run_id for r in seen.records]
    assert len(ids) == len(set(ids))
    assert len(finalists) == 1
    counts = Counter(
        r.configuration for claim in seen.latest(RunKind.SEARCH).values() for r in seen.made(claim)
    )
    assert len(counts) == 9
    assert all(count <= RUNS_AT_MOST for configuration, count in counts.items() if configuration != FOUR)
    answer = answer_of_search(plan, seen)
    assert answer.complete
    assert answer.configuration in finalists.pop()
    shuffled = list(seen.records)
    chance.shuffle(shuffled)
    again = dataclasses.replace(seen, records=tuple(shuffled), claims=seen.claims[::-1])
    assert answer_of_search(plan, again) == answer


def test_a_round_made_again_for_a_lost_host_keeps_the_numbers_of_the_trials() -> None:
    """Others watch the trials by number, and a run that came first need not be the first of its round."""
    plan, table = planned(), Table()
    claim = table.take("a", lambda seen: next_round(plan, "a", seen))
    assert claim is not None
    table.add(recorded(claim.runs[-1], "a"))
    before = [t.configuration for t in search_state_of(plan, table.seen()).trials(planned=claim.runs)]
    table.silent.add("a")
    again = table.take("b", lambda seen: next_round(plan, "b", seen))
    assert again is not None
    assert (again.block, again.attempt) == (1, 1)
    assert [run.configuration for run in again.runs] == [run.configuration for run in claim.runs]
    after = [t.configuration for t in search_state_of(plan, table.seen()).trials(planned=again.runs)]
    assert after == before
    for run in again.runs:
        table.add(recorded(run, "b"))
    assert [t.configuration for t in search_state_of(plan, table.seen()).trials()] == before
