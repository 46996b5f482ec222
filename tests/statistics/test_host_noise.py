"""The host's noise from hosts whose noise is known, and the blocks that follow from it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sweeper.records.configuration import Configuration
from sweeper.records.observations import SpeedLog
from sweeper.records.run import Window
from sweeper.statistics.criteria import Rule
from sweeper.statistics.host_noise import HostNoise, blocks_at_least, host_noise

TURN_S, VALUES, VISITS = 0.5, 5, 20
FIVE = [Configuration(workers) for workers in (1, 4, 8, 16, 32)]


def log_of(slowness: np.ndarray) -> SpeedLog:
    """So much slower in each turn: visits at equal gaps to two cores in turn."""
    cost = np.repeat(np.asarray(slowness, dtype=float), VISITS)
    count = len(cost)
    return SpeedLog(
        at_s=100.0 + (np.arange(count) + 0.5) * TURN_S / VISITS,
        core=(np.arange(count) % 2).astype(np.int64),
        loop_s=0.4e-3 * cost,
        gather_s=0.3e-3 * cost,
        transfer_s=0.08e-3 * cost,
        waited_s=np.zeros(count),
        used_cpu_s=np.arange(1, count + 1) * 1e-3,
    )


def noise_of(logs: np.ndarray) -> HostNoise:
    found = host_noise(log_of(np.exp(-logs)), Window(100.0, 100.0 + len(logs) * TURN_S), TURN_S, VALUES)
    assert found is not None
    return found


def test_a_steady_host_has_none() -> None:
    found = noise_of(np.zeros(20))
    assert (found.seconds, found.round_s, found.turns) == (10.0, 2.5, 20)
    assert found.turn_deviation == pytest.approx(0.0, abs=1e-12)
    assert found.overall_deviation == pytest.approx(0.0, abs=1e-12)
    assert found.range == pytest.approx(1.0)


def test_white_noise_is_found_as_it_is_and_averages_out_over_a_run() -> None:
    found = noise_of(np.random.default_rng(1).normal(0.0, 0.06, 1000))
    assert found.turn_deviation == pytest.approx(0.06, rel=0.08)
    assert found.overall_deviation == pytest.approx(0.06, rel=0.08)
    assert found.of_a_run(20) == pytest.approx(found.turn_deviation / math.sqrt(20))


def test_what_changes_between_rounds_only_does_no_harm_in_turns() -> None:
    found = noise_of(np.repeat([0.0, 0.3, -0.2, 0.1], VALUES))
    assert found.turn_deviation == pytest.approx(0.0, abs=1e-9)
    assert found.overall_deviation > 0.1
    assert found.range == pytest.approx(math.exp(0.5))


def test_two_turns_are_known_exactly() -> None:
    found = noise_of(np.array([0.0, 0.1, 0.2]))
    assert found.turn_deviation == pytest.approx(0.1)


def test_nothing_is_made_of_too_little() -> None:
    steady = log_of(np.ones(8))
    assert host_noise(None, Window(100.0, 104.0), TURN_S, VALUES) is None
    assert host_noise(steady, Window(100.0, 101.0), TURN_S, VALUES) is None
    assert host_noise(steady, Window(100.0, 104.0), TURN_S, VALUES) is not None
    assert host_noise(steady, Window(100.0, 108.0), TURN_S, VALUES) is None  # half of the turns are missing


@pytest.mark.parametrize(
    ("deviation", "blocks"),
    [(0.0, 3), (0.01, 3), (0.02, 4), (0.03, 7), (0.035, 8), (0.05, 13), (0.06, None), (0.3, None)],
)
def test_blocks_for_values_that_are_alike(deviation: float, blocks: int | None) -> None:
    """As simulated: docs/method/simulations.md."""
    assert blocks_at_least(deviation, FIVE, Rule()) == blocks


def test_a_wider_tolerance_takes_fewer_blocks() -> None:
    assert blocks_at_least(0.05, FIVE, Rule(tolerance=0.1)) == 5
