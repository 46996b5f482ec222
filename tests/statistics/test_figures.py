"""Figures over the window, on logs small enough to count by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.records.observations import PoolStats, RequestLog, TelemetrySample
from sweeper.records.run import Window
from sweeper.statistics.figures import Measurement, completed_in, edges, latencies, run_figures, shares_in
from tests.support.builders import SAMPLE, log

NAN = math.nan
WINDOW = Window(10.0, 20.0)


def sample(at_s: float, **changes: object) -> TelemetrySample:
    return dataclasses.replace(SAMPLE, at_s=at_s, **changes)  # type: ignore[arg-type]


EDGES = (sample(10.0), sample(20.0))


def measured(
    requests: RequestLog, samples: tuple[TelemetrySample, ...] = EDGES, pool: PoolStats | None = None
) -> Measurement:
    return Measurement(requests, samples, WINDOW, users_on_s=7.0, ended_s=25.0, ready_s=1.5, pool=pool)


def test_throughput_counts_shares_of_requests_and_latency_counts_starts() -> None:
    requests = log(
        #  before  across start  on start  inside   ends on end  across end  on end
        [8.0, 9.5, 10.0, 12.0, 19.0, 19.5, 20.0],
        [500.0, 1000.0, 100.0, 200.0, 1000.0, 1500.0, 50.0],
    )
    figures = run_figures(measured(requests))
    assert figures is not None
    assert completed_in(requests, WINDOW).tolist() == [1, 2, 3]
    assert figures.completed == 3
    assert shares_in(requests, WINDOW, 3.0) == pytest.approx([0, 0.5, 1, 1, 1, 1 / 3, 0])
    assert figures.rps == pytest.approx((0.5 + 1 + 1 + 1 + 1 / 3) / 10)
    assert (figures.started, figures.latency.samples) == (4, 4)
    assert figures.latency.max_ms == 1500.0
    assert figures.latency.p50_ms == 200.0
    assert figures.latency.mean_ms == pytest.approx((100 + 200 + 1000 + 1500) / 4)
    assert figures.window_s == 10.0
    assert figures.warmup_s == 3.0
    assert figures.ready_s == 1.5


def test_of_a_long_latency_only_its_end_counts_as_long_as_the_warm_up() -> None:
    requests = log([7.0, 8.0, 18.0, 12.0], [4000.0, 16_000.0, 4000.0, NAN])
    assert shares_in(requests, WINDOW, 3.0) == pytest.approx([1 / 3, 0, 1 / 3, 0])


def test_without_a_warm_up_and_without_a_latency_what_finishes_in_the_window_counts() -> None:
    requests = log([9.0, 10.0, 15.0, 20.0], [2000.0, 0.0, 0.0, 0.0])
    assert shares_in(requests, WINDOW, 0.0).tolist() == [1, 1, 1, 0]
    assert shares_in(requests, WINDOW, 3.0).tolist() == [0.5, 1, 1, 0]


@given(
    starts=st.lists(st.floats(0.0, 30.0), min_size=1, max_size=30),
    latency_ms=st.floats(0.0, 20_000.0),
    longest_s=st.floats(0.0, 10.0),
)
def test_windows_that_follow_each_other_share_every_request_out(
    starts: list[float], latency_ms: float, longest_s: float
) -> None:
    requests = log(sorted(starts), latency_ms)
    windows = [Window(-10.0, 5.0), Window(5.0, 12.0), Window(12.0, 60.0)]
    shares = [shares_in(requests, window, longest_s) for window in windows]
    assert sum(shares) == pytest.approx(np.ones(len(starts)), abs=1e-6)


def test_in_flight_is_counted_over_time_as_far_as_it_lies_in_the_window() -> None:
    requests = log(
        #  before  into the start  inside  out of the end  never finished
        [8.0, 9.5, 12.0, 19.5, 18.0],
        [500.0, 1000.0, 2000.0, 900.0, NAN],
    )
    figures = run_figures(measured(requests))
    assert figures is not None
    assert figures.mean_in_flight == pytest.approx((0.5 + 2.0 + 0.5 + 2.0) / 10.0)


def test_a_request_exactly_at_an_edge_belongs_to_one_window_only() -> None:
    requests = log([10.0, 15.0], [5000.0, 5000.0])  # complete at 15 and 20
    first, second = Window(10.0, 15.0), Window(15.0, 20.0)
    assert [len(completed_in(requests, w)) for w in (first, second)] == [0, 1]
    assert [latencies(requests, w, 25.0) is not None for w in (first, second)] == [True, True]


def test_failures_are_completions_but_no_throughput() -> None:
    requests = log([11.0, 12.0, 13.0, 14.0], 100.0, failed=[False, True, False, False])
    figures = run_figures(measured(requests))
    assert figures is not None
    assert (figures.completed, figures.failed, figures.error_rate, figures.rps) == (4, 1, 0.25, 0.3)


def test_censored_requests_count_as_long_as_they_waited() -> None:
    requests = log([5.0, 11.0, 12.0, 21.0], [NAN, 100.0, NAN, NAN])
    figures = run_figures(measured(requests))
    assert figures is not None
    assert figures.censored == figures.latency.censored == 1
    assert figures.latency.max_ms == 13_000.0  # from 12 to the end of the load at 25
    assert figures.completed == 1


@pytest.mark.parametrize(
    "requests",
    [
        log([], []),
        log([1.0, 25.0], 10.0),
        log([11.0], NAN),
        log([9.0], 2000.0),  # completed in it, but nothing started
        log([19.0], 2000.0),  # started in it, but nothing completed
    ],
)
def test_no_figures_without_both_a_start_and_a_completion(requests: RequestLog) -> None:
    assert run_figures(measured(requests)) is None


def test_counters_are_differences_per_completed_request() -> None:
    first = sample(
        10.0, server_user_cpu_s=5.0, server_system_cpu_s=1.0, server_voluntary_switches=100,
        server_involuntary_switches=10, server_run_delay_s=1.0, client_cpu_s=0.5,
        host_context_switches=10_000, host_busy_cpu_s=100.0, host_steal_s=3.0, host_cpu_pressure_s=7.0,
        cgroup_throttled_periods=5,
    )  # fmt: skip
    between = sample(15.0, server_threads=14, server_processes=2)
    last = sample(
        20.0, server_user_cpu_s=11.0, server_system_cpu_s=3.0, server_voluntary_switches=500,
        server_involuntary_switches=30, server_run_delay_s=1.8, client_cpu_s=1.5, server_rss_bytes=77,
        server_peak_rss_bytes=99, host_context_switches=15_000, host_busy_cpu_s=112.0, host_steal_s=3.5,
        host_cpu_pressure_s=8.0, cgroup_throttled_periods=9,
    )  # fmt: skip
    outside = (sample(5.0, server_threads=99), sample(22.0, server_threads=99))
    requests = log([11.0, 12.0, 13.0, 14.0], 100.0)
    pool = PoolStats(workers=4, max_concurrency=3)
    figures = run_figures(measured(requests, (outside[0], first, between, last, outside[1]), pool))
    assert figures is not None
    assert (figures.cpu_user_s, figures.cpu_system_s, figures.cpu_cores) == (6.0, 2.0, 0.8)
    assert figures.cpu_ms_per_request == 2000.0
    assert figures.voluntary_switches_per_request == 100.0
    assert figures.involuntary_switches_per_request == 5.0
    assert figures.run_delay_ms_per_request == pytest.approx(200.0)
    assert (figures.rss_bytes, figures.peak_rss_bytes) == (77, 99)
    assert (figures.threads, figures.processes) == (14, 2)
    assert figures.client_cpu_cores == 0.1
    assert figures.host_switches_per_s == 500.0
    assert figures.host_steal_share == 0.05
    assert figures.host_pressure_share == 0.1
    assert figures.throttled_periods == 4
    assert figures.other_cpu_cores == pytest.approx((12 - 8 - 1) / 10)
    assert (figures.max_concurrency, figures.pool_workers) == (3, 4)


def test_what_becomes_of_a_quota() -> None:
    """Two cores are busy for 50 ms of each of 100 periods, then both stand still for 50 ms."""
    under = {"cgroup_quota_cores": 1.0, "cgroup_period_s": 0.1}
    first = sample(
        10.0, cgroup_throttled_periods=3, cgroup_throttled_s=1.0, cgroup_periods=20, cgroup_cpu_s=50.0,
        cgroup_client_cpu_s=1.0, cgroup_sweeper_cpu_s=2.0, **under,
    )  # fmt: skip
    last = sample(
        20.0, cgroup_throttled_periods=103, cgroup_throttled_s=11.0, cgroup_periods=120, cgroup_cpu_s=60.0,
        cgroup_client_cpu_s=2.0, cgroup_sweeper_cpu_s=2.5, server_user_cpu_s=8.0, **under,
    )  # fmt: skip
    figures = run_figures(measured(log([11.0, 12.0], 100.0), (first, last)))
    assert figures is not None
    assert (figures.throttled_share, figures.throttled_ms_per_request) == (1.0, 5000.0)
    assert figures.quota_lasts_ms == pytest.approx(50.0)
    assert (figures.quota_cores, figures.quota_period_ms) == (1.0, 100.0)
    assert figures.load_in_quota_cores == pytest.approx(0.1)
    assert figures.others_in_quota_cores == pytest.approx((10 - 8 - 1 - 0.5) / 10)


def test_what_the_machine_does_not_say_is_unavailable_not_zero() -> None:
    figures = run_figures(measured(log([11.0], 100.0)))
    assert figures is not None
    for name in (
        "run_delay_ms_per_request", "client_cpu_cores", "host_switches_per_s",
        "host_steal_share", "host_pressure_share", "throttled_periods", "other_cpu_cores", "max_concurrency",
        "pool_workers", "quota_cores", "throttled_share", "throttled_ms_per_request", "quota_lasts_ms",
        "load_in_quota_cores", "others_in_quota_cores",
    ):  # fmt: skip
        assert getattr(figures, name) is None, name


def test_what_the_load_generator_took_of_the_latencies_in_the_window() -> None:
    """Half of two latencies. Of a third it is not known, and two requests are not of the window."""
    requests = dataclasses.replace(
        log([9.0, 11.0, 12.0, 13.0, 20.5], 100.0),
        client_late_ms=np.array([99.0, 50.0, 50.0, np.nan, 99.0]),
    )
    figures = run_figures(dataclasses.replace(measured(requests), users=3))
    assert figures is not None
    assert (figures.client_late_p50_ms, figures.client_late_p99_ms) == (50.0, 50.0)
    assert figures.latency_without_client is not None
    assert figures.latency_without_client.mean_ms == pytest.approx((50 + 50 + 100) / 3)
    assert figures.latency_without_client.p50_ms == 50.0
    cycle_s = 10.0 * 3 / 3  # three users, three requests in ten seconds
    assert figures.client_share_of_cycle == pytest.approx(0.05 / cycle_s)


def test_of_fewer_than_half_the_requests_it_says_nothing() -> None:
    requests = dataclasses.replace(
        log([11.0, 12.0, 13.0], 100.0), client_late_ms=np.array([5.0, np.nan, np.nan])
    )
    figures = run_figures(measured(requests))
    assert figures is not None
    assert figures.client_late_p50_ms is None and figures.latency_without_client is None


def test_without_users_there_is_no_cycle() -> None:
    figures = run_figures(measured(log([11.0], 100.0)))
    assert figures is not None
    assert figures.client_late_p50_ms == 1.0 and figures.client_share_of_cycle is None


def test_the_busiest_of_the_clients_processes() -> None:
    """The first one did its work before the window, and the last one was not there yet."""
    first = sample(10.0, client_process_cpu_s=((1, 50.0), (2, 3.0)))
    last = sample(20.0, client_process_cpu_s=((1, 51.0), (2, 7.0), (3, 3.5)))
    figures = run_figures(measured(log([11.0], 100.0), (first, last)))
    assert figures is not None
    assert figures.client_busiest_cores == pytest.approx(0.4)
    assert (unknown := run_figures(measured(log([11.0], 100.0)))) is not None
    assert unknown.client_busiest_cores is None


def test_edges_are_the_samples_nearest_to_the_window() -> None:
    samples = tuple(sample(at) for at in (8.0, 9.9, 11.5, 19.2, 20.1, 22.0))
    first, last = edges(samples, WINDOW)
    assert (first.at_s, last.at_s) == (9.9, 20.1)
    for too_few in ((), (sample(15.0),)):
        with pytest.raises(ValueError, match="edges"):
            edges(too_few, WINDOW)


requests_strategy = st.lists(
    st.tuples(st.floats(5, 24), st.one_of(st.floats(0.1, 9e3), st.just(NAN)), st.booleans()),
    min_size=1,
    max_size=60,
)


def share(start_s: float, latency_s: float, longest_s: float) -> float:
    """Of one request, in the window; 0 if it never finished."""
    if math.isnan(latency_s):
        return 0.0
    end_s = start_s + latency_s
    begin_s = max(start_s, end_s - longest_s)
    return max(0.0, min(end_s, 20.0) - max(begin_s, 10.0)) / (end_s - begin_s)


@given(requests_strategy)
def test_figures_agree_with_counting_one_by_one(rows: list[tuple[float, float, bool]]) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    requests = log(
        [r[0] for r in rows], [r[1] for r in rows], failed=[r[2] and not math.isnan(r[1]) for r in rows]
    )
    figures = run_figures(measured(requests))
    started = [r for r in rows if 10 <= r[0] < 20]
    done = [r for r in rows if not math.isnan(r[1]) and 10 <= r[0] + r[1] / 1000 < 20]
    shares = [share(start_s, latency_ms / 1000, 3.0) for start_s, latency_ms, _ in rows]
    if not started or not done or sum(shares) == 0:
        assert figures is None
        return
    assert figures is not None
    assert figures.completed == len(done)
    assert figures.failed == sum(r[2] for r in done)
    well = [one for one, row in zip(shares, rows, strict=True) if not row[2]]
    assert figures.rps == pytest.approx(sum(well) / 10, abs=1e-9)
    assert figures.started == len(started)
    waits = [r[1] if not math.isnan(r[1]) else (25 - r[0]) * 1000 for r in started]
    assert figures.latency.max_ms == pytest.approx(max(waits))
    assert figures.latency.mean_ms == pytest.approx(sum(waits) / len(waits))
    assert all(
        math.isfinite(value)
        for value in (*dataclasses.astuple(figures), *dataclasses.astuple(figures.latency))
        if isinstance(value, float)
    )
