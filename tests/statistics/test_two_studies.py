from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from sweeper.records.answer import Interval
from sweeper.records.configuration import Configuration
from sweeper.statistics.blocks import Observation, fit
from sweeper.statistics.two_studies import (
    Level,
    StudySeries,
    blocks_to_tell,
    ratio,
    ratio_in_these_hours,
    relative_blocks_to_tell,
    relative_ratio,
    series,
)

ONE, FOUR, EIGHT = Configuration(1), Configuration(4), Configuration(8)
LEVEL = Level(0.025, 1)


def drawn(
    blocks: int, levels: dict[Configuration, float], seed: int, noise: float = 0.02, host: float = 0.0
) -> list[Observation]:
    rng = np.random.default_rng(seed)
    hosts = rng.normal(0, host, blocks)
    return [
        Observation(c, block, level + hosts[block] + rng.normal(0, noise))
        for block in range(blocks)
        for c, level in levels.items()
    ]


def limits(found: Interval | None) -> tuple[float, float, float]:
    assert found is not None and found.low is not None and found.high is not None
    return found.mean, found.low, found.high


def test_in_these_hours_it_is_welchs_interval() -> None:
    a, b = drawn(4, {FOUR: 1.0, EIGHT: 1.2}, 1), drawn(7, {FOUR: 0.9, EIGHT: 1.2}, 2, noise=0.05)
    for comparisons in (1, 5):
        found = ratio_in_these_hours(series(a), series(b), FOUR, Level(0.025, comparisons))
        logs = [[o.value for o in side if o.configuration == FOUR] for side in (b, a)]
        test = stats.ttest_ind(*logs, equal_var=False)
        expected = test.confidence_interval(1 - 0.05 / comparisons)
        mean, low, high = limits(found)
        assert mean == pytest.approx(math.exp(np.mean(logs[0]) - np.mean(logs[1])))
        assert (low, high) == pytest.approx((math.exp(expected.low), math.exp(expected.high)))


def test_two_runs_of_a_block_are_one_piece_of_evidence() -> None:
    a, b = drawn(5, {FOUR: 0.0, EIGHT: 0.0}, 3), drawn(5, {FOUR: 0.0, EIGHT: 0.0}, 4)
    twice = [*a, *(o for o in a if o.configuration == FOUR)]
    once, again = (ratio_in_these_hours(series(side), series(b), FOUR, LEVEL) for side in (a, twice))
    assert limits(once) == pytest.approx(limits(again))


def test_other_hours_count_undivided() -> None:
    """However many blocks there are, limits reach at least as far as the host varies between them."""
    levels = {FOUR: 0.0, EIGHT: 0.0}
    a, b = (series(drawn(200, levels, seed, 0.01, 0.08)) for seed in (5, 6))
    assert a.host_deviation == pytest.approx(0.08, rel=0.15)
    mean, low, high = limits(ratio(a, b, FOUR, LEVEL))
    reach = math.log(high / low) / 2
    assert reach == pytest.approx(1.96 * math.hypot(a.host_deviation, b.host_deviation), rel=0.03)
    _, own_low, own_high = limits(ratio_in_these_hours(a, b, FOUR, LEVEL))
    assert math.log(own_high / own_low) / 2 < reach / 5
    assert low < own_low < mean < own_high < high


def test_on_a_quiet_host_they_add_nothing() -> None:
    a, b = (series(drawn(50, {ONE: 0.0, FOUR: 0.0, EIGHT: 0.0}, seed)) for seed in (7, 8))
    quiet = [StudySeries(one.means, one.model, one.blocks, 0.0) for one in (a, b)]
    mean, _, high = limits(ratio(*quiet, FOUR, LEVEL))
    noise = [one.model.residual_deviation for one in quiet]
    assert math.log(high / mean) == pytest.approx(1.97 * math.hypot(*noise) / math.sqrt(50), rel=0.02)


def test_the_ratio_to_a_reference_knows_nothing_of_the_host() -> None:
    a = drawn(5, {FOUR: 1.0, EIGHT: 1.3}, 9, noise=0.01, host=0.5)
    b = drawn(6, {FOUR: 3.0, EIGHT: 3.1}, 10, noise=0.01, host=0.5)
    mean, low, high = limits(relative_ratio(series(a), series(b), EIGHT, FOUR, LEVEL))
    assert mean == pytest.approx(math.exp(-0.2), rel=0.02)
    assert low < math.exp(-0.2) < high and high / low < 1.06
    contrasts = [fit(side).contrast(0, 1) for side in (a, b)]
    variances = [contrast.standard_error**2 for contrast in contrasts]
    freedom = sum(variances) ** 2 / (variances[0] ** 2 / 4 + variances[1] ** 2 / 5)
    reach = stats.t.ppf(0.975, freedom) * math.sqrt(sum(variances))
    assert math.log(high / mean) == pytest.approx(reach)
    assert mean == pytest.approx(math.exp(contrasts[1].estimate - contrasts[0].estimate))


def test_what_is_not_there_gives_nothing_and_one_block_no_limits() -> None:
    a, b = series(drawn(3, {FOUR: 0.0, EIGHT: 0.0}, 11)), series(drawn(3, {FOUR: 0.0, ONE: 0.0}, 12))
    assert ratio(a, b, EIGHT, LEVEL) is None
    assert ratio_in_these_hours(a, b, EIGHT, LEVEL) is None
    assert relative_ratio(a, b, FOUR, EIGHT, LEVEL) is None
    assert relative_ratio(a, b, FOUR, FOUR, LEVEL) is None
    single = series(drawn(1, {FOUR: 0.0, EIGHT: 0.0}, 13))
    for found in (ratio(a, single, FOUR, LEVEL), ratio_in_these_hours(a, single, FOUR, LEVEL)):
        assert found is not None and found.low is None and found.high is None
    assert relative_ratio(a, single, EIGHT, FOUR, LEVEL) == Interval(
        pytest.approx(relative_ratio(a, single, EIGHT, FOUR, LEVEL).mean), None, None  # type: ignore[union-attr]
    )  # fmt: skip
    assert blocks_to_tell(a, single, 0.1, LEVEL) is None


def test_figures_that_never_vary_have_limits_of_their_own() -> None:
    a, b = (series(drawn(3, {FOUR: level, EIGHT: level}, 14, noise=0.0)) for level in (0.0, 0.1))
    assert limits(ratio(a, b, FOUR, LEVEL)) == pytest.approx((math.exp(0.1),) * 3)


def test_how_many_blocks_it_would_take() -> None:
    a, b = (series(drawn(4, {ONE: 0.0, FOUR: 0.0, EIGHT: 0.0}, seed, 0.05)) for seed in (15, 16))
    a, b = (StudySeries(one.means, one.model, one.blocks, 0.0) for one in (a, b))
    needed = blocks_to_tell(a, b, 0.03, LEVEL)
    assert needed is not None
    noise = math.hypot(*(one.model.residual_deviation for one in (a, b)))
    assert needed == pytest.approx((1.97 * noise / 0.03) ** 2, rel=0.1)
    loud = [StudySeries(one.means, one.model, one.blocks, 0.05) for one in (a, b)]
    assert blocks_to_tell(*loud, 0.03, LEVEL) is None
    beside = relative_blocks_to_tell(a, b, 0.03, LEVEL)
    assert beside == pytest.approx(2 * needed, rel=0.1)
    assert relative_blocks_to_tell(*loud, 0.03, LEVEL) == beside
    assert relative_blocks_to_tell(a, b, 0.0, LEVEL) is None
