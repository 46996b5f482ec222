"""What the looks may spend together, against many drawn studies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sweeper.statistics.alpha_spending import levels


@pytest.mark.parametrize("looks", [(2,), (3, 5, 7, 10), tuple(range(3, 15)), tuple(range(2, 41))])
@pytest.mark.parametrize("error", [0.2, 0.05, 0.005])
def test_the_looks_together_fail_as_often_as_they_may(error: float, looks: tuple[int, ...]) -> None:
    limits = stats.norm.isf(levels(error, looks))
    sums = np.cumsum(np.random.default_rng(1).normal(size=(100_000, looks[-1])), axis=1)
    seen = sums[:, np.array(looks) - 1] / np.sqrt(looks)
    failed = float((seen > limits).any(axis=1).mean())
    assert failed == pytest.approx(error, abs=4 * (error / 100_000) ** 0.5)


def test_one_look_has_all_of_it() -> None:
    assert levels(0.05, (2,)) == pytest.approx((0.05,), rel=1e-3)


@pytest.mark.parametrize("error", [0.05, 0.05 / 2**10 / 10])
def test_later_looks_have_more_and_all_of_them_less_than_one_alone(error: float) -> None:
    found = levels(error, tuple(range(3, 15)))
    assert 0 < found[0] < found[-1] < error
    assert found[-1] > 2 * error / len(found)  # what dividing would leave
