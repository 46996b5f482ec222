from __future__ import annotations

import pytest

from sweeper.records.configuration import Configuration
from sweeper.records.finding import Verdict
from sweeper.statistics.criteria import Rule
from sweeper.statistics.decision import decide
from sweeper.statistics.interim_looks import EVERY_ONE, look, valid_blocks
from tests.support.builders import configurations, failed, figures, finding, record, study
from tests.support.decisions import exact

QUIET = (1.0, 1.001, 0.999, 1.0005, 1.0)
LEVELS = {1: 100.0, 4: 140.0, 8: 140.5}
ALL = configurations(1, 4, 8)


def blocks(count: int) -> list:
    turned = {w: QUIET[i:] + QUIET[:i] for i, w in enumerate(LEVELS)}
    return study({w: [level * f for f in turned[w][:count]] for w, level in LEVELS.items()})


def test_nothing_is_decided_before_the_first_look_and_between_planned_ones() -> None:
    rule = Rule(looks=(3, 5, 7, 10))
    for block in (1, 4, 6, 8, 9):
        seen = look(blocks(min(block, 5)), ALL, rule, {}, block)
        assert (seen.decision, seen.dropped, seen.last) == (None, (), False)


def test_after_block_two_the_hopeless_are_dropped_and_nothing_stops() -> None:
    seen = look(blocks(2), ALL, Rule(), {}, 2)
    assert [s.configuration.workers for s in seen.dropped] == [1]
    assert not seen.last


def test_the_early_look_is_stricter_than_a_planned_one() -> None:
    """7% below after two blocks of half a percent of noise: enough for a planned look only."""
    records = study({1: [93.0, 93.4], 4: [100.0, 99.2], 8: [99.5, 100.6]})
    early = look(records, ALL, Rule(looks=(3, 5)), {}, 2)
    planned = look(records, ALL, Rule(looks=(2, 5)), {}, 2)
    assert early.decision is not None and planned.decision is not None
    strict, plain = early.decision.standings[0].gap_low, planned.decision.standings[0].gap_low
    assert strict is not None and plain is not None and strict < plain


def test_a_settled_answer_on_three_blocks_is_the_last_word() -> None:
    seen = look(blocks(3), ALL, Rule(), {Configuration(1): 2}, 3)
    assert seen.dropped == ()
    assert seen.last
    assert seen.decision is not None and seen.decision.answer == Configuration(4)


def test_a_settled_answer_on_two_valid_blocks_goes_on_while_blocks_are_left() -> None:
    records = [
        record(r.configuration.workers, 3, r.figures, verdict=Verdict.SUSPECT, findings=[finding("steal")])
        if (r.plan.block, r.configuration.workers) == (3, 8)
        else r
        for r in blocks(3)
    ]
    seen = look(records, ALL, Rule(), {}, 3)
    assert seen.decision is not None and seen.decision.settled
    assert not seen.last
    assert look(records, ALL, Rule(looks=(3,)), {}, 3).last  # none are left


def test_a_value_that_the_look_itself_excludes_needs_its_valid_blocks_too() -> None:
    """Else the study would stop, and its answer be provisional for want of a third block."""
    records = [
        record(1, 2, r.figures, verdict=Verdict.SUSPECT, findings=[finding("steal")])
        if (r.plan.block, r.configuration.workers) == (2, 1)
        else r
        for r in blocks(3)
    ]
    seen = look(records, ALL, Rule(), {}, 3)
    assert seen.decision is not None and seen.decision.settled
    assert [s.configuration.workers for s in seen.dropped] == [1]
    assert not seen.last
    assert look([*records, *blocks(4)[9:]], ALL, Rule(), {Configuration(1): 3}, 4).last


def test_two_blocks_are_all_a_quick_study_has() -> None:
    assert look(blocks(2), ALL, Rule(looks=(2,)), {}, 2).last


def test_an_unsettled_study_ends_with_its_last_look() -> None:
    noisy = study({1: [100.0, 140.0, 90.0], 4: [140.0, 95.0, 120.0]})
    assert not look(noisy, configurations(1, 4), Rule(looks=(3, 10)), {}, 3).last
    assert look(noisy, configurations(1, 4), Rule(looks=(3,)), {}, 3).last


def test_a_study_that_cannot_settle_any_more_ends_with_the_answer_that_stands() -> None:
    """4 is 5% behind to a hair: six more blocks will not tell on which side. 8 is an answer meanwhile."""
    edge = exact({1: 60.0, 4: 95.0, 8: 100.0}, 0.018, 8)
    before = exact({1: 60.0, 4: 95.0, 8: 100.0}, 0.018, 6)
    gone = {Configuration(1): 2}
    seen = look(edge, ALL, Rule(), gone, 8)
    assert seen.last and seen.decision is not None and seen.decision.futile
    assert (seen.decision.answer, seen.decision.settled) == (Configuration(8), False)
    assert not look(before, ALL, Rule(), gone, 6).last  # it may be one bad block that tells so
    assert not look(exact({1: 60.0, 4: 97.0, 8: 100.0}, 0.018, 8), ALL, Rule(), gone, 8).last


