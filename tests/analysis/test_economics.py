"""Cost and replicas from the throughput of a study, with its limits."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.analysis.economics import priced, with_economics
from sweeper.records.answer import CandidateEconomics, Interval, Recommendation
from sweeper.records.configuration import Configuration
from sweeper.records.run import Objective
from sweeper.report.json.recommendation import recommendation_object
from sweeper.report.text.economics import cells, columns, economics_line, money
from tests.support.documents import assert_says
from tests.support.recommendations import TEN, answer, levels

FOUND = answer(levels(TEN))
ROWS = replace(FOUND, environment={"cores": 2, "data_rows": 100})


def throughput(rps: Interval | None, rec: Recommendation = ROWS) -> Recommendation:
    """A study of the answer alone."""
    (own,) = [c for c in rec.candidates if c.configuration == rec.configuration]
    return replace(rec, candidates=(replace(own, rps=rps, blocks=5),))


def of(rec: Recommendation) -> CandidateEconomics:
    assert rec.economics is not None
    (own,) = rec.economics.candidates
    return own


def test_cost_and_replicas_with_limits_that_change_places() -> None:
    """0.36 an hour and 100 requests/s: 360,000 requests for 0.36."""
    own = of(with_economics(throughput(Interval(100.0, 80.0, 125.0)), 0.36, 500.0))
    cost, each, replicas = own.cost_per_million_requests, own.cost_per_million_predictions, own.replicas
    assert cost is not None and each is not None
    assert (cost.mean, cost.low, cost.high) == pytest.approx((1.0, 0.8, 1.25))
    assert (each.mean, each.low, each.high) == pytest.approx((0.01, 0.008, 0.0125))
    assert replicas == Interval(5, 4, 7)  # 500 / 125 and, rounded up, 500 / 80


def test_what_is_not_known_is_left_out() -> None:
    assert with_economics(ROWS, None, None).economics is None
    own = of(with_economics(throughput(Interval(100.0, None, None), FOUND), 0.36, None))
    assert own.cost_per_million_requests == Interval(pytest.approx(1.0), None, None)
    assert (own.cost_per_million_predictions, own.replicas) == (None, None)
    own = of(with_economics(throughput(Interval(100.0, 0.0, math.inf)), None, 50.0))
    assert own.replicas == Interval(1, None, None)
    for nothing in (None, Interval(0.0, 0.0, 0.0)):
        economics = with_economics(throughput(nothing), 0.36, 500.0).economics
        assert economics is not None and economics.candidates == ()


def test_with_the_capacity_as_the_objective_the_capacity_counts_and_never_the_throughput_of_climbs() -> None:
    """A value of which only bounds are known has no price: its throughput is that of its climbs."""
    seeking = throughput(Interval(100.0, 80.0, 125.0), replace(ROWS, objective=Objective.CAPACITY))
    economics = with_economics(seeking, 0.36, 500.0).economics
    assert economics is not None and economics.candidates == ()
    (only,) = seeking.candidates
    known = replace(seeking, candidates=(replace(only, capacity_rps=Interval(50.0, 40.0, 62.5)),))
    assert of(with_economics(known, None, 500.0)).replicas == Interval(10, 8, 13)


@given(st.floats(0.1, 1e5), st.floats(0.5, 1.0), st.floats(0.1, 1e6))
def test_so_many_replicas_serve_the_load_and_one_less_does_not(rps: float, low: float, wanted: float) -> None:
    replicas = of(with_economics(throughput(Interval(rps, rps * low, rps / low)), None, wanted)).replicas
    assert replicas is not None and replicas.low is not None and replicas.high is not None
    assert replicas.low <= replicas.mean <= replicas.high
    for count, each in ((replicas.mean, rps), (replicas.high, rps * low), (replicas.low, rps / low)):
        assert count == int(count) >= 1
        assert count * each >= wanted * (1 - 1e-6)
        assert count == 1 or (count - 1) * each < wanted


def test_a_share_of_a_server_that_is_but_rounding_is_none() -> None:
    assert of(with_economics(throughput(Interval(0.1, None, None)), None, 0.3)).replicas == Interval(
        3, None, None
    )


def test_asking_again_needs_no_other_study() -> None:
    """What is given overrules what the study has; nothing given leaves it."""
    stored = with_economics(throughput(Interval(100.0, None, None)), 0.36, 500.0)
    assert priced(stored, None, None) == stored
    again = priced(stored, 0.72, None).economics
    assert again is not None and (again.cost_per_hour, again.plan_for_rps) == (0.72, 500.0)
    assert priced(throughput(Interval(100.0, None, None)), None, None).economics is None


def test_it_is_in_the_json() -> None:
    rec = with_economics(ROWS, 0.36, 500.0)
    assert_says(recommendation_object(rec)["economics"], rec.economics)
    assert recommendation_object(ROWS)["economics"] is None


def test_it_is_in_the_table_and_in_a_sentence() -> None:
    rec = with_economics(throughput(Interval(100.0, 80.0, 125.0)), 0.36, 500.0)
    assert columns(rec) == ("cost/million", "replicas")
    assert cells(rec.candidates[0], rec) == ("1.00 (0.800..1.25)", "5 (4..7)")
    assert cells(replace(rec.candidates[0], blocks=2), rec) == ("1.00", "5")
    assert economics_line(rec) == (
        "Money and machines: At 0.36 an hour for a server, a million requests cost 1.00 (0.800 to 1.25) and "
        "a million predictions 0.0100 (0.00800 to 0.0125) (100 rows a request). 500 requests/s take 5 "
        "replicas (4 to 7), together 1.80 an hour. These figures (with 95% limits) assume servers as busy as "
        "in the runs: there is no reserve for peaks or for a lost replica."
    )
    alone = with_economics(throughput(Interval(100.0, None, None)), None, 50.0)
    line = economics_line(alone)
    assert line is not None and line.startswith("Money and machines: 50 requests/s take 1 replica. These")
    assert columns(alone) == ("replicas",)


def test_without_an_answer_there_is_no_sentence_and_without_figures_no_column() -> None:
    rec = with_economics(replace(ROWS, configuration=None), 0.36, 500.0)
    assert economics_line(rec) is None
    assert len(cells(rec.candidates[0], rec)) == 2
    assert (columns(ROWS), cells(ROWS.candidates[0], ROWS), economics_line(ROWS)) == ((), (), None)
    other = with_economics(throughput(None), 0.36, 500.0)
    assert cells(other.candidates[0], other) == ("-", "-")
    absent = replace(ROWS.candidates[0], configuration=Configuration(77))
    assert cells(absent, rec) == ("-", "-")


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.678, "12,345.68"), (1.0, "1.00"), (0.944, "0.944"), (0.0123, "0.0123"), (0.000944, "0.000944")],
)
def test_money_has_digits_enough(value: float, text: str) -> None:
    assert money(value) == text
