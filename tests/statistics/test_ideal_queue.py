"""The ideal queue: what it says of arrivals, and that it finds the queue behind the latencies."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sweeper.records.run import FloatArray
from sweeper.statistics.ideal_queue import IdealQueue, fitted
from tests.support.simulation.climbs import served


def arrivals(rate: float, count: int, seed: int = 0) -> FloatArray:
    return np.cumsum(np.random.default_rng(seed).exponential(1 / rate, count))


def erlang_c(servers: int, load: float) -> float:
    """The chance to wait in M/M/c; `load` in servers."""
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(terms) + last)


def late(rate: float, mean_s: float, servers: int, longer_s: float) -> float:
    """The chance that a request takes longer in M/M/c (first come, first served)."""
    mu, wait = 1 / mean_s, erlang_c(servers, rate * mean_s)
    spare = servers * mu - rate
    own = math.exp(-mu * longer_s)
    if spare == pytest.approx(mu):
        return own * (1 + wait * mu * longer_s)
    return own * (1 - wait) + wait * (spare * own - mu * math.exp(-spare * longer_s)) / (spare - mu)


def test_by_hand() -> None:
    queue = IdealQueue(2, np.array([1.0]))
    assert queue.latencies_s(np.array([0.0, 0.0, 0.5, 3.0])) == pytest.approx([1.0, 1.0, 1.5, 1.0])


@pytest.mark.parametrize("servers", [1, 2, 4, 8])
def test_the_long_run_of_m_m_c_is_that_of_the_formula(servers: int) -> None:
    mean_s, slo_s = 0.05, 0.4
    drawn = np.random.default_rng(5).exponential(mean_s, 20_000)
    found = IdealQueue(servers, drawn).long_run_rps(slo_s)
    assert found is not None
    low, high = 0.0, servers / mean_s
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if late(middle, mean_s, servers, slo_s) <= 0.01 else (low, middle)
    assert found == pytest.approx(low, rel=0.03)


def test_an_slo_below_the_service_time_is_never_kept() -> None:
    assert IdealQueue(4, np.array([0.05])).long_run_rps(0.04) is None


@pytest.mark.parametrize(("servers", "workers"), [(1, 8), (2, 8), (4, 4), (8, 32)])
def test_the_queue_behind_the_latencies_is_found(servers: int, workers: int) -> None:
    """However many threads there are: what counts is how many work at once."""
    at_s = arrivals(0.85 * servers / 0.05, 2000)
    queue = fitted(at_s, served(at_s, servers, lambda: 0.05), workers)
    assert queue is not None
    assert queue.servers == servers
    assert float(queue.service_s.mean()) == pytest.approx(0.05, rel=0.01)


def test_the_spread_of_service_times_is_that_of_requests_which_did_not_wait() -> None:
    chance = np.random.default_rng(3)
    at_s = arrivals(40, 4000)
    queue = fitted(at_s, served(at_s, 4, lambda: float(chance.uniform(0.025, 0.075))), 4)
    assert queue is not None
    spread = float(queue.service_s.std() / queue.service_s.mean())
    assert spread == pytest.approx(1 / math.sqrt(12), rel=0.15)


def test_without_an_answer_there_is_no_queue() -> None:
    assert fitted(np.empty(0), np.empty(0), 4) is None
