from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.statistics.intervals import (
    by_block,
    contrast_quantile,
    one_sided_lower,
    one_sided_upper,
    over_runs,
)

positive = st.lists(st.floats(1e-3, 1e6), min_size=2, max_size=20)


def test_a_known_interval() -> None:
    """Logs 0, 1, 2: mean 1, sd 1, t(0.975, 2) = 4.3027."""
    interval = over_runs([1.0, math.e, math.e**2], 0.95)
    assert interval is not None and interval.low is not None and interval.high is not None
    assert interval.mean == pytest.approx(math.e)
    assert math.log(interval.high) == pytest.approx(1 + 4.302653 / math.sqrt(3), abs=1e-5)
    assert math.log(interval.low) == pytest.approx(1 - 4.302653 / math.sqrt(3), abs=1e-5)


def test_runs_of_one_block_count_as_one() -> None:
    assert by_block([8.0, 3.0, 2.0, 5.0], [2, 1, 2, 3]) == pytest.approx([3.0, 4.0, 5.0])
    assert by_block([8.0, 0.0], [1, 1]) == [0.0]
    assert by_block([], []) == []


def test_too_little_for_limits() -> None:
    assert over_runs([], 0.95) is None
    assert over_runs([3.0, 0.0], 0.95) is None
    one = over_runs([3.0], 0.95)
    assert one is not None
    assert (one.mean, one.low, one.high) == (pytest.approx(3.0), None, None)


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=10), st.floats(0.5, 0.999))
def test_limits_are_finite_and_around_the_mean(values: list[float], confidence: float) -> None:
    """Two wildly different runs at 99.9% would overflow: JSON has no infinity."""
    interval = over_runs(values, confidence)
    assert interval is not None
    assert math.isfinite(interval.mean)
    if interval.low is not None and interval.high is not None:
        assert 0 <= interval.low <= interval.mean * (1 + 1e-9)
        assert interval.mean <= interval.high * (1 + 1e-9) < math.inf


def test_limits_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(7)
    two_sided = upper = lower = 0
    for values in np.exp(rng.normal(3.0, 0.2, (2000, 5))):
        interval = over_runs(values.tolist(), 0.95)
        assert interval is not None and interval.low is not None and interval.high is not None
        two_sided += interval.low <= math.exp(3.0) <= interval.high
        upper += one_sided_upper(values.tolist(), 0.05) >= math.exp(3.0)
        lower += one_sided_lower(values.tolist(), 0.05) <= math.exp(3.0)
    for covered in (two_sided, upper, lower):
        assert 0.93 < covered / 2000 < 0.97


@given(positive, st.floats(0.001, 0.4))
def test_one_sided_limits_mirror_each_other(values: list[float], error: float) -> None:
    upper, lower = one_sided_upper(values, error), one_sided_lower(values, error)
    assert lower <= upper * (1 + 1e-9)
    assert upper * one_sided_lower([1 / value for value in values], error) == pytest.approx(
        1.0
    ) or math.isinf(upper)


def test_one_sided_limits_without_ground() -> None:
    for values in ([], [5.0], [0.0, 5.0]):
        assert one_sided_upper(values, 0.05) == math.inf
        assert one_sided_lower(values, 0.05) == 0.0


def test_contrast_quantiles() -> None:
    assert contrast_quantile(0.05, 1, 10) == pytest.approx(1.812461, abs=1e-5)
    assert contrast_quantile(0.05, 4, 10) == pytest.approx(2.633767, abs=1e-5)  # t(0.9875, 10)
    assert contrast_quantile(0.05, 0, 10) == contrast_quantile(0.05, 1, 10)
    assert contrast_quantile(0.05, 4, 0) == math.inf
    assert contrast_quantile(0.05, 4, 5) > contrast_quantile(0.05, 4, 50) > contrast_quantile(0.05, 1, 50)
