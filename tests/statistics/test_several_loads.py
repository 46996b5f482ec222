"""Decisions under several loads, combined: what is acceptable, excluded, at rest, and when a study ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from sweeper.records.configuration import Configuration
from sweeper.records.run import RunRecord
from sweeper.statistics.criteria import CandidateState, Rule
from sweeper.statistics.decision import decide
from sweeper.statistics.several_loads import LoadsDecision, decide_under_loads, look_under_loads
from tests.support.builders import configurations, figures, record

LOADS = (10.0, 100.0)
RULE = Rule(loads=2)
NOISE = (1.0, 1.004, 0.997, 1.002, 0.999, 1.001)


def under(load: float, rps: Mapping[int, float], blocks: int = 3, **changes: object) -> list[RunRecord]:
    """Runs of each worker count under a load, with noise of 0.3%."""
    made = []
    for block in range(1, blocks + 1):
        for place, (workers, level) in enumerate(rps.items()):
            run = record(
                workers, block,
                figures(rps=level * NOISE[(block * 2 + place) % len(NOISE)], pool_workers=workers, **changes),
            )  # fmt: skip
            made.append(dataclasses.replace(run, plan=dataclasses.replace(run.plan, load=load)))
    return made


def decided(records: list[RunRecord], *workers: int) -> LoadsDecision:
    return decide_under_loads(records, configurations(*workers), RULE, LOADS, {})


def states(found: LoadsDecision) -> dict[int, str]:
    return {value.workers: state.value for value, state in found.states.items()}


def test_the_answer_is_the_smallest_that_is_good_under_every_load() -> None:
    light, heavy = {1: 100.0, 4: 100.0, 8: 100.0}, {1: 50.0, 4: 100.0, 8: 100.0}
    found = decided([*under(10, light), *under(100, heavy)], 1, 4, 8)
    assert states(found) == {1: "excluded", 4: "acceptable", 8: "acceptable"}
    assert (found.answer, found.settled, found.disagree) == (Configuration(4), True, False)
    assert found.by_load[10].answer == Configuration(1)


def test_a_value_that_is_the_best_under_one_load_is_compared_with_though_another_load_excludes_it() -> None:
    light, heavy = {1: 100.0, 4: 80.0, 8: 80.0}, {1: 50.0, 4: 100.0, 8: 100.0}
    found = decided([*under(10, light), *under(100, heavy)], 1, 4, 8)
    assert states(found) == {1: "excluded", 4: "excluded", 8: "excluded"}
    assert (found.answer, found.disagree, found.impossible) == (None, True, ())
    assert [one.answer for one in found.by_load.values()] == [Configuration(1), Configuration(4)]


def test_what_one_load_leaves_open_is_open() -> None:
    few = under(100, {1: 50.0, 4: 95.2, 8: 100.0}, blocks=2)
    found = decided([*under(10, {1: 100.0, 4: 100.0, 8: 100.0}), *few], 1, 4, 8)
    assert found.by_load[10].settled
    assert set(found.to_settle(100)) == set(found.open_values) != set()
    assert found.to_settle(10) == ()


def test_a_load_under_which_nothing_keeps_the_limit_ends_the_study() -> None:
    rule = dataclasses.replace(RULE, slo_p99_ms=500.0)
    fast, slow = (
        under(10, {1: 90.0, 4: 100.0}, 2, p99_ms=50.0),
        under(100, {1: 90.0, 4: 100.0}, 2, p99_ms=900.0),
    )
    seen = look_under_loads([*fast, *slow], configurations(1, 4), rule, LOADS, {}, 2)
    assert seen.last
    found = decide_under_loads([*fast, *slow], configurations(1, 4), rule, LOADS, {})
    assert found.impossible == (100,)
    assert not found.disagree


def test_what_is_hopeless_under_one_load_is_dropped_under_that_load_only() -> None:
    records = [*under(10, {1: 100.0, 4: 100.0, 8: 100.0}, 2), *under(100, {1: 50.0, 4: 100.0, 8: 100.0}, 2)]
    seen = look_under_loads(records, configurations(1, 4, 8), RULE, LOADS, {}, 2)
    assert {load: [s.configuration.workers for s in out] for load, out in seen.dropped.items()} == {
        10: [],
        100: [1],
    }
    assert not seen.last


def test_a_load_that_keeps_nothing_open_rests_and_so_does_what_another_load_excludes() -> None:
    """Under 100 users, 4 is 3% behind and open; under 10 all are alike."""
    light = under(10, {1: 100.0, 4: 100.0, 8: 100.0})
    heavy = [*under(100, {1: 50.0, 4: 100.0}), *under(100, {8: 101.0}, 1), *under(100, {8: 105.0}, 3)[1:]]
    gone = {10.0: {}, 100.0: {Configuration(1): 2}}
    seen = look_under_loads([*light, *heavy], configurations(1, 4, 8), RULE, LOADS, gone, 3)
    assert not seen.last
    assert {c.workers for c in seen.allotments[10].resting} == {1, 4, 8}
    assert not {4, 8} & {c.workers for c in seen.allotments[100].resting}


def test_where_the_loads_disagree_each_gets_its_own_answer_before_the_end() -> None:
    light, heavy = {1: 100.0, 4: 80.0, 8: 80.0}, {1: 50.0, 4: 97.0, 8: 100.0}
    records = [*under(10, light), *under(100, heavy)]
    found = decided(records, 1, 4, 8)
    seen = look_under_loads(records, configurations(1, 4, 8), RULE, LOADS, {}, 3)
    assert found.disagree
    assert seen.last == all(one.settled for one in found.by_load.values())
    if not seen.last:
        assert {c.workers for c in seen.allotments[10].resting} == {1}


@pytest.mark.parametrize("loads", [1, 2, 5])
def test_the_share_of_exclusion_is_divided_by_the_loads_that_of_acceptance_is_not(loads: int) -> None:
    runs = under(10, {1: 90.0, 4: 95.5, 8: 100.0}, 6)
    one = decide(runs, configurations(1, 4, 8), Rule())
    found = decide(runs, configurations(1, 4, 8), Rule(loads=loads))
    for alone, among in zip(one.standings, found.standings, strict=True):
        assert among.at_most == alone.at_most
        assert among.at_least < alone.at_least or loads == 1 or alone.at_least == 0.0
        assert (among.gap_low, among.gap_high) == (alone.gap_low, alone.gap_high)
    assert one.standings[0].state is CandidateState.EXCLUDED
