"""The capacity of one run: its rates, the crossing, bounds, and how lucky its arrivals were."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sweeper.records.run import Bound, Capacity, RateStep, StepSeen
from sweeper.statistics.capacity import (
    capacity,
    climb_around,
    crossing,
    expected_rps,
    first_climb,
    seen_steps,
)
from tests.support.builders import log
from tests.support.simulation.climbs import climbed, known_capacity


def steps(*p99_ms: float | None) -> list[StepSeen]:
    return [StepSeen(100.0 + 10 * i, 500, p99, 0.0) for i, p99 in enumerate(p99_ms)]


def test_the_rates_lie_around_what_is_expected() -> None:
    rates = climb_around(100.0, 10.0)
    assert [round(step.arrivals_per_s, 1) for step in rates] == [82.6, 90.9, 100.0, 110.0, 121.0]
    assert [step.requests for step in rates] == [496, 545, 600, 660, 726]
    assert {step.requests for step in climb_around(10.0, 10.0)} == {100}  # for up to 12 s each
    assert [step.requests for step in climb_around(2.0, 10.0)] == [30, 33, 36, 40, 44]  # three times as long
    assert {step.requests for step in climb_around(0.1, 10.0)} == {20}


def test_the_first_climb_begins_with_hardly_a_load() -> None:
    rates = first_climb(0.05, 0.2)
    assert rates[0] == RateStep(5.0, 20)
    assert (rates[6].arrivals_per_s, rates[6].requests) == (pytest.approx(56.953125), 85)
    assert first_climb(0.05, 3.0)[0] == RateStep(5.0, 30)  # twice the SLO


def test_the_crossing_is_read_between_two_rates() -> None:
    # 1/p99 at 110 is 0.01, at 120 0.0025: 0.005 is two thirds of the way.
    rps, bound = crossing(steps(50.0, 100.0, 400.0), 200.0)
    assert (rps, bound) == (pytest.approx(110 + 20 / 3), Bound.EXACT)


def test_what_never_crosses_is_a_bound() -> None:
    assert crossing(steps(50.0, 60.0, 70.0), 200.0) == (120.0, Bound.AT_LEAST)
    assert crossing(steps(250.0, 300.0, 900.0), 200.0) == (100.0, Bound.AT_MOST)
    assert crossing(steps(None, None, None), 200.0) == (100.0, Bound.AT_MOST)


def test_a_dip_is_smoothed_by_the_monotone_fit() -> None:
    """One unlucky rate below the crossing does not count as the crossing, nor one lucky rate above it."""
    rps, bound = crossing(steps(60.0, 210.0, 70.0, 400.0), 200.0)
    assert bound is Bound.EXACT
    assert 120 < rps < 130


def test_refusals_break_the_slo() -> None:
    latency_ms = np.full(400, 50.0)
    latency_ms[200:] = np.inf
    found = seen_steps([RateStep(100.0, 200), RateStep(110.0, 200)], latency_ms, 200.0)
    assert [step.p99_ms for step in found] == [50.0, None]
    assert [step.broken_share for step in found] == [0.0, 1.0]
    assert [step.requests for step in found] == [150, 150]


def test_failed_and_unfinished_requests_count_as_broken() -> None:
    at_s = np.arange(400) / 100.0
    failed = np.zeros(400, bool)
    failed[300:] = True
    latency_ms = np.full(400, 50.0)
    latency_ms[200:300] = np.nan
    found = capacity(
        log(at_s, latency_ms, failed=failed), [RateStep(100.0, 200), RateStep(110.0, 200)], 200.0, 4
    )
    assert found is not None
    assert [step.broken_share for step in found.steps] == [0.0, 1.0]
    assert found.bound is Bound.EXACT
    assert 100 < found.rps * found.luck < 110


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("servers", "service_ms", "slo_ms"), [(4, 50.0, 200.0), (1, 20.0, 100.0)])
def test_with_steady_service_one_run_gives_the_capacity(
    servers: int, service_ms: float, slo_ms: float, seed: int
) -> None:
    known = known_capacity(servers, lambda chance: service_ms / 1000, slo_ms)
    found = climbed(servers, lambda chance: service_ms / 1000, slo_ms, expected_rps=known, seed=seed)
    if found.bound is Bound.EXACT:
        assert found.rps == pytest.approx(known, rel=0.03)
    else:
        assert found.rps == pytest.approx(known, rel=0.1)


def test_luck_is_taken_out_on_average() -> None:
    """Without that, one run of 30 seconds says too much by a tenth."""

    def service(chance: np.random.Generator) -> float:
        return float(chance.lognormal(math.log(0.05) - 0.02, 0.2))

    known = known_capacity(4, service, 200.0)
    found = [climbed(4, service, 200.0, expected_rps=known, seed=seed) for seed in range(40)]
    logs = np.array([math.log(one.rps / known) for one in found])
    raw = np.array([math.log(one.rps * one.luck / known) for one in found])
    assert abs(logs.mean()) < 0.03
    assert raw.mean() > 0.05
    assert logs.std() < raw.std()


@pytest.mark.parametrize("seed", range(6))
def test_refusals_beyond_the_capacity_tell_nothing_of_the_queue_below_it(seed: int) -> None:
    """While a server refuses requests, those that it answers wait half a second. A queue that is fed with
    these alone is idle meanwhile, and took their waits for the service: seeds 2 and 4 had a luck of 4 and 11.
    """

    def service(chance: np.random.Generator) -> float:
        return float(chance.lognormal(math.log(0.0075), 0.45))

    known = known_capacity(1, service, 100.0)
    found = climbed(1, service, 100.0, expected_rps=1.15 * known, seed=seed, ratio=1.25, longest_wait_s=0.5)
    assert found.bound is Bound.EXACT
    assert 0.8 < found.luck < 1.35
    assert found.rps == pytest.approx(known, rel=0.2)


def test_the_next_climb_goes_beyond_a_bound() -> None:
    assert expected_rps([]) is None
    exact = Capacity(100.0, Bound.EXACT, ())
    assert expected_rps([exact]) == pytest.approx(100.0)
    assert expected_rps([Capacity(100.0, Bound.AT_LEAST, ())]) == pytest.approx(130.0)
    assert expected_rps([Capacity(100.0, Bound.AT_MOST, ())]) == pytest.approx(100 / 1.3)
    assert expected_rps([Capacity(1.0, Bound.EXACT, ()), exact, exact, exact]) == pytest.approx(100.0)
