"""The Universal Scalability Law: parameters that are known are found again."""

from __future__ import annotations

import numpy as np
import pytest

from sweeper.statistics.scalability import Scalability, fit, throughput

COUNTS = (1, 2, 4, 8, 16, 32, 64)


def made(gamma: float, sigma: float, kappa: float, noise: float = 0.0, seed: int = 0) -> dict[int, float]:
    rps = throughput(np.array(COUNTS, float), gamma, sigma, kappa)
    errors = np.random.default_rng(seed).normal(0, noise, len(COUNTS))
    return dict(zip(COUNTS, (rps * np.exp(errors)).tolist(), strict=True))


@pytest.mark.parametrize(
    ("gamma", "sigma", "kappa"),
    [(30.0, 0.05, 0.001), (0.4, 0.3, 0.01), (900.0, 0.02, 0.0), (50.0, 0.0, 0.0), (31.0, 1.0, 0.0)],
)
def test_known_parameters_are_found(gamma: float, sigma: float, kappa: float) -> None:
    law = fit(made(gamma, sigma, kappa))
    assert law is not None
    assert law.gamma == pytest.approx(gamma, rel=1e-3)
    assert (law.sigma, law.kappa) == pytest.approx((sigma, kappa), abs=1e-3)
    assert law.deviation < 1e-3


def test_noise_moves_the_curve_by_little() -> None:
    truth = Scalability(30.0, 0.05, 0.001, 0.0)
    workers = np.array(COUNTS, float)
    for seed in range(20):
        law = fit(made(30.0, 0.05, 0.001, noise=0.02, seed=seed))
        assert law is not None and law.deviation < 0.05
        assert law.rps(workers) == pytest.approx(truth.rps(workers), rel=0.1)


def test_the_peak_is_where_the_curve_turns() -> None:
    law = Scalability(30.0, 0.05, 0.001, 0.0)
    assert law.peak_workers == pytest.approx(30.8, abs=0.05)
    around = law.rps(np.array([law.peak_workers - 1, law.peak_workers, law.peak_workers + 1]))
    assert around.argmax() == 1
    assert Scalability(30.0, 0.05, 0.0, 0.0).peak_workers is None


def test_three_points_are_no_fit() -> None:
    assert fit({1: 10.0, 2: 19.0, 4: 30.0}) is None
    assert fit({1: 10.0, 2: 19.0, 4: 30.0, 8: 0.0}) is None
    assert fit({}) is None
