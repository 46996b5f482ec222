from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sweeper.records.configuration import Configuration
from sweeper.study.block_order import block_plan
from tests.support.builders import configurations

counts = st.lists(st.integers(1, 64), min_size=1, max_size=10, unique=True)


@given(counts, st.sets(st.integers(1, 64)), st.integers(1, 100), st.integers(0, 2**31 - 1))
def test_every_live_configuration_runs_once_and_the_reference_twice_from_five_on(
    workers: list[int], gone: set[int], block: int, seed: int
) -> None:
    plan = block_plan(configurations(*workers), configurations(*gone), block, seed, Configuration(4))
    live = set(workers) - gone
    expected = Counter(live)
    if len(live) >= 5 and 4 in live:
        expected[4] += 1
    assert Counter(run.configuration.workers for run in plan) == expected
    assert [run.position for run in plan] == list(range(1, len(plan) + 1))
    assert len({run.run_id for run in plan}) == len(plan)
    assert {run.block for run in plan} <= {block}
    assert sum(run.sentinel for run in plan) == sum(expected.values()) - len(live)
    assert all(run.configuration.workers == 4 for run in plan if run.sentinel)


def test_the_same_arguments_give_the_same_plan_in_any_order_of_the_values() -> None:
    one = block_plan(configurations(1, 4, 8, 16, 32), (), 3, 7, Configuration(4))
    assert one == block_plan(configurations(32, 8, 1, 16, 4), (), 3, 7, Configuration(4))
    assert one != block_plan(configurations(1, 4, 8, 16, 32), (), 3, 8, Configuration(4))
    assert [r.configuration for r in one] != [
        r.configuration for r in block_plan(configurations(1, 4, 8, 16, 32), (), 4, 7, Configuration(4))
    ]


def test_a_plan_is_the_same_on_every_python() -> None:
    """A study is resumed by its run ids: they must never come to mean something else."""
    plan = block_plan(configurations(1, 4, 8, 16, 32), (), 1, 0, Configuration(4))
    assert [run.run_id for run in plan] == [
        "b01-01-w8", "b01-02-w16", "b01-03-w32", "b01-04-w1", "b01-05-w4", "b01-06-w4",
    ]  # fmt: skip


def test_run_ids_name_what_is_not_the_default() -> None:
    plan = block_plan([Configuration(4, 2), Configuration(4, 1, 3)], (), 12, 0, Configuration(4))
    assert {run.run_id[7:] for run in plan} == {"w4-t2", "w4-p3"}
    assert all(run.run_id.startswith("b12-0") for run in plan)


@pytest.mark.parametrize("live", [3, 5])
def test_the_order_is_uniform_over_seeds_and_over_blocks(live: int) -> None:
    """Every value is as likely at every position (chi-square), whichever of the two is varied."""
    values = (1, 4, 8, 16, 32)[:live]
    plans = [
        [block_plan(configurations(*values), (), 1, seed, Configuration(99)) for seed in range(1500)],
        [block_plan(configurations(*values), (), block, 0, Configuration(99)) for block in range(1, 1501)],
    ]
    for family in plans:
        seen = Counter((run.configuration.workers, run.position) for plan in family for run in plan)
        table = [seen[w, position] for w in values for position in range(1, live + 1)]
        assert stats.chisquare(table).pvalue > 0.001


def test_who_follows_whom_is_uniform() -> None:
    values = (1, 4, 8)
    follows = Counter(
        (a.configuration.workers, b.configuration.workers)
        for seed in range(3000)
        for plan in [block_plan(configurations(*values), (), 1, seed, Configuration(99))]
        for a, b in pairwise(plan)
    )
    assert len(follows) == 6
    assert stats.chisquare(list(follows.values())).pvalue > 0.001


def test_nothing_live_is_an_empty_block() -> None:
    assert block_plan(configurations(1, 4), configurations(1, 4), 1, 0, Configuration(4)) == ()