@pytest.mark.parametrize(
    ("levels", "rests"),
    [
        ({4: 97.0, 8: 100.0, 16: 99.9, 32: 96.5}, {32}),  # 4 is open only because of 8 and 16
        ({4: 96.0, 8: 100.0, 16: 96.5, 32: 96.5}, {16, 32}),
        ({4: 97.0, 8: 100.0, 16: 100.0, 32: 100.0}, set()),  # because of all
        ({4: 96.5, 8: 96.5, 16: 100.0, 32: 100.0}, set()),  # two are open, and nothing smaller is good
    ],
)
def test_values_rest_that_what_is_open_is_shown_to_be_as_good_as(
    levels: dict[int, float], rests: set[int]
) -> None:
    seen = look(
        exact({1: 60.0, **levels}, 0.016, 5),
        configurations(1, 4, 8, 16, 32),
        Rule(),
        {Configuration(1): 2},
        5,
    )
    assert seen.decision is not None
    assert {c.workers for c in seen.allotment.resting} == rests, [
        (s.configuration.workers, s.state, s.at_most) for s in seen.decision.standings
    ]


def test_nothing_rests_before_three_valid_blocks() -> None:
    two = exact({1: 60.0, 4: 96.0, 8: 100.0, 16: 96.5, 32: 96.5}, 0.004, 2)
    assert look(two, configurations(1, 4, 8, 16, 32), Rule(looks=(2, 5)), {}, 2).allotment == EVERY_ONE


def test_when_nothing_is_left_the_study_ends() -> None:
    broken = [record(w, b, figures(failed=700)) for w in (1, 4) for b in (1, 2)]
    seen = look(broken, configurations(1, 4), Rule(), {}, 2)
    assert len(seen.dropped) == 2
    assert seen.last


@pytest.mark.parametrize(
    ("change", "eliminated", "expected"),
    [
        ({}, {}, 4),
        ({(2, 8): Verdict.SUSPECT}, {}, 3),
        ({(2, 8): Verdict.SUSPECT, (3, 1): Verdict.SUSPECT}, {}, 2),
        ({(2, 8): Verdict.SUSPECT, (2, 1): Verdict.SUSPECT}, {}, 3),
        ({(3, 1): None, (4, 1): None}, {1: 2}, 4),  # dropped after block 2: not waited for
        ({(3, 1): None, (4, 1): None}, {}, 2),
        (
            {(1, 1): Verdict.SUSPECT, (3, 1): None, (4, 1): None},
            {1: 2},
            4,
        ),  # the others are compared all the same
        ({(b, 8): Verdict.SUSPECT for b in (1, 2, 3, 4)}, {}, 4),  # never valid: nothing to wait for
    ],
)
def test_valid_blocks(
    change: dict[tuple[int, int], Verdict | None], eliminated: dict[int, int], expected: int
) -> None:
    records = [
        record(w, r.plan.block, r.figures, verdict=verdict)
        for r in blocks(4)
        if (verdict := change.get((r.plan.block, w := r.configuration.workers), Verdict.VALID)) is not None
    ]
    gone = {Configuration(w): block for w, block in eliminated.items()}
    decision = decide(records, ALL, Rule(), eliminated=tuple(gone))
    assert valid_blocks(records, decision, gone) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({(4, 1): None, (5, 1): None}, 5),  # 1 rests from block 4 on
        ({(4, 1): None, (5, 1): None, (5, 8): Verdict.SUSPECT}, 4),
        ({(3, 1): None, (4, 1): None, (5, 1): None}, 2),  # not yet: it is lacking
        ({(5, 1): None, (5, 4): None}, 4),  # a block of one value compares nothing
    ],
)
def test_blocks_in_which_values_rest_count_after_three_whole_ones(
    change: dict[tuple[int, int], Verdict | None], expected: int
) -> None:
    records = [
        record(w, r.plan.block, r.figures, verdict=verdict)
        for r in blocks(5)
        if (verdict := change.get((r.plan.block, w := r.configuration.workers), Verdict.VALID)) is not None
    ]
    assert valid_blocks(records, decide(records, ALL, Rule()), {}) == expected


def test_a_configuration_whose_server_died_is_not_waited_for() -> None:
    records = [r for r in blocks(3) if (r.plan.block, r.configuration.workers) != (3, 8)]
    records.append(failed(8, 3, "server-died"))
    decision = decide(records, ALL, Rule())
    assert valid_blocks(records, decision, {}) == 3


def test_of_a_pair_one_valid_run_is_enough() -> None:
    records = [*blocks(3), record(4, 1, verdict=Verdict.SUSPECT, sentinel=True)]
    assert valid_blocks(records, decide(records, ALL, Rule()), {}) == 3
