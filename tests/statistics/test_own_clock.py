"""A run's own clock: with every pause cut out, the records are those of a run that was never stopped."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.records.observations import RequestLog, SpeedLog
from sweeper.statistics.own_clock import Pause, growth, own_requests, own_sample, own_speed, paused_s
from tests.support.builders import SAMPLE

PAUSES = (Pause(10.0, 15.0), Pause(16.0, 18.5))


def on_the_wall(own_s: np.ndarray, pauses: tuple[Pause, ...]) -> np.ndarray:
    """The inverse: a moment at which the clock stood still is the last one before the pause."""
    wall_s = np.array(own_s, dtype=float)
    for pause in pauses:
        wall_s = np.where(wall_s > pause.start_s, wall_s + pause.duration_s, wall_s)
    return wall_s


def log_of(started_s: np.ndarray, finished_s: np.ndarray, arrived_s: np.ndarray) -> RequestLog:
    count = len(started_s)
    return RequestLog(
        started_s=started_s,
        latency_ms=1000.0 * (finished_s - started_s),
        status=np.full(count, 200),
        response_bytes=np.full(count, 10),
        failed=np.zeros(count, dtype=bool),
        client_late_ms=1000.0 * (finished_s - arrived_s),
    )


def test_how_much_of_the_pauses_lies_before_a_moment() -> None:
    moments = np.array([0.0, 10.0, 12.0, 15.0, 15.5, 16.0, 18.5, 99.0])
    assert paused_s(moments, PAUSES).tolist() == [0.0, 0.0, 2.0, 5.0, 5.0, 5.0, 7.5, 7.5]
    assert paused_s(moments, ()).tolist() == [0.0] * 8


@given(
    gaps=st.lists(st.tuples(st.floats(0.01, 5.0), st.floats(0.01, 5.0)), max_size=6),
    requests=st.lists(st.tuples(st.floats(0.0, 20.0), st.floats(0.001, 9.0)), min_size=1, max_size=30),
)
def test_cut_out_again_the_pauses_leave_no_trace(
    gaps: list[tuple[float, float]], requests: list[tuple[float, float]]
) -> None:
    pauses, now_s = [], 0.0
    for runs_s, stands_s in gaps:
        pauses.append(Pause(now_s + runs_s, now_s + runs_s + stands_s))
        now_s = pauses[-1].end_s
    started, latency = (np.array(column) for column in zip(*sorted(requests), strict=True))
    own = log_of(started, started + latency, started + latency / 2)
    wall = log_of(
        *(on_the_wall(a, tuple(pauses)) for a in (started, started + latency, started + latency / 2))
    )
    back = own_requests(wall, pauses)
    for name in ("started_s", "latency_ms", "client_late_ms"):
        assert getattr(back, name) == pytest.approx(getattr(own, name), abs=1e-6), name


def test_a_request_that_never_finished_stays_so() -> None:
    moments = np.array([9.0, 17.0])
    log = log_of(moments, np.array([np.nan, 19.0]), moments)
    own = own_requests(log, PAUSES)
    assert np.isnan(own.latency_ms[0])
    assert own.latency_ms[1] == pytest.approx(500.0)


def test_the_probe_counts_for_the_run_only_while_it_ran() -> None:
    at_s = np.array([9.0, 9.5, 11.0, 14.0, 15.5, 17.0, 18.5, 19.0])
    ones = np.arange(8.0)
    speed = SpeedLog(at_s, np.zeros(8, dtype=np.int64), ones, ones, ones, ones, used_cpu_s=5.0 + 0.1 * ones)
    own = own_speed(speed, PAUSES)
    assert own is not None
    assert own.at_s.tolist() == [9.0, 9.5, 10.5, 11.0, 11.5]
    assert own.loop_s.tolist() == [0.0, 1.0, 4.0, 6.0, 7.0]
    assert np.diff(own.used_cpu_s) == pytest.approx([0.1] * 4)
    assert own_speed(None, PAUSES) is None
    assert own_speed(speed, ()) is speed


def test_what_the_host_did_in_a_pause_is_not_the_runs() -> None:
    """Its own counters stood still; the host's went on for the others."""
    stopped = dataclasses.replace(
        SAMPLE, at_s=10.0, host_busy_cpu_s=100.0, host_steal_s=None, host_context_switches=7
    )
    on = dataclasses.replace(
        stopped, at_s=15.0, host_busy_cpu_s=109.0, host_steal_s=1.0, host_context_switches=57
    )
    grown = growth(stopped, on)
    assert grown == {"host_busy_cpu_s": 9.0, "host_context_switches": 50}
    own = own_sample(dataclasses.replace(on, at_s=16.0, host_busy_cpu_s=110.5), 5.0, grown)
    assert (own.at_s, own.host_busy_cpu_s, own.host_context_switches) == (11.0, 101.5, 7)
    assert own.host_steal_s == 1.0  # of which nothing is known for the pause
