"""What a window's edges add to the noise and the bias of throughput, where threads finish together."""

from __future__ import annotations

import random

import numpy as np
import pytest

from sweeper.records.run import FloatArray, Window
from sweeper.statistics.figures import completed_in, shares_in
from tests.support.builders import log
from tests.support.simulation.queueing import on_cores

WARMUP_S, CORES, USERS = 3.0, 2, 100
RUNS = 40


def measured(threads: int, work_s: float, window_s: float) -> tuple[FloatArray, FloatArray]:
    """Of each simulated run: how many requests the window answers by their shares, and how many finish in it.
    Both are divided by what the cores can do at most, which these users always ask of them."""
    shared, counted = [], []
    for seed in range(RUNS):
        rng = random.Random(seed)
        warmup_s = WARMUP_S + rng.random()
        starts, latencies = on_cores(
            USERS,
            threads,
            CORES,
            lambda rng=rng: work_s * rng.uniform(0.95, 1.05),  # type: ignore[misc]
            lambda rng=rng: rng.uniform(0.1, 0.5),  # type: ignore[misc]
            warmup_s + window_s,
        )
        requests = log(starts.tolist(), latencies)
        window = Window(warmup_s, warmup_s + window_s)
        shared.append(shares_in(requests, window, warmup_s).sum())
        counted.append(len(completed_in(requests, window)))
    most = min(threads, CORES) / work_s * window_s
    return np.array(shared) / most, np.array(counted) / most


@pytest.mark.parametrize("threads", [1, 2, 4, 8, 16, 32])
@pytest.mark.parametrize("window_s", [6.0, 10.0])
def test_throughput_is_right_however_many_threads_finish_together(threads: int, window_s: float) -> None:
    shared, _ = measured(threads, 0.033, window_s)
    assert shared.mean() == pytest.approx(1.0, abs=0.003)
    assert shared.std() < 0.005


def test_the_edges_of_a_window_decide_over_as_many_requests_as_there_are_threads() -> None:
    """Which is why they are not counted whole."""
    shared, counted = measured(32, 0.033, 6.0)
    assert counted.std() > 5 * shared.std()


@pytest.mark.parametrize("threads", [2, 8, 32])
def test_a_slow_server_is_measured_while_its_first_requests_are_still_in_the_queue(threads: int) -> None:
    """Eight requests a second for 100 users: a latency is longer than warm-up and window are."""
    shared, counted = measured(threads, 0.25, 10.0)
    assert shared.mean() == pytest.approx(1.0, abs=0.04)
    assert abs(shared.mean() - 1) < 0.2 * abs(counted.mean() - 1) or threads < 32
