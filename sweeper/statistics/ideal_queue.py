"""The queue that explains a run's latencies best, and how lucky the run's arrivals were for it.

Requests that arrive at random come in bursts. Within some seconds there may be fewer or more bursts than in
the long run, and p99 is made by the few worst of them: in one run it is mostly the luck of its arrivals. But
these arrivals are known. An ideal queue (first come, first served, so many servers) that is fed with the same
arrivals shows what they did, and in the long run what arrivals do. The ratio is taken out of the run's
capacity, as a control variate (Glasserman, "Monte Carlo Methods in Financial Engineering", 2003, section 4.1)
with the coefficient 1. Where the queue is a poor picture of the server, less noise is taken out; the ratio
goes to 1 with the length of the run whatever the server is.
"""

from __future__ import annotations

import functools
import heapq
import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from sweeper.records.run import FloatArray

BoolArray = NDArray[np.bool_]
SERVERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
HALVINGS = 10
REPLICAS, SETTLING, COUNTED = 100, 500, 1500
"""Queues side by side, how many requests each has before the ones that count, and how many of these."""
PRECISION = 2e-3
"""Of the long run's rate, beside the noise of so many requests (some 1%, other for each run)."""
FEWEST_SAMPLES = 50
"""Requests that met no queue, whose latencies are service times; fewer say nothing of their spread."""


@dataclass(frozen=True, slots=True)
class IdealQueue:
    """First come, first served. `service_s` has shape (n,): times that requests take, to draw from."""

    servers: int
    service_s: FloatArray

    def latencies_s(self, arrived_s: FloatArray, seed: int = 0) -> FloatArray:
        """Of requests that arrive at these moments, ascending; both arrays have shape (n,)."""
        drawn = np.random.default_rng(seed).choice(self.service_s, len(arrived_s))
        return _latencies(arrived_s, drawn, self.servers)[0]

    def long_run_rps(self, slo_s: float) -> float | None:
        """The rate at which p99 is the SLO, in the long run; None where no rate keeps it, or hardly any."""
        mean_s = float(self.service_s.mean())
        if np.mean(self.service_s > slo_s) > 0.01 or mean_s <= 0:
            return None
        chance = np.random.default_rng(zlib.crc32(self.service_s.tobytes()))
        shape = SETTLING + COUNTED, REPLICAS
        unit_gaps, drawn = chance.exponential(size=shape), chance.choice(self.service_s, shape)

        @functools.cache  # the ends of the search are asked for twice
        def too_many(rate: float) -> float:
            broken = _broken_share(unit_gaps / rate, drawn, self.servers, slo_s)
            return math.log(max(broken, 1e-6) / 0.01)

        most = self.servers / mean_s
        low, high = 0.05 * most, most
        if too_many(low) >= 0:
            return None
        if too_many(high) <= 0:
            return high
        return float(brentq(too_many, low, high, rtol=PRECISION))


def fitted(arrived_s: FloatArray, latency_s: FloatArray, most_servers: int) -> IdealQueue | None:
    """The queue whose latencies are closest to those seen, with at most so many servers.

    Both arrays have shape (n,), in order of arrival; None for n = 0. For each number of servers the service
    time follows from the mean latency; the spread of service times is that of requests which met no queue.
    """
    if len(latency_s) == 0:
        return None
    servers, service_s, waited = min(
        (_best_service(arrived_s, latency_s, count) for count in _counts(most_servers)),
        key=lambda found: _distance(found[3], latency_s),
    )[:3]
    alone = latency_s[~waited]
    if len(alone) < FEWEST_SAMPLES:
        alone = np.array([service_s])
    return IdealQueue(servers, alone * (service_s / float(alone.mean())))


def _counts(most: int) -> list[int]:
    return sorted({count for count in SERVERS if count <= most} | {min(most, SERVERS[-1])})


def _best_service(
    arrived_s: FloatArray, latency_s: FloatArray, servers: int
) -> tuple[int, float, BoolArray, FloatArray]:
    """Servers, the service time whose mean latency is that seen, which requests waited, and the latencies."""
    wanted = float(latency_s.mean())
    low, high = 0.0, wanted
    for _ in range(HALVINGS):
        service_s = (low + high) / 2
        found, waited = _latencies(arrived_s, np.full(len(arrived_s), service_s), servers)
        low, high = (service_s, high) if found.mean() < wanted else (low, service_s)
    return servers, service_s, waited, found


def _distance(found_s: FloatArray, seen_s: FloatArray) -> float:
    return float(np.abs(np.log(np.maximum(found_s, 1e-6)) - np.log(np.maximum(seen_s, 1e-6))).mean())


def _latencies(arrived_s: FloatArray, service_s: FloatArray, servers: int) -> tuple[FloatArray, BoolArray]:
    """Latencies, and whether each request waited: each takes the server that is free first."""
    free, begins_s = [0.0] * servers, []
    for moment, takes in zip(arrived_s.tolist(), service_s.tolist(), strict=True):
        begins = free[0] if free[0] > moment else moment
        heapq.heapreplace(free, begins + takes)
        begins_s.append(begins)
    begun_s = np.array(begins_s)
    return begun_s + service_s - arrived_s, begun_s > arrived_s


def _broken_share(gaps_s: FloatArray, service_s: FloatArray, servers: int, slo_s: float) -> float:
    """Of the requests, that take longer than `slo_s`; arrays of shape (requests, replicas). The recursion of
    Kiefer and Wolfowitz ("On the theory of queues with many servers", Trans. Am. Math. Soc. 78, 1955): what
    each server has left to do, in ascending order."""
    left_s, broken = np.zeros((gaps_s.shape[1], servers)), 0
    for number, (gap_s, takes_s) in enumerate(zip(gaps_s, service_s, strict=True)):
        left_s -= gap_s[:, np.newaxis]
        np.maximum(left_s, 0.0, out=left_s)
        left_s[:, 0] += takes_s
        if number >= SETTLING:
            broken += int(np.count_nonzero(left_s[:, 0] > slo_s))
        left_s.sort(axis=1)
    return float(broken / ((len(gaps_s) - SETTLING) * gaps_s.shape[1]))
