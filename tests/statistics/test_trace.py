"""What is drawn of a run says what its figures say, however many requests there were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.records.run import Window
from sweeper.statistics.figures import percentile
from sweeper.statistics.trace import MOST_BINS, SHARES, bin_edges, quantiles, trace

WINDOW = Window(103.0, 113.0)


def steady(rate: float = 50.0, seconds: float = 14.0, latency_ms: float = 200.0) -> tuple[np.ndarray, ...]:
    started = 100.0 + np.arange(round(rate * seconds)) / rate
    return started, np.full(len(started), latency_ms), np.zeros(len(started), bool)


@given(st.lists(st.floats(0.1, 1e5), min_size=1, max_size=300))
def test_quantiles_are_the_percentiles_of_the_figures(values: list[float]) -> None:
    found = quantiles(np.array(values), SHARES)
    ordered = np.sort(values)
    for share, value in zip(SHARES, found, strict=True):
        if (1 - share) * len(values) >= 1:
            assert value == percentile(ordered, share)
    assert (np.diff(found[np.isfinite(found)]) >= 0).all()


def test_no_quantile_is_read_into_a_tail_that_is_not_there() -> None:
    found = dict(zip(np.round(SHARES, 6), quantiles(np.arange(1000.0), SHARES), strict=True))
    assert found[0.5] == 499 and found[0.99] == 989 and found[0.999] == 998
    assert np.isnan(found[0.9999])
    assert np.isnan(quantiles(np.empty(0), SHARES)).all()


def test_what_never_finished_is_slower_than_all() -> None:
    latency = np.r_[np.full(90, 10.0), np.full(10, np.nan)]
    found = dict(zip(np.round(SHARES, 6), quantiles(latency, SHARES), strict=True))
    assert found[0.9] == 10.0 and np.isnan(found[0.91])


def test_series_begin_with_the_load_and_end_with_the_window() -> None:
    started, latency, failed = steady()
    seen = trace("r", started, latency, failed, WINDOW, users_on_s=100.0)
    assert seen.at_s.tolist() == [second + 0.5 for second in range(-3, 10)]
    assert seen.rps[seen.at_s > 0] == pytest.approx(50.0)
    assert seen.rps[0] == 40.0  # nothing can complete in the first 0.2 s
    assert seen.mean_latency_ms == pytest.approx(200.0)
    assert (seen.warmup_s, seen.window_s, seen.bin_s) == (3.0, 10.0, 1.0)
    assert (seen.requests, seen.never_finished) == (500, 0)
    assert set(seen.latency_ms[np.isfinite(seen.latency_ms)]) == {200.0}


def test_failed_requests_are_no_throughput_but_have_a_latency() -> None:
    started, latency, failed = steady()
    failed[::2] = True
    seen = trace("r", started, latency, failed, WINDOW, users_on_s=100.0)
    assert seen.rps[seen.at_s > 0] == pytest.approx(25.0)
    assert seen.mean_latency_ms == pytest.approx(200.0)


def test_a_gap_is_a_gap() -> None:
    started, latency, failed = steady()
    latency[(started > 105) & (started < 107)] = np.nan
    seen = trace("r", started, latency, failed, WINDOW, users_on_s=100.0)
    silent = (seen.at_s > 2.5) & (seen.at_s < 4)
    assert (seen.rps[silent] == 0).all() and np.isnan(seen.mean_latency_ms[silent]).all()
    assert seen.never_finished == 99


def test_an_hour_takes_no_more_points_than_ten_seconds_do() -> None:
    started, latency, failed = steady(rate=2.0, seconds=3700.0)
    seen = trace("r", started, latency, failed, Window(120.0, 3720.0), users_on_s=100.0)
    assert len(seen.at_s) <= MOST_BINS
    assert seen.rps.mean() == pytest.approx(2.0, rel=0.01)
    assert len(seen.latency_ms) == len(SHARES) < 200


def test_one_bin_begins_where_the_window_does() -> None:
    assert bin_edges(2.4, 9.999, 1.0).tolist() == [float(edge) for edge in range(-2, 11)]
    assert bin_edges(0.0, 0.3, 1.0).tolist() == [0.0, 1.0]
