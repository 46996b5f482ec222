"""Which thread counts over a window are a leak, and which are a pool at work."""

from __future__ import annotations

import dataclasses

import pytest

from sweeper.checks.pool import thread_leak
from sweeper.checks.thresholds import Limits, RunContext
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding
from sweeper.records.run import Window
from sweeper.statistics.figures import Measurement
from tests.support.builders import SAMPLE, figures, log


def leak(counts: list[int], *, open_loop: bool = False, at_once: int | None = 8) -> Finding | None:
    """Of a pool of eight; `at_once` requests were in its handlers at most."""
    samples = [
        dataclasses.replace(SAMPLE, at_s=10.0 + i, server_threads=threads) for i, threads in enumerate(counts)
    ]
    window = Window(10.0, 9.0 + len(counts))
    measurement = Measurement(log([10.0], 1.0), tuple(samples), window, 7.0, 30.0, 1.0, None)
    context = RunContext(Configuration(8), 100, 0.3, 0.01, True, 2, None, open_loop=open_loop)
    return thread_leak(measurement, figures(max_concurrency=at_once), context, Limits())


@pytest.mark.parametrize(
    ("counts", "leaks"),
    [
        ([10, 12, 14, 16, 18, 20], True),
        ([10, 11, 11, 12, 13, 13, 14], True),
        ([10] * 11, False),
        ([10, 11, 12, 13, 13, 13, 13], False),  # a pool that fills
        ([10, 30, 12, 28, 9, 31, 33], False),  # a thread for each request
        ([10, 10, 11, 11, 12, 12, 13], False),  # too few to tell
        ([1, 2, 3, 4, 5, 6, 7, 8], False),  # no more than its pool
        ([10, 20, 30], False),  # too few samples
    ],
)
def test_a_leak_grows_all_the_time_and_never_falls(counts: list[int], leaks: bool) -> None:
    assert (leak(counts) is not None) is leaks


@pytest.mark.parametrize(
    ("counts", "leaks"),
    [
        ([6, 8, 10, 12, 13, 14], False),  # a pool of eight that fills, on top of six threads
        ([6, 10, 14, 18, 22, 26], True),
    ],
)
def test_with_requests_at_random_the_pool_may_fill_within_the_window(counts: list[int], leaks: bool) -> None:
    assert (leak(counts, open_loop=True) is not None) is leaks
    assert leak(counts) is not None


@pytest.mark.parametrize("at_once", [7, None], ids=["never full", "not known"])
def test_a_large_pool_may_fill_within_the_window(at_once: int | None) -> None:
    """A pool makes a thread for a request only where none is idle, which takes a while with many workers."""
    assert leak([6, 8, 10, 12, 13, 14], at_once=at_once) is None
    assert leak([6, 10, 14, 18, 22, 26], at_once=at_once) is not None
