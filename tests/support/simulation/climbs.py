"""Climbs against simulated queues, read by the code that reads real runs."""

from __future__ import annotations

import functools
import heapq
import math
from collections.abc import Callable

import numpy as np

from sweeper.records.run import Capacity, FloatArray
from sweeper.statistics.capacity import RATIO, capacity, climb_around
from tests.support.builders import log

Service = Callable[[np.random.Generator], float]
"""Draws a service time, in seconds."""
REFUSAL = 0.3
QUEUES, REQUESTS, FIRST_ONES = 500, 5000, 1000


def served(
    arrived_s: FloatArray, servers: int, service_s: Callable[[], float], longest_wait_s: float = math.inf
) -> FloatArray:
    """Latencies in seconds, first come, first served. NaN: the server refuses the request, because it would
    wait longer than `longest_wait_s`. A refusal takes the share `REFUSAL` of the time of an answer."""
    free, latencies = [0.0] * servers, []
    for moment in arrived_s.tolist():
        takes = service_s()
        if free[0] - moment > longest_wait_s:
            heapq.heapreplace(free, free[0] + REFUSAL * takes)
            latencies.append(math.nan)
            continue
        begins = max(moment, free[0])
        heapq.heapreplace(free, begins + takes)
        latencies.append(begins + takes - moment)
    return np.array(latencies)


@functools.cache
def known_capacity(servers: int, service: Service, slo_p99_ms: float) -> float:
    """The rate at which p99 is the SLO: by two million requests to 500 queues side by side."""
    chance, takes = np.random.default_rng(11), np.random.default_rng(12)
    gaps = chance.exponential(size=(REQUESTS, QUEUES))
    drawn = takes.choice([service(takes) for _ in range(50_000)], (REQUESTS, QUEUES))
    low, high = 0.0, servers / float(drawn.mean())
    for _ in range(11):
        rate, broken = (low + high) / 2, 0
        free_s = np.zeros((QUEUES, servers))
        for number in range(REQUESTS):
            free_s = np.sort(np.maximum(free_s - gaps[number, :, np.newaxis] / rate, 0.0), axis=1)
            free_s[:, 0] += drawn[number]
            broken += int(np.sum(free_s[:, 0] * 1000 > slo_p99_ms)) if number >= FIRST_ONES else 0
        low, high = (rate, high) if broken <= 0.01 * QUEUES * (REQUESTS - FIRST_ONES) else (low, rate)
    return (low + high) / 2


def climbed(
    servers: int,
    service: Service,
    slo_p99_ms: float,
    *,
    expected_rps: float,
    seed: int,
    workers: int | None = None,
    window_s: float = 10.0,
    ratio: float = RATIO,
    longest_wait_s: float = math.inf,
) -> Capacity:
    """Simulate one run. The same seed gives the same arrivals for every server. The server refuses a request
    that would wait longer than `longest_wait_s`."""
    steps = climb_around(expected_rps, window_s, ratio)
    arrivals, chance = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2, servers])
    gaps = [arrivals.exponential(1 / step.arrivals_per_s, step.requests) for step in steps]
    at_s = np.cumsum(np.concatenate(gaps))
    latency_ms = served(at_s, servers, functools.partial(service, chance), longest_wait_s) * 1000
    refused = np.isnan(latency_ms)
    seen = log(at_s, np.where(refused, 1.0, latency_ms), failed=refused)
    found = capacity(seen, steps, slo_p99_ms, workers or servers)
    assert found is not None
    return found
