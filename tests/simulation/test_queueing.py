"""Throughput and p99 of closed networks, as our own pipeline reads them, against queueing theory."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable

import pytest

from sweeper.records.observations import PoolStats
from sweeper.records.run import RunFigures, Window
from sweeper.statistics.figures import Measurement, run_figures
from tests.support.builders import SAMPLE, log
from tests.support.simulation.fixtures import Table
from tests.support.simulation.queueing import ClosedNetwork, simulated

USERS, RATE = 100, 25.0
WINDOW = Window(60.0, 1260.0)
THINK_S = (0.1, 0.5)


def measured(workers: int, service_s: Callable[[], float], think_s: Callable[[], float]) -> RunFigures:
    """A long window of such a network, through the code that reads real runs."""
    starts, latency_ms = simulated(USERS, workers, service_s, think_s, WINDOW.end_s)
    samples = [
        dataclasses.replace(SAMPLE, at_s=edge, server_user_cpu_s=edge)
        for edge in (WINDOW.start_s, WINDOW.end_s)
    ]
    figures = run_figures(
        Measurement(
            requests=log(starts, latency_ms),
            samples=tuple(samples),
            window=WINDOW,
            users_on_s=0.0,
            ended_s=WINDOW.end_s + 10.0,
            ready_s=0.0,
            pool=PoolStats(workers=workers, max_concurrency=workers),
        )
    )
    assert figures is not None
    return figures


def test_the_protocol_s_own_example() -> None:
    """100 users who do not think, 8 workers of 25/s."""
    network = ClosedNetwork(100, 8, 25.0)
    assert network.throughput() == pytest.approx(200.0)
    assert network.mean_response_s() == pytest.approx(0.5)
    assert network.percentile_s(0.99) == pytest.approx(0.676, abs=0.0005)


def test_the_formulas_where_the_answer_is_simpler() -> None:
    lone = ClosedNetwork(1, 1, 25.0, 0.3)  # nobody to wait for
    assert lone.throughput() == pytest.approx(1 / 0.34)
    assert lone.late(0.1) == pytest.approx(math.exp(-2.5))
    ample = ClosedNetwork(100, 100, 25.0, 0.3)
    assert ample.throughput() == pytest.approx(100 / 0.34)
    assert ample.percentile_s(0.99) == pytest.approx(math.log(100) / 25.0)
    two = ClosedNetwork(2, 1, 1.0, 1.0)  # by hand: weights 1, 2, 2
    assert two.throughput() == pytest.approx(0.8)
    assert two.mean_response_s() == pytest.approx(1.5)
    for network in (ClosedNetwork(100, 8, RATE), ClosedNetwork(100, 8, RATE, 0.3), ClosedNetwork(9, 1, RATE)):
        step = 0.001
        mean = step * (sum(network.late(step * i) for i in range(4000)) - 0.5)
        assert mean == pytest.approx(network.mean_response_s(), rel=0.001)


@pytest.mark.parametrize("thinking", [False, True])
@pytest.mark.parametrize("workers", [1, 4, 8, 16, 32])
def test_measured_and_known_agree_within_2_percent(workers: int, thinking: bool, table: Table) -> None:
    chance = random.Random(10 * workers + thinking)
    think_s = (lambda: chance.uniform(*THINK_S)) if thinking else (lambda: 0.0)
    figures = measured(workers, lambda: chance.expovariate(RATE), think_s)
    network = ClosedNetwork(USERS, workers, RATE, sum(THINK_S) / 2 if thinking else 0.0)
    known_rps, known_p99_ms = network.throughput(), 1000 * network.percentile_s(0.99)
    table.append(
        {
            "workers": str(workers),
            "think": "U(0.1, 0.5)" if thinking else "none",
            "rps": f"{figures.rps:.1f}",
            "known": f"{known_rps:.1f}",
            "p99 ms": f"{figures.latency.p99_ms:.0f}",
            "known p99": f"{known_p99_ms:.0f}",
            "off by": f"{figures.rps / known_rps - 1:+.2%}, {figures.latency.p99_ms / known_p99_ms - 1:+.2%}",
        }
    )
    assert figures.rps == pytest.approx(known_rps, rel=0.02)
    assert figures.latency.p99_ms == pytest.approx(known_p99_ms, rel=0.02)
    assert figures.latency.mean_ms == pytest.approx(1000 * network.mean_response_s(), rel=0.02)


@pytest.mark.parametrize("workers", [1, 8, 32])
def test_service_that_does_not_vary(workers: int) -> None:
    """Then the users come round in batches of `workers`, and the last batch is not full."""
    figures = measured(workers, lambda: 1 / RATE, lambda: 0.0)
    assert figures.rps == pytest.approx(workers * RATE, rel=0.001)
    assert figures.latency.mean_ms == pytest.approx(1000 * USERS / (workers * RATE), rel=0.001)
    assert figures.latency.p99_ms == pytest.approx(1000 * math.ceil(USERS / workers) / RATE)
