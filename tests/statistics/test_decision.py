"""The rule of the decision, to the letter."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.records.configuration import Configuration
from sweeper.records.finding import FindingCode, Verdict
from sweeper.records.run import Objective, RunRecord
from sweeper.statistics.alpha_spending import levels
from sweeper.statistics.criteria import CandidateState, Rule
from sweeper.statistics.decision import Decision, decide
from tests.support.builders import configurations, failed, figures, finding, record, study
from tests.support.decisions import around, exact, p99_study, runs, standing_of

A, E, U = CandidateState.ACCEPTABLE, CandidateState.EXCLUDED, CandidateState.UNSETTLED
RULE = Rule()
LOUD = (1.0, 1.1, 0.92, 1.04)


def judged(records: list[RunRecord], rule: Rule = RULE, **options: object) -> Decision:
    workers = {record.configuration for record in records}
    return decide(records, sorted(workers), rule, **options)  # type: ignore[arg-type]


def states(decision: Decision) -> dict[int, CandidateState]:
    return {s.configuration.workers: s.state for s in decision.standings}


@pytest.mark.parametrize(
    ("levels", "answer", "expected"),
    [
        ({1: 100, 4: 140, 8: 120, 16: 110, 32: 90}, 4, [E, A, E, E, E]),  # a peak
        ({1: 100, 4: 140, 8: 140, 16: 141, 32: 139}, 4, [E, A, A, A, A]),  # a plateau: its first point
        ({1: 100, 4: 100, 8: 101, 16: 99, 32: 100}, 1, [A, A, A, A, A]),  # flat: the smallest
        ({1: 60, 4: 80, 8: 100, 16: 120, 32: 140}, 32, [E, E, E, E, A]),  # rising
        ({1: 140, 4: 120, 8: 100, 16: 80, 32: 60}, 1, [A, E, E, E, E]),  # falling
        ({1: 100, 4: 137, 8: 140}, 4, [E, A, A]),  # within the tolerance of the best
        ({1: 100, 4: 130, 8: 140}, 8, [E, E, A]),  # not within it
    ],
)
def test_clear_shapes(levels: dict[int, float], answer: int, expected: list[CandidateState]) -> None:
    decision = judged(study({workers: around(level) for workers, level in levels.items()}))
    assert decision.answer == Configuration(answer)
    assert decision.settled
    assert list(states(decision).values()) == expected
    assert decision.smaller_unsettled == ()
    assert decision.blocks_needed is None


def test_some_acceptable_count_is_not_enough_to_stop() -> None:
    """8 is certainly good; 4 may be as good, and is smaller: say so, and do not stop."""
    mixed = {1: around(100), 4: [128.0, 141.0, 130.0, 139.0], 8: around(140), 16: around(139)}
    decision = judged(study(mixed))
    assert decision.answer != Configuration(4)
    assert not decision.settled
    if decision.answer is not None:
        assert decision.smaller_unsettled == (Configuration(4),)


@pytest.mark.parametrize(("behind", "state"), [(0, A), (1, A), (2, E), (4, E)])
def test_what_does_not_keep_up_with_random_arrivals_is_out(behind: int, state: CandidateState) -> None:
    records = study({4: around(140), 8: around(140)})
    mine = [r for r in records if r.configuration.workers == 4][:behind]
    slow = finding(FindingCode.FALLING_BEHIND)
    decision = judged([dataclasses.replace(r, findings=(slow,)) if r in mine else r for r in records])
    assert states(decision) == {4: state, 8: A}
    assert decision.answer == Configuration(4 if state is A else 8)
    if state is E:
        assert "does not keep up" in standing_of(decision, Configuration(4)).why


def test_noise_settles_nothing() -> None:
    decision = judged(study({w: around(level, LOUD) for w, level in {1: 139, 4: 140, 8: 141}.items()}))
    assert decision.answer is None
    assert not decision.settled
    assert states(decision) == {1: U, 4: U, 8: U}
    assert decision.residual_deviation is not None and decision.residual_deviation > 0.05
    assert decision.blocks_needed is None or decision.blocks_needed > 4


@pytest.mark.parametrize("slo", [None, 500.0])
@pytest.mark.parametrize("looks", [(2,), (3, 5, 7, 10)])
def test_gaps_and_slo_share_one_budget(slo: float | None, looks: tuple[int, ...]) -> None:
    rule = Rule(looks=looks, slo_p99_ms=slo)
    last, budget = looks[-1], 0.05 * 0.9 / 1.05  # the rest is the early look's, and for shares handed on
    halves = 1 if slo is None else 0.5
    assert rule.level(1.0, last) == pytest.approx(levels(budget * halves, looks)[-1])
    assert rule.level(0.25, looks[0]) == pytest.approx(levels(budget * halves / 4, looks)[0])
    assert rule.slo_level(5, last) == pytest.approx(levels(budget / 2 / 5, looks)[-1])
    assert rule.level(1.0, 2, elimination=True) == pytest.approx(0.005 * halves)
    assert rule.slo_level(5, 2, elimination=True) == pytest.approx(0.0005)


def test_the_level_is_that_of_the_last_look_made() -> None:
    rule = Rule(looks=(3, 5, 7, 10))
    by_block = [rule.level(1.0, after) for after in range(1, 13)]
    assert len(set(by_block)) == 4 and by_block == sorted(by_block)
    assert by_block[0] == by_block[3] < by_block[4] == by_block[5]


def test_the_margin_is_on_the_log_scale() -> None:
    assert RULE.margin == pytest.approx(-math.log(0.95))
    best = 100.0
    inside = judged(study({1: around(best * 0.96), 4: around(best)}))
    outside = judged(study({1: around(best * 0.94), 4: around(best)}))
    assert inside.answer == Configuration(1)
    assert outside.answer == Configuration(4)
    at_the_edge = judged(study({1: around(best * 0.95), 4: around(best)}))
    assert states(at_the_edge)[1] is U


def test_blocks_cancel_the_drift_of_the_host() -> None:
    drift = (1.0, 0.5, 2.0, 1.3)
    levels = {1: 100, 4: 140, 8: 141}
    plain = {w: around(level) for w, level in levels.items()}
    drifting = {w: [v * d for v, d in zip(values, drift, strict=True)] for w, values in plain.items()}
    assert states(judged(study(drifting))) == states(judged(study(plain))) == {1: E, 4: A, 8: A}


def test_for_p99_less_is_better() -> None:
    rule = Rule(objective=Objective.P99)
    decision = judged(p99_study({1: 900, 4: 500, 8: 505, 16: 700}), rule)
    assert decision.answer == Configuration(4)
    assert states(decision) == {1: E, 4: A, 8: A, 16: E}


def test_a_censored_p99_flatters_and_so_proves_nothing() -> None:
    rule = Rule(objective=Objective.P99)
    records = p99_study({1: 500, 4: 505})
    censored = [
        record(1, r.plan.block, figures(p99_ms=r.figures.latency.p99_ms, censored=0))
        if r.figures is None
        else dataclasses.replace(
            r,
            figures=dataclasses.replace(
                r.figures, latency=dataclasses.replace(r.figures.latency, censored=3)
            ),
        )
        if r.configuration == Configuration(1)
        else r
        for r in records
    ]
    assert judged(records, rule).answer == Configuration(1)
    decision = judged(censored, rule)
    assert states(decision)[1] is U
    assert "lower bound" in standing_of(decision, Configuration(1)).why
    # ... and it does not shut out another one by looking better than it is.
    worse = judged([*[r for r in censored if r.configuration.workers == 1], *p99_study({4: 600})], rule)
    assert states(worse)[4] is U


def test_the_upper_p99_limit_must_be_within_the_slo() -> None:
    rule = Rule(slo_p99_ms=650.0)
    decision = judged(p99_study({1: 600, 4: 700}), rule)
    assert states(decision) == {1: A, 4: E}
    assert "700 ms is above 650 ms" in standing_of(decision, Configuration(4)).why
    noisy = [
        record(w, block, figures(p99_ms=p99, max_concurrency=w, pool_workers=w))
        for w, values in {1: (600, 640, 560, 660), 4: (300, 301, 299, 300)}.items()
        for block, p99 in enumerate(values, start=1)
    ]
    decision = judged(noisy, rule)
    assert states(decision) == {1: U, 4: A}
    assert decision.smaller_unsettled == (Configuration(1),)
    assert decision.blocks_needed is None  # the SLO is in the way, not the gap


def test_a_censored_tail_can_break_an_slo_but_not_keep_it() -> None:
    rule = Rule(slo_p99_ms=650.0)
    records = [
        dataclasses.replace(
            r,
            figures=dataclasses.replace(
                r.figures, latency=dataclasses.replace(r.figures.latency, censored=2)
            ),
        )
        for r in p99_study({1: 600, 4: 700})
        if r.figures is not None
    ]
    decision = judged(records, rule)
    assert states(decision) == {1: U, 4: E}
    assert "at least" in standing_of(decision, Configuration(1)).why


def test_only_one_within_the_slo_can_shut_out_a_slower_one() -> None:
    """4 is much faster, but whether it keeps its SLO is open: 1 may yet be the answer."""
    records = study({1: around(100)}, p99_ms=300.0) + [
        record(4, block, figures(rps=rps, p99_ms=p99, max_concurrency=4, pool_workers=4))
        for block, (rps, p99) in enumerate(zip(around(140), (500, 800, 650, 600), strict=True), start=1)
    ]
    decision = judged(records, Rule(slo_p99_ms=650.0))
    assert states(decision) == {1: U, 4: U}
    assert judged(records).answer == Configuration(4)


def test_with_an_slo_the_answer_is_the_smallest_within_it() -> None:
    records = [
        record(w, block, figures(rps=rps, p99_ms=p99, max_concurrency=w, pool_workers=w))
        for w, level, p99 in ((1, 140, 900.0), (4, 140, 400.0), (8, 120, 300.0))
        for block, rps in enumerate(around(level), start=1)
    ]
    decision = judged(records, Rule(slo_p99_ms=500.0))
    assert decision.answer == Configuration(4)
    assert decision.settled
    assert states(decision) == {1: E, 4: A, 8: E}


def test_errors_over_the_limit_exclude() -> None:
    records = study({1: around(100), 4: around(140)})
    failing = [
        dataclasses.replace(r, figures=dataclasses.replace(r.figures, failed=20, error_rate=20 / 1400))
        if r.configuration.workers == 4 and r.figures is not None
        else r
        for r in records
    ]
    decision = judged(failing)
    assert states(decision) == {1: A, 4: E}
    assert "1.4% of its requests failed" in standing_of(decision, Configuration(4)).why
    assert judged(failing, Rule(max_error_rate=0.02)).answer == Configuration(4)


def test_a_server_failing_fast_never_sets_the_bar() -> None:
    fast = [
        record(4, block, figures(rps=50.0, completed=30_000, failed=29_500, error_rate=29_500 / 30_000))
        for block in (1, 2, 3, 4)
    ]
    very_fast = [
        record(8, block, figures(rps=900.0, completed=90_000, failed=81_000, error_rate=0.9))
        for block in (1, 2, 3, 4)
    ]
    decision = judged(study({1: around(100)}) + fast + very_fast)
    assert states(decision) == {1: A, 4: E, 8: E}
    assert decision.settled


def test_a_run_without_a_success_has_no_metric_and_breaks_nothing() -> None:
    dead = [record(4, block, figures(rps=0.0, completed=100, failed=100)) for block in (1, 2, 3, 4)]
    assert judged(study({1: around(100)}) + dead).answer == Configuration(1)
    assert judged(dead).answer is None
    tolerant = judged(study({1: around(100)}) + dead, Rule(max_error_rate=0.999))
    assert states(tolerant)[4] is E


def test_a_server_that_died_under_load_is_excluded_for_good() -> None:
    records = study({1: around(100), 4: around(140)})
    decision = judged([*records, failed(4, 5, "server-died")])
    assert states(decision) == {1: A, 4: E}
    assert "died under load in 1 of its 5 runs" in standing_of(decision, Configuration(4)).why


@pytest.mark.parametrize("code", ["server-did-not-start", "no-requests"])
def test_a_server_that_never_serves_is_excluded_once_it_has_had_two_chances(code: str) -> None:
    records = study({1: around(100), 4: around(140)})
    assert states(judged([*records, failed(8, 1, code)]))[8] is U
    decision = judged([*records, failed(8, 1, code), failed(8, 2, code)])
    assert states(decision)[8] is E
    assert decision.answer == Configuration(4)
    assert states(judged([*records, failed(8, 1, code), failed(8, 2, "load-died")]))[8] is U


def test_errors_in_suspect_runs_exclude_when_no_run_is_valid() -> None:
    def failing(block: int, *codes: str) -> RunRecord:
        bad = figures(rps=10.0, completed=3000, failed=2000, error_rate=2 / 3)
        return record(8, block, bad, verdict=Verdict.SUSPECT, findings=[finding(code) for code in codes])

    records = study({1: around(100), 4: around(140)})
    twice = judged([*records, failing(1, "errors", "client-saturated"), failing(2, "errors", "littles-law")])
    assert states(twice)[8] is E
    assert "66.7% of its requests failed" in standing_of(twice, Configuration(8)).why
    assert states(judged([*records, failing(1, "errors", "steal")]))[8] is U
    assert states(judged([*records, failing(1, "errors", "steal"), failing(2, "steal")]))[8] is E


def test_what_was_never_measured_leaves_the_answer_open() -> None:
    records = study({1: around(100), 4: around(140)})
    decision = decide(records, configurations(1, 4, 8), RULE)
    assert states(decision) == {1: E, 4: U, 8: U}
    assert standing_of(decision, Configuration(8)).why == "not run"


@pytest.mark.parametrize("verdict", [Verdict.SUSPECT, Verdict.FAILED])
def test_only_valid_runs_decide(verdict: Verdict) -> None:
    records = study({1: around(100), 4: around(140)})
    extra = [
        record(1, block, figures(rps=10_000.0), verdict=verdict, findings=[finding("steal")])
        for block in (2, 3, 4)
    ]
    assert judged([*records, *extra]) == judged(records)


def test_all_suspect() -> None:
    records = [
        record(w, b, verdict=Verdict.SUSPECT, findings=[finding("steal")]) for w in (1, 4) for b in (1, 2, 3)
    ]
    decision = judged(records)
    assert decision.answer is None
    assert states(decision) == {1: U, 4: U}
    assert standing_of(decision, Configuration(1)).why == "no valid run (steal)"


def test_no_records_and_one_configuration() -> None:
    assert decide([], configurations(1, 4), RULE).answer is None
    alone = judged(study({4: around(100)}))
    assert (alone.answer, alone.settled) == (Configuration(4), True)


def test_one_block_decides_nothing() -> None:
    assert states(judged(study({1: [10.0], 4: [1000.0]}))) == {1: U, 4: U}


def test_eliminated_stays_excluded() -> None:
    records = study({1: around(100), 4: around(100.2)})
    decision = judged(records, eliminated=[Configuration(1)])
    assert states(decision) == {1: E, 4: A}
    assert decision.answer == Configuration(4)


def test_the_elimination_look_is_stricter() -> None:
    """1 is 8% below after two blocks of 1% noise: enough for a planned look, not for the early one."""
    records = study({1: [92.0, 92.9], 4: [100.0, 99.2], 8: [99.5, 100.8], 16: [100.6, 99.9]})
    rule = Rule(looks=(2,))
    planned, early = judged(records, rule), judged(records, rule, elimination=True)
    low, strict = planned.standings[0].gap_low, early.standings[0].gap_low
    assert low is not None and strict is not None and low > strict


@pytest.mark.parametrize("deviation", [0.02, 0.03, 0.05])
def test_blocks_needed_are_those_that_settle_it_when_the_estimates_come_true(deviation: float) -> None:
    levels = {1: 100.0, 4: 140.0, 8: 141.0, 16: 139.0}
    decision = judged(exact(levels, deviation, 3))
    assert decision.residual_deviation == pytest.approx(deviation)
    needed = decision.blocks_needed
    assert needed is not None and needed > 3
    assert judged(exact(levels, deviation, needed)).settled
    assert not judged(exact(levels, deviation, needed - 1)).settled


def test_blocks_needed_are_more_than_were_made() -> None:
    """Ten whole blocks would have settled it; 8 had valid runs in three of them only."""
    records = exact({1: 100.0, 4: 140.0, 8: 141.0}, 0.025, 10)
    assert judged(records).settled
    decision = judged([r for r in records if r.configuration.workers < 8 or r.plan.block <= 3])
    assert not decision.settled
    assert decision.blocks_needed is not None and decision.blocks_needed > 10


def test_blocks_needed_leave_out_what_was_dropped() -> None:
    """1 was dropped; that it looks as good as 4 by now must not make 4 wait for it."""
    records = exact({1: 138.0, 4: 140.0, 8: 141.0}, 0.03, 3)
    dropped = judged(records, eliminated=[Configuration(1)])
    assert dropped.blocks_needed is not None
    near = exact({1: 133.5, 4: 140.0, 8: 141.0}, 0.03, 3)
    assert judged(near).blocks_needed is None
    needed = judged(near, eliminated=[Configuration(1)]).blocks_needed
    assert needed is not None and needed < 30


def test_blocks_needed_is_none_where_noise_is_not_the_obstacle() -> None:
    records = study({1: around(95.0), 4: around(100.0)})
    at_the_edge = judged(records)
    assert not at_the_edge.settled
    assert at_the_edge.blocks_needed is None


@given(
    st.lists(runs, max_size=16),
    st.builds(
        Rule,
        objective=st.sampled_from(Objective),
        slo_p99_ms=st.sampled_from([None, 0.01, 500.0]),
        tolerance=st.sampled_from([0.001, 0.05, 0.5]),
        confidence=st.sampled_from([0.5, 0.95, 0.999]),
        looks=st.sampled_from([(2,), (3, 5, 7, 10)]),
    ),
    st.booleans(),
    st.sets(st.sampled_from([1, 4, 8]), max_size=2),
)
def test_whatever_the_records_the_decision_is_consistent(
    records: list[RunRecord], rule: Rule, elimination: bool, dropped: set[int]
) -> None:
    decision = decide(
        records,
        configurations(1, 4, 8),
        rule,
        eliminated=configurations(*dropped),
        elimination=elimination,
    )
    by_workers = {s.configuration.workers: s for s in decision.standings}
    assert list(by_workers) == [1, 4, 8]
    accepted = [w for w, s in by_workers.items() if s.state is A]
    assert decision.answer == (Configuration(accepted[0]) if accepted else None)
    if decision.answer is not None:
        smaller = [s for w, s in by_workers.items() if w < decision.answer.workers]
        assert decision.settled == all(s.state is E for s in smaller)
        assert by_workers[decision.answer.workers].feasible is A
    else:
        assert not decision.settled
    for w in dropped:
        assert by_workers[w].state is E
    for standing in decision.standings:
        if standing.gap is not None and standing.gap_low is not None and standing.gap_high is not None:
            assert 0 <= standing.gap_low <= standing.gap + 1e-9
            assert standing.gap <= standing.gap_high + 1e-9
        if standing.state is E and standing.configuration.workers not in dropped:
            assert standing.feasible is E or (standing.gap_low or 0) > rule.margin


def test_the_hosts_speed_is_left_out_where_the_values_keep_different_numbers_of_cores_busy() -> None:
    """Same runs, same probe: only the cores in use differ."""
    rng = np.random.default_rng(3)

    def study_of(cores: dict[int, float]) -> list[RunRecord]:
        speeds = np.exp(rng.normal(0, 0.06, 18)).tolist()
        return [
            record(w, block, figures(rps=100.0 * (speed := speeds.pop()) ** 1.2, host_speed=5000.0 * speed,
                                     cpu_cores=cores[w]))
            for block in range(1, 7)
            for w in (1, 4, 8)
        ]  # fmt: skip

    alike = judged(study_of({1: 1.9, 4: 1.9, 8: 1.85}))
    idle = judged(study_of({1: 1.0, 4: 1.9, 8: 1.9}))
    assert alike.host_speed is not None and alike.host_speed.used
    assert idle.host_speed is not None and not idle.host_speed.used
    assert "idle" in idle.host_speed.why
