from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from sweeper.records.observations import RequestLog
from sweeper.statistics.warmup import BATCH, binned, drift, is_steady, mser5, settled_from
from tests.support.builders import log

RNG = np.random.default_rng


def spread(counts: list[int], *, begin_s: float = 100.0, latency_ms: float = 50.0) -> RequestLog:
    """`counts[i]` completions, evenly spread, in second i after `begin_s`."""
    finished = np.concatenate(
        [begin_s + second + (np.arange(count) + 0.5) / count for second, count in enumerate(counts) if count]
    )
    return log(finished - latency_ms / 1000, latency_ms)


@pytest.mark.parametrize("head", [1, 2, 4, 6])
def test_mser5_drops_a_slow_head(head: int) -> None:
    series = np.full(100, 100.0) + np.tile([1.0, -1.0], 50)
    series[: head * BATCH] = 20.0
    assert mser5(series) == head * BATCH


def test_mser5_drops_nothing_of_a_constant_series() -> None:
    assert mser5(np.full(60, 7.0)) == 0


def test_mser5_is_the_minimum_of_its_own_definition() -> None:
    series = np.concatenate([np.linspace(0, 10, 15), RNG(3).normal(10, 1, 85)])
    means = series.reshape(-1, 5).mean(axis=1)
    scores = {
        cut: sum((x - means[cut:].mean()) ** 2 for x in means[cut:]) / (len(means) - cut) ** 2
        for cut in range(len(means) - 5 + 1)
    }
    assert mser5(series) == 5 * min(scores, key=lambda cut: scores[cut])


@pytest.mark.parametrize("series", [np.arange(100.0), 200 - np.arange(100.0), np.arange(65.0) ** 0.9])
def test_a_trend_has_no_steady_state(series: np.ndarray) -> None:
    assert not settled_from(series, 15)


def test_a_change_in_the_second_half_is_no_steady_state() -> None:
    assert not settled_from(np.repeat([10.0, 20.0], [70, 30]), 15)


@pytest.mark.parametrize("head", [1, 2, 3])
def test_a_slow_head_is_settled_once_none_of_it_is_kept(head: int) -> None:
    series = RNG(4).normal(100.0, 1.0, 80)
    series[: head * BATCH] -= 30.0
    assert settled_from(series, head * BATCH)
    assert not settled_from(series, (head - 1) * BATCH)


def test_a_head_that_moves_the_mean_by_less_than_one_in_a_hundred_is_bearable() -> None:
    series = np.full(65, 100.0) + np.tile([0.1, -0.1, 0.1, -0.1, 0.0], 13)
    series[:20] -= 3.0  # of which five are kept: beyond chance, and 0.3% of the mean
    assert settled_from(series, 15)
    series[15:20] -= 9.0  # 1.2%
    assert not settled_from(series, 15)


def test_steady_noise_is_seldom_taken_for_a_warm_up() -> None:
    """Where MSER-5 alone cuts more than the shortest warm-up in one case of three."""
    rows = RNG(1).normal(100, 10, (1000, 65))
    assert np.mean([settled_from(row, 15) for row in rows]) > 0.9


@pytest.mark.parametrize("length", range(20))
def test_fewer_than_four_batches_say_nothing(length: int) -> None:
    assert mser5(np.ones(length)) is None


def test_white_noise_is_cut_all_the_same() -> None:
    """13 batches of a steady series: why MSER-5 alone does not decide (`settled_from`)."""
    cuts = [mser5(row) for row in RNG(1).normal(100, 10, (1000, 65))]
    assert 0.2 < np.mean([cut is not None and cut > 15 for cut in cuts]) < 0.4


@given(hnp.arrays(float, st.integers(20, 120), elements=st.floats(-1e6, 1e6)), st.integers(-4, 4))
def test_mser5_keeps_its_cut_under_shift_and_scale(series: np.ndarray, power: int) -> None:
    cut = mser5(series)
    assert cut is None or (cut % BATCH == 0 and 0 <= cut < len(series))
    assert mser5(series * 2.0**power) == cut


