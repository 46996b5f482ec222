"""What a lone user's requests wait for, by when the server worked."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sweeper.records.observations import RequestLog, TelemetrySample
from sweeper.statistics.outside_waits import OutsideWaits, outside_waits
from tests.support.builders import SAMPLE, log

BEGIN = dataclasses.replace(
    SAMPLE,
    at_s=10.0,
    server_user_cpu_s=1.0,
    server_system_cpu_s=1.0,
    server_run_delay_s=1.0,
    client_cpu_s=0.5,
)


def later(cpu_s: float, delay_s: float | None = 0.0, client_s: float = 0.0) -> TelemetrySample:
    """A second later."""
    return dataclasses.replace(
        BEGIN,
        at_s=11.0,
        server_user_cpu_s=1.0 + cpu_s,
        server_run_delay_s=None if delay_s is None else 1.0 + delay_s,
        client_cpu_s=0.5 + client_s,
    )


def ten(latency_ms: float) -> RequestLog:
    return log(10.0 + 0.1 * np.arange(10), latency_ms)


def test_a_server_that_sleeps() -> None:
    found = outside_waits(ten(50.0), BEGIN, later(cpu_s=0.01))
    assert found is not None
    assert (found.requests, found.under_way_s) == (10, pytest.approx(0.5))
    assert found.of_a_request_ms == pytest.approx(48.0)  # the client took one of the 50 of each
    assert found.share == pytest.approx(0.96)
    assert found.gained_share(0.5) == pytest.approx(0.96 * 0.024 / 0.5)


@pytest.mark.parametrize(
    "last",
    [
        later(cpu_s=0.5),
        later(cpu_s=0.25, delay_s=0.25),  # a quota, or others on its cores
        later(cpu_s=2.0),  # four native threads at once
        later(cpu_s=0.4, client_s=0.2),  # half of which while a request is under way
    ],
)
def test_a_server_that_computes(last: TelemetrySample) -> None:
    found = outside_waits(ten(50.0), BEGIN, last)
    assert found is not None
    assert found.outside_s == pytest.approx(0.0)


def test_a_wait_that_is_longer_than_the_trial() -> None:
    found = outside_waits(log([9.0], [np.nan]), BEGIN, later(cpu_s=0.0))
    assert found == OutsideWaits(1, 1.0, 1.0)


def test_requests_at_the_same_time_count_once() -> None:
    """A task that sends several at once: the ones that queue wait for the server itself."""
    made = log([10.0, 10.0, 10.1], [100.0, 300.0, 200.0])
    found = outside_waits(made, BEGIN, later(cpu_s=0.3))
    assert found is not None
    assert found.under_way_s == pytest.approx(0.3)
    assert found.outside_s == pytest.approx(0.0)


def test_what_cannot_be_told() -> None:
    assert outside_waits(ten(50.0), BEGIN, later(0.0, delay_s=None)) is None
    assert outside_waits(log([], []), BEGIN, later(0.0)) is None
    assert outside_waits(log([8.0, 11.5], 100.0), BEGIN, later(0.0)) is None
