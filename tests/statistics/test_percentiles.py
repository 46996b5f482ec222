from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.statistics.figures import latency_figures, percentile

latencies = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=300)
shares = st.integers(1, 1000).map(lambda thousandths: thousandths / 1000)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7.0], 0.01, 7.0),
        ([7.0], 1.0, 7.0),
        ([1.0, 2.0], 0.5, 1.0),
        ([1.0, 2.0], 0.51, 2.0),
        ([15.0, 20.0, 35.0, 40.0, 50.0], 0.30, 20.0),  # the textbook's nearest-rank example
        ([15.0, 20.0, 35.0, 40.0, 50.0], 0.40, 20.0),
        ([15.0, 20.0, 35.0, 40.0, 50.0], 1.00, 50.0),
        (list(range(1, 101)), 0.99, 99.0),  # 0.99 * 100 is 99.00000000000001 but for care
        (list(range(1, 101)), 0.07, 7.0),
        (list(range(1, 1001)), 0.999, 999.0),
    ],
)
def test_nearest_rank(values: list[float], share: float, expected: float) -> None:
    assert percentile(np.array(values, float), share) == expected


@given(latencies, st.integers(1, 1000))
def test_is_the_smallest_value_with_at_least_that_share_at_or_below(
    values: list[float], thousandths: int
) -> None:
    ordered = sorted(values)
    naive = next(
        value
        for value in ordered
        if sum(other <= value for other in ordered) * 1000 >= thousandths * len(ordered)
    )
    assert percentile(np.array(ordered), thousandths / 1000) == naive


@given(latencies, shares, shares)
def test_grows_with_the_share_and_never_passes_the_maximum(values: list[float], a: float, b: float) -> None:
    ordered = np.sort(values)
    low, high = sorted((a, b))
    assert percentile(ordered, low) <= percentile(ordered, high) <= ordered[-1]


@given(latencies)
def test_figures_are_in_order(values: list[float]) -> None:
    figures = latency_figures(np.array(values), np.zeros(len(values)))
    assert figures is not None
    assert min(values) <= figures.p50_ms <= figures.p95_ms <= figures.p99_ms <= figures.max_ms == max(values)
    assert figures.mean_ms == pytest.approx(math.fsum(values) / len(values))
    assert (figures.samples, figures.censored) == (len(values), 0)


@given(latencies, st.lists(st.floats(1.0, 1e5), min_size=1, max_size=50))
def test_what_never_finished_counts_as_long_as_it_waited(done: list[float], waited: list[float]) -> None:
    """Had they gone on, every figure could only be larger: a lower bound."""
    latency = np.array(done + [math.nan] * len(waited))
    so_far = np.array([0.0] * len(done) + waited)
    figures = latency_figures(latency, so_far)
    later = latency_figures(latency, so_far * 1.5)
    assert figures is not None and later is not None
    assert figures.censored == len(waited)
    for name in ("mean_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms"):
        assert getattr(figures, name) <= getattr(later, name)
    assert figures.max_ms >= max(waited)


def test_nothing_started_gives_nothing() -> None:
    assert latency_figures(np.empty(0), np.empty(0)) is None