def test_bins_count_completions_and_average_their_latency() -> None:
    requests = log([9.5, 9.9, 10.0, 10.3, 10.9], [600.0, 500.0, 100.0, np.nan, 100.0])
    series = binned(requests, 10.0, 11.4, bin_s=0.2)
    assert series.completions.tolist() == [2, 0, 1, 0, 0, 1, 0]
    assert series.mean_latency_ms.tolist() == [350, 350, 500, 500, 500, 100, 100]


def test_a_bin_before_the_first_completion_takes_the_first_latency() -> None:
    series = binned(log([10.0], [1500.0]), 10.0, 12.0, bin_s=1.0)
    assert series.completions.tolist() == [0, 1]
    assert series.mean_latency_ms.tolist() == [1500, 1500]


def test_steady_from_the_first_moment_and_after_a_slow_head() -> None:
    assert is_steady(spread([100] * 13), 100.0, 100.0, 113.0)
    slow = spread([20, 20, 20, *[100] * 13])
    assert is_steady(slow, 100.0, 103.0, 116.0)
    assert not is_steady(slow, 100.0, 102.0, 116.0)


def test_steady_waits_for_the_latency_too() -> None:
    """Throughput is level from the start; latency falls for four seconds."""
    first, second = spread([100] * 4, latency_ms=400), spread([100] * 12, begin_s=104.0)
    requests = log(
        np.concatenate([first.started_s, second.started_s]),
        np.concatenate([first.latency_ms, second.latency_ms]),
    )
    assert is_steady(requests, 100.0, 104.0, 116.0)
    assert not is_steady(requests, 100.0, 103.0, 116.0)


def test_never_steady() -> None:
    assert not is_steady(spread([10 * second for second in range(1, 20)]), 100.0, 109.0, 119.0)
    assert not is_steady(log([], []), 100.0, 103.0, 113.0)
    assert not is_steady(spread([100] * 13), 100.0, 100.0, 100.0)
    assert not is_steady(spread([100] * 13), 100.0, 100.0, 103.0)  # too short to tell


@pytest.mark.parametrize(
    ("counts", "sign"),
    [
        ([100] * 10, 0),
        ([100, 102, 98, 101, 99, 100, 99, 101, 102, 98], 0),  # noise
        ([100] * 5 + [120] * 5, 1),
        ([120] * 5 + [100] * 5, -1),
        ([100, 101, 99, 100, 100, 120, 121, 119, 120, 120], 1),
        ([60, 140, 80, 120, 100, 90, 150, 70, 130, 110], 0),  # 10% more, but noise is larger
        ([100, 101] * 2 + [110], 0),  # too short
        ([0] * 5 + [100] * 5, 0),  # nothing to compare with
    ],
)
def test_drift(counts: list[int], sign: int) -> None:
    change = drift(spread(counts), 100.0, 100.0 + len(counts))
    assert (change is None) if sign == 0 else (change is not None and np.sign(change) == sign)


def test_drift_is_the_limit_nearer_to_zero() -> None:
    assert drift(spread([100] * 5 + [120] * 5), 100.0, 110.0) == pytest.approx(0.2)
    noisy = drift(spread([100, 101, 99, 100, 100, 120, 121, 119, 120, 120]), 100.0, 110.0)
    assert noisy is not None and 0.15 < noisy < 0.2


def test_drift_of_a_steady_server_is_rarely_seen() -> None:
    rng = RNG(5)
    seen = [drift(spread(rng.poisson(140, 10).tolist()), 100.0, 110.0) for _ in range(400)]
    assert sum(change is not None and abs(change) > 0.03 for change in seen) <= 8


def test_drift_is_welchs_interval() -> None:
    rng = RNG(9)
    for _ in range(50):
        counts = rng.integers(60, 200, 10)
        low, high = stats.ttest_ind(counts[5:], counts[:5], equal_var=False).confidence_interval(0.9)
        nearer = low if low > 0 else high if high < 0 else None
        change = drift(spread(counts.tolist()), 100.0, 110.0, confidence=0.9)
        assert change == (None if nearer is None else pytest.approx(nearer / counts[:5].mean()))
