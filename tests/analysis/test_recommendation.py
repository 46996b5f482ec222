"""Four outcomes and their sentences, as a user reads them."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.records.answer import Status
from sweeper.records.finding import Severity, Verdict
from sweeper.records.run import Objective, RunRecord
from sweeper.report.json.recommendation import recommendation_object
from sweeper.statistics.criteria import Rule
from tests.support.builders import failed, figures, finding, record
from tests.support.decisions import around, exact, p99_study, runs
from tests.support.recommendations import TEN, answer, levels

SMALL = Rule(slo_p99_ms=500.0, looks=(2,))
TAIL = Rule(objective=Objective.P99, confidence=0.999)


def test_a_plateau_with_a_fall() -> None:
    seen = answer(levels(TEN))
    assert (seen.status, seen.workers, seen.tied, seen.blocks) == (Status.RECOMMENDED, 4, (4, 8, 16), 4)
    assert seen.reason == (
        "4 workers give throughput within 5% of the best (95% confidence); 1 does not; 8 and 16 would "
        "bring no gain that matters; 32 is worse."
    )


@pytest.mark.parametrize(
    ("records", "rule", "workers", "reason"),
    [
        (
            levels({1: 100, 4: 100, 8: 100}),
            Rule(),
            1,
            "1 worker, the smallest count tried, gives throughput within 5% of the best (95% confidence); "
            "4 and 8 would bring no gain that matters.",
        ),
        (
            levels({1: 60, 4: 100, 8: 140}),
            Rule(confidence=0.999, tolerance=0.025),
            8,
            "8 workers give throughput within 2.5% of the best (99.9% confidence); 1 and 4 do not; 8 is the "
            "largest count tried, so more workers may do better.",
        ),
        (
            p99_study({1: 900, 4: 500, 8: 505, 16: 700}),
            Rule(objective=Objective.P99),
            4,
            "4 workers give a p99 within 5% of the best (95% confidence); 1 does not; 8 would bring no gain "
            "that matters; 16 is worse.",
        ),
        (
            [
                record(w, block, figures(rps=rps, p99_ms=p99))
                for w, level, p99 in ((1, 140, 900.0), (4, 140, 400.0), (8, 120, 300.0), (16, 141, 401.0))
                for block, rps in enumerate(around(level), 1)
            ],
            Rule(slo_p99_ms=500.0),
            4,
            "4 workers give throughput within 5% of the best with p99 within 500 ms (95% confidence); 1 is "
            "ruled out (its p99 of 900 ms is above 500 ms); 16 would bring no gain that matters; 8 is worse.",
        ),
        (
            [*levels({1: 100, 4: 140}), failed(8, 1, "server-died"), failed(8, 2, "server-died")],
            Rule(),
            4,
            "4 workers give throughput within 5% of the best (95% confidence); 1 does not; 8 is ruled out "
            "(its server died under load in all of its 2 runs).",
        ),
        (
            exact({1: 100.0, 4: 136.0, 8: 141.0, 16: 141.0}, 0.018, 10),
            Rule(),
            8,
            "8 workers give throughput within 5% of the best (95% confidence); 1 does not; the runs do not "
            "settle whether 4 would do as well (about 17 blocks would tell); 16 would bring no gain that "
            "matters.",
        ),
    ],
    ids=["flat", "rising", "p99", "slo", "died", "smaller-unsettled"],
)
def test_recommended(records: list[RunRecord], rule: Rule, workers: int, reason: str) -> None:
    seen = answer(records, rule)
    assert (seen.status, seen.workers) == (Status.RECOMMENDED, workers)
    assert seen.reason == reason


def test_a_smaller_one_that_is_open_is_named() -> None:
    seen = answer(exact({1: 100.0, 4: 136.0, 8: 141.0, 16: 141.0}, 0.018, 10))
    assert seen.smaller_unsettled == (4,)
    assert seen.tied == (4, 8, 16)


def test_two_blocks_are_provisional() -> None:
    seen = answer(levels(TEN, blocks=2), Rule(looks=(2,)))
    assert (seen.status, seen.workers, seen.blocks) == (Status.PROVISIONAL, 4, 2)
    assert seen.reason.endswith(
        "32 is worse; provisional, because only 2 blocks have a valid run of every value (3 such blocks are "
        "needed)."
    )


def test_three_blocks_of_which_one_is_not_whole_are_provisional() -> None:
    records = [
        dataclasses.replace(r, verdict=Verdict.SUSPECT, findings=(finding("steal"),))
        if (r.plan.block, r.configuration.workers) in {(1, 8), (2, 16)}
        else r
        for r in levels(TEN, blocks=3)
    ]
    seen = answer(records, Rule(looks=(3,)))
    assert (seen.status, seen.blocks) == (Status.PROVISIONAL, 1)
    assert "only 1 block has a valid run of every value" in seen.reason


def test_a_search_has_tried_others_than_its_finalists() -> None:
    smallest = answer(levels({1: 100, 4: 100, 8: 100}), of_a_search=True)
    assert smallest.reason.startswith("1 worker, the smallest count in the final blocks, gives throughput")
    largest = answer(levels({1: 60, 4: 100, 8: 140}), of_a_search=True)
    assert largest.workers == 8 and largest.reason.endswith("; 1 and 4 do not.")


def test_an_interrupted_study_is_provisional_and_says_that_it_is_not_finished() -> None:
    seen = answer(levels(TEN), complete=False)
    assert (seen.status, seen.workers, seen.complete) == (Status.PROVISIONAL, 4, False)
    assert seen.reason.endswith("; provisional, because the study is not finished.")


def test_noise() -> None:
    seen = answer(exact({1: 139.0, 4: 140.0, 8: 141.0}, 0.05, 10))
    assert (seen.status, seen.workers, seen.tied) == (Status.INCONCLUSIVE, None, (1, 4, 8))
    assert seen.reason == (
        "the runs do not settle at 95% confidence which of 1, 4 and 8 give throughput within 5% of the best; "
        "the smallest count still possible is 1; the noise of one run is 5.0%, so this takes about "
        "22 blocks: start a new study with --max-blocks 22."
    )
    assert seen.smaller_unsettled == ()


def test_too_much_noise() -> None:
    assert answer(exact({1: 139.0, 4: 140.0, 8: 141.0}, 0.2, 10)).reason.endswith(
        "the noise of one run is 20.0%, too much for any sensible number of blocks: use a quieter machine or "
        "raise --tolerance."
    )


def test_a_value_without_a_valid_run() -> None:
    saturated = [
        record(4, block, verdict=Verdict.SUSPECT, findings=[finding("client-saturated")]) for block in (1, 2)
    ]
    seen = answer([*levels({1: 60}), *saturated])
    assert seen.status is Status.INCONCLUSIVE
    assert "4: no valid run (client-saturated); the findings say what to do" in seen.reason


def test_an_slo_that_is_neither_kept_nor_broken() -> None:
    records = [
        record(w, block, figures(p99_ms=400.0 * factor))
        for w in (4, 8)
        for block, factor in enumerate((1.0, 1.3, 0.8, 1.1), 1)
    ]
    seen = answer(records, Rule(slo_p99_ms=450.0))
    assert seen.status is Status.INCONCLUSIVE
    assert "4: its p99 of 420 ms is not shown to be within 450 ms" in seen.reason
    assert seen.reason.endswith("more blocks (--max-blocks) or another --slo-p99 would settle it.")


def test_one_that_is_left_and_not_shown() -> None:
    records = [
        record(w, block, figures(rps=rps, p99_ms=p99))
        for w, level in ((1, 100.0), (4, 140.0))
        for block, (rps, p99) in enumerate(zip(around(level), (400.0, 520.0, 320.0, 440.0), strict=True), 1)
    ]
    seen = answer(records, Rule(slo_p99_ms=450.0), eliminated={1: 2})
    assert seen.reason.startswith(
        "only 4 is still possible, but the runs do not show at 95% confidence that it gives throughput "
        "within 5% of the best; 4: its p99 of 420 ms is not shown to be within 450 ms"
    )


def test_not_finished() -> None:
    seen = answer(levels({1: 100, 4: 140}), workers=(1, 4, 8), complete=False)
    assert seen.status is Status.INCONCLUSIVE
    assert seen.reason.endswith("8: not run; the study is not finished.")


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([], "no run has been made yet."),
        ([failed(w, 1) for w in (1, 4)], "every run failed: this is about server-did-not-start."),
        (
            [record(w, 1, verdict=Verdict.SUSPECT, findings=[finding("steal")]) for w in (1, 4)],
            "every run is suspect: this is about steal.",
        ),
        (
            [
                record(
                    w, 1, verdict=Verdict.SUSPECT, findings=[finding("answers-unverified"), finding("steal")]
                )
                for w in (1, 4)
            ],
            "every run is suspect: this is about steal.",  # the other one is no reason
        ),
        (
            [failed(1, 1), record(4, 1, verdict=Verdict.SUSPECT, findings=[finding("steal")])],
            "of 1, every run failed: this is about server-did-not-start; "
            "of 4, every run is suspect: this is about steal.",
        ),
        (
            [
                run
                for w in (1, 4)
                for run in (failed(w, 1), record(w, 2, verdict=Verdict.SUSPECT, findings=[finding("steal")]))
            ],
            "every run failed or is suspect: this is about server-did-not-start.",
        ),
    ],
)
def test_without_a_valid_run(records: list[RunRecord], reason: str) -> None:
    seen = answer(records, workers=(1, 4))
    assert (seen.status, seen.workers, seen.reason) == (Status.INCONCLUSIVE, None, reason)
    assert seen.tied == ()


def test_when_the_one_that_set_the_bar_breaks_a_limit_nothing_is_left() -> None:
    """1 was dropped as slower than 4; then 4 died. There is no answer, and no crash."""
    seen = answer([*levels({1: 100, 4: 140}), failed(4, 5, "server-died")], eliminated={1: 2})
    assert seen.status is Status.INCONCLUSIVE
    assert seen.reason == (
        "no value is left: 4 is ruled out (its server died under load in 1 of its 5 runs), and sweeper had "
        "dropped 1 as worse; run a new study without 4."
    )


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.VALID])
def test_a_server_that_ignores_the_worker_count_has_no_answer(verdict: Verdict) -> None:
    said = finding("pool-size-not-applied", Severity.ERROR)
    records = [*levels(TEN), record(4, 5, verdict=verdict, findings=[said])]
    seen = answer(records)
    assert (seen.status, seen.workers, seen.tied) == (Status.INCONCLUSIVE, None, ())
    assert seen.reason == "this is about pool-size-not-applied."
    assert [f.code for f in seen.findings].count("pool-size-not-applied") == 1


def test_a_silent_server_that_ignores_the_worker_count_has_no_answer() -> None:
    silent = [
        record(w, 1, figures(threads=14, mean_ms=414.0, max_concurrency=None, pool_workers=None))
        for w in (1, 4, 32)
    ]
    seen = answer(silent)
    assert (seen.status, seen.workers) == (Status.INCONCLUSIVE, None)
    assert "thread count" in seen.reason
    assert seen.findings[0].code == "pool-size-not-applied"


def test_no_count_keeps_the_slo_and_the_nearest_miss_is_named() -> None:
    seen = answer(p99_study({1: 900, 4: 700, 8: 800}), Rule(slo_p99_ms=500.0))
    assert (seen.status, seen.workers) == (Status.INFEASIBLE, None)
    assert seen.reason == (
        "no worker count keeps an error rate of at most 1% and p99 within 500 ms; the nearest miss is "
        "4 workers: its p99 of 700 ms is above 500 ms."
    )


def failing(shares: dict[int, float], p99_ms: float = 600.0) -> list[RunRecord]:
    return [
        record(w, b, figures(failed=round(1400 * share), error_rate=share, p99_ms=p99_ms))
        for w, share in shares.items()
        for b in (1, 2, 3)
    ]


def test_no_count_is_without_errors() -> None:
    seen = answer(failing({1: 0.05, 4: 0.2}))
    assert seen.status is Status.INFEASIBLE
    assert seen.reason == (
        "no worker count keeps an error rate of at most 1%; the nearest miss is 1 worker: 5.0% of its "
        "requests failed (limit 1.0%)."
    )


def test_the_nearest_miss_weighs_errors_over_the_limit_before_latency() -> None:
    """A few errors within the limit are no miss at all."""
    records = [*failing({1: 0.005}, p99_ms=520.0), *failing({4: 0.0}, p99_ms=5000.0), *failing({8: 0.3})]
    seen = answer(records, Rule(slo_p99_ms=500.0))
    assert seen.status is Status.INFEASIBLE
    assert "the nearest miss is 1 worker" in seen.reason


def test_candidates_count_and_average_valid_runs_only() -> None:
    records = [
        record(4, 1, figures(rps=100.0, cpu_cores=1.0, peak_rss_bytes=5, run_delay_ms_per_request=None)),
        record(4, 2, figures(rps=121.0, cpu_cores=2.0, peak_rss_bytes=9, failed=11)),
        record(4, 3, figures(rps=1e6), verdict=Verdict.SUSPECT),
        failed(4, 4),
        record(8, 1, figures(rps=50.0)),
    ]
    four, eight = answer(records, eliminated={8: 2}, complete=False).candidates
    assert (four.runs, four.suspect_runs, four.failed_runs, four.eliminated_after) == (2, 1, 1, None)
    assert four.rps is not None and four.rps.mean == pytest.approx(110.0)
    assert four.cpu_cores == pytest.approx(1.5)
    assert four.rss_bytes == 9
    assert four.error_rate == pytest.approx(11 / (1000 + 1210))
    assert four.run_delay_ms_per_request is None  # one run does not say
    assert set(four.latency_ms) == {"mean", "p50", "p95", "p99"}
    assert (eight.runs, eight.eliminated_after, eight.state) == (1, 2, "excluded")
    assert eight.rps is not None and eight.rps.low is None


def test_how_far_behind_is_a_share() -> None:
    one, four = answer(levels({1: 126, 4: 140})).candidates
    assert one.relative_to_best is not None and one.relative_to_best.mean == pytest.approx(0.1, abs=0.002)
    assert four.relative_to_best is not None
    assert (four.relative_to_best.mean, four.relative_to_best.low) == (0.0, 0.0)


def test_the_same_records_give_the_same_answer_in_any_order() -> None:
    records = levels(TEN)
    forth, back = answer(records), answer(list(reversed(records)))
    assert (forth.status, forth.workers, forth.reason) == (back.status, back.workers, back.reason)
    assert forth.residual_deviation == pytest.approx(back.residual_deviation)


@given(
    st.lists(runs, max_size=16),
    st.sampled_from(
        [Rule(), Rule(slo_p99_ms=500.0, looks=(2,)), Rule(objective=Objective.P99, confidence=0.999)]
    ),
    st.booleans(),
    st.sampled_from([{}, {1: 2}, {4: 2}, {1: 2, 8: 3}]),
)
def test_whatever_the_records_there_is_an_answer_that_json_can_hold(
    records: list[RunRecord], rule: Rule, complete: bool, eliminated: dict[int, int]
) -> None:
    seen = answer(records, rule, workers=(1, 4, 8), eliminated=eliminated, complete=complete)
    assert (seen.workers is not None) == (seen.status in (Status.RECOMMENDED, Status.PROVISIONAL))
    assert seen.reason.endswith(".") and not seen.reason.endswith("..")
    assert "  " not in seen.reason and "None" not in seen.reason
    assert seen.status is not Status.RECOMMENDED or (complete and seen.blocks >= 3)
    json.dumps(recommendation_object(seen), allow_nan=False)
    for candidate in seen.candidates:
        for interval in (candidate.rps, candidate.relative_to_best, *candidate.latency_ms.values()):
            if interval is not None and interval.low is not None and interval.high is not None:
                assert interval.low <= interval.mean + 1e-9
                assert math.isfinite(interval.high)


def test_what_never_finished_is_not_settled_by_more_blocks() -> None:
    records = [
        record(w, block, figures(rps=rps, p99_ms=400.0, censored=3 if w == 4 else 0))
        for w, level in ((1, 100.0), (4, 140.0))
        for block, rps in enumerate(around(level), 1)
    ]
    seen = answer(records, Rule(slo_p99_ms=450.0), eliminated={1: 2})
    assert "(--max-blocks)" not in seen.reason
    assert "raise --drain" in seen.reason
