"""Which thread counts over a window are a leak, and which are a pool at work."""

from __future__ import annotations

import dataclasses

import pytest

from sweeper.checks.limits import Limits, RunContext
from sweeper.checks.pool import thread_leak
from sweeper.records.configuration import Configuration
from sweeper.records.run import Window
from sweeper.statistics.figures import Measurement
from tests.support.builders import SAMPLE, log


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
    samples = [
        dataclasses.replace(SAMPLE, at_s=10.0 + i, server_threads=threads) for i, threads in enumerate(counts)
    ]
    window = Window(10.0, 9.0 + len(counts))
    measurement = Measurement(log([10.0], 1.0), tuple(samples), window, 7.0, 30.0, 1.0, None)
    context = RunContext(Configuration(8), 100, 0.3, 0.01, True, 2, None)
    assert (thread_leak(measurement, context, Limits()) is not None) is leaks
