from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.records.configuration import Configuration
from sweeper.statistics.blocks import BlockModel, Observation, fit

RNG = np.random.default_rng


def observed(values: np.ndarray, keep: np.ndarray | None = None) -> list[Observation]:
    """`values` of shape (configurations, blocks); worker counts are 1, 2, 3, …"""
    return [
        Observation(Configuration(row + 1), column + 1, float(values[row, column]))
        for row in range(values.shape[0])
        for column in range(values.shape[1])
        if keep is None or keep[row, column]
    ]


def differences(model: BlockModel) -> list[float]:
    return [model.contrast(0, other).estimate for other in range(len(model.configurations))]


shapes = st.tuples(st.integers(2, 9), st.integers(2, 12), st.integers(0, 2**31))


@given(shapes)
def test_a_balanced_design_has_its_closed_form(shape: tuple[int, int, int]) -> None:
    k, n, seed = shape
    y = RNG(seed).normal(5, 1, (k, n)) + RNG(seed + 1).normal(0, 3, n)
    model = fit(observed(y))
    means = y.mean(axis=1)
    residuals = y - means[:, None] - y.mean(axis=0) + y.mean()
    s = math.sqrt((residuals**2).sum() / ((k - 1) * (n - 1)))
    assert model.degrees_of_freedom == (k - 1) * (n - 1)
    assert model.residual_deviation == pytest.approx(s)
    for other in range(1, k):
        contrast = model.contrast(0, other)
        assert contrast.estimate == pytest.approx(means[other] - means[0], abs=1e-9)
        assert contrast.standard_error == pytest.approx(s * math.sqrt(2 / n))


@pytest.mark.parametrize("k", [2, 3, 5, 6, 8, 16, 32])
@pytest.mark.parametrize("n", [2, 3, 10, 40])
def test_no_shape_is_numerically_unlucky(k: int, n: int) -> None:
    """The design's zero singular value once survived a cut-off at rounding, and estimates were garbage."""
    y = RNG(k * 100 + n).normal(5, 0.1, (k, n))
    model = fit(observed(y))
    assert differences(model) == pytest.approx(list(y.mean(axis=1) - y.mean(axis=1)[0]), abs=1e-9)


@given(shapes)
def test_incomplete_blocks_agree_with_least_squares(shape: tuple[int, int, int]) -> None:
    k, n, seed = shape
    rng = RNG(seed)
    y = rng.normal(5, 1, (k, n))
    keep = rng.random((k, n)) < 0.8
    keep[:, 0] = keep[0, :] = True  # connected
    observations = observed(y, keep)
    model = fit(observations)
    design = np.zeros((len(observations), k + n - 1))
    for row, o in enumerate(observations):
        design[row, o.configuration.workers - 1] = 1
        if o.block > 1:
            design[row, k + o.block - 2] = 1
    values = np.array([o.value for o in observations])
    solution, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    assert differences(model) == pytest.approx(list(solution[:k] - solution[0]), abs=1e-8)
    freedom = len(observations) - rank
    assert model.degrees_of_freedom == freedom
    if freedom:
        s2 = ((values - design @ solution) ** 2).sum() / freedom
        inverse = np.linalg.inv(design.T @ design)
        for other in range(1, k):
            variance = s2 * (inverse[0, 0] + inverse[other, other] - 2 * inverse[0, other])
            assert model.contrast(0, other).standard_error == pytest.approx(math.sqrt(variance), abs=1e-9)


@given(shapes, st.lists(st.floats(-100, 100), min_size=12, max_size=12))
def test_a_constant_for_each_block_changes_no_contrast(
    shape: tuple[int, int, int], drifts: list[float]
) -> None:
    k, n, seed = shape
    y = RNG(seed).normal(5, 1, (k, n))
    still, drifting = fit(observed(y)), fit(observed(y + np.array(drifts[:n])))
    assert differences(drifting) == pytest.approx(differences(still), abs=1e-8)
    assert drifting.residual_deviation == pytest.approx(still.residual_deviation, abs=1e-8)


def test_disconnected_blocks_cannot_be_compared() -> None:
    keep = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]], bool)
    model = fit(observed(RNG(0).normal(5, 1, (4, 4)), keep))
    assert math.isfinite(model.contrast(0, 1).standard_error)
    assert math.isfinite(model.contrast(2, 3).standard_error)
    assert math.isinf(model.contrast(0, 2).standard_error)
    assert math.isinf(model.contrast(3, 1).standard_error)


def test_a_chain_of_blocks_connects() -> None:
    keep = np.array([[1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 1, 1]], bool)
    model = fit(observed(RNG(0).normal(5, 1, (3, 4)), keep))
    assert math.isfinite(model.contrast(0, 2).standard_error)


def test_without_a_degree_of_freedom_there_is_no_error() -> None:
    one_block = fit(observed(RNG(0).normal(5, 1, (4, 1))))
    assert one_block.residual_deviation is None
    assert math.isinf(one_block.contrast(0, 1).standard_error)
    single = fit([Observation(Configuration(4), 1, 3.0)])
    assert single.residual_deviation is None
    assert single.degrees_of_freedom == 0


def test_two_runs_of_one_configuration_in_a_block_count_twice() -> None:
    """The reference's second run: its contrasts become more precise, the others' stay."""
    rng = RNG(2)
    y = rng.normal(5, 1, (3, 6))
    twice = [*observed(y), *(Observation(Configuration(1), b + 1, float(rng.normal(5, 1))) for b in range(6))]
    once, model = fit(observed(y)), fit(twice)
    assert model.degrees_of_freedom == once.degrees_of_freedom + 6
    assert once.residual_deviation is not None and model.residual_deviation is not None
    before = once.contrast(0, 1).standard_error / once.residual_deviation
    after = model.contrast(0, 1).standard_error / model.residual_deviation
    assert after < before
    assert model.contrast(1, 2).standard_error / model.residual_deviation == pytest.approx(math.sqrt(2 / 6))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_covariate_recovers_its_slope_whatever_its_unit(scale: float) -> None:
    rng = RNG(4)
    speed = rng.normal(1, 0.1, (5, 10))
    effects = np.array([0.0, 0.1, 0.2, 0.1, -0.3])
    y = effects[:, None] + 1.3 * speed + rng.normal(0, 0.01, (5, 10)) + rng.normal(0, 0.5, 10)
    model = fit(
        [
            Observation(Configuration(i + 1), b, float(y[i, b]), (float(speed[i, b]) * scale,))
            for i in range(5)
            for b in range(10)
        ]
    )
    assert model.slopes[0] * scale == pytest.approx(1.3, abs=0.05)
    assert model.residual_deviation == pytest.approx(0.01, rel=0.3)
    assert differences(model) == pytest.approx(list(effects), abs=0.03)
    assert model.degrees_of_freedom == 4 * 9 - 1


def test_a_constant_covariate_is_as_none() -> None:
    y = RNG(4).normal(5, 1, (3, 4))
    plain = fit(observed(y))
    constant = fit(
        [Observation(Configuration(i + 1), b, float(y[i, b]), (0.1,)) for i in range(3) for b in range(4)]
    )
    assert differences(constant) == pytest.approx(differences(plain))
    assert constant.degrees_of_freedom == plain.degrees_of_freedom
    assert constant.slopes == (0.0,)
