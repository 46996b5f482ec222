"""Closed networks with an exact answer: N users, a think time, c servers with exponential service, FIFO.

Throughput and the number in service are those of the machine repair model (M/M/c//N; Kleinrock, Queueing
Systems I, 1975, section 3.8). A request finds the server as N - 1 users leave it on average (the arrival
theorem: Sevcik and Mitrani, J. ACM 28, 1981; Reiser and Lavenberg, J. ACM 27, 1980). Think times enter with
their mean only (an infinite-server station is insensitive: BCMP, J. ACM 22, 1975).
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from sweeper.records.run import FloatArray


@dataclass(frozen=True)
class ClosedNetwork:
    """`rate` is what one server completes in a second; `think_s` the mean think time."""

    users: int
    servers: int
    rate: float
    think_s: float = 0.0

    def throughput(self) -> float:
        """Requests per second."""
        busy = np.minimum(np.arange(self.users + 1), self.servers)
        return float(self._present(self.users) @ busy) * self.rate

    def mean_response_s(self) -> float:
        """Little's law over the whole circle."""
        return self.users / self.throughput() - self.think_s

    def late(self, seconds: float) -> float:
        """The share of requests that take longer than `seconds`."""
        found = self._present(self.users - 1)
        return float(sum(share * self._late(n, seconds) for n, share in enumerate(found) if share > 1e-15))

    def percentile_s(self, share: float) -> float:
        longest = 100.0 * (self.users + self.servers) / (self.servers * self.rate)
        return float(optimize.brentq(lambda t: self.late(t) - (1 - share), 0.0, longest, xtol=1e-9))

    def _present(self, users: int) -> FloatArray:
        """Shares of time with 0 … users requests at the servers, when there are that many users."""
        if self.think_s == 0.0:
            return np.eye(users + 1)[users]
        n = np.arange(1, users + 1)
        steps = (users - n + 1) / self.think_s / (np.minimum(n, self.servers) * self.rate)
        logs = np.concatenate([[0.0], np.cumsum(np.log(steps))])
        weights = np.exp(logs - logs.max())
        return np.asarray(weights / weights.sum(), dtype=float)

    def _late(self, found: int, seconds: float) -> float:
        """Having found that many: queue for an Erlang time, then be served for an exponential one."""
        served = math.exp(-self.rate * seconds)
        if found < self.servers:
            return served
        ahead, pace = found - self.servers + 1, self.servers * self.rate
        if self.servers == 1:
            return float(special.gammaincc(ahead + 1, pace * seconds))
        growth = ahead * math.log(pace / (pace - self.rate))
        both = special.gammainc(ahead, (pace - self.rate) * seconds) * math.exp(growth) * served
        return float(special.gammaincc(ahead, pace * seconds) + both)


def simulated(
    users: int, servers: int, service_s: Callable[[], float], think_s: Callable[[], float], until_s: float
) -> tuple[FloatArray, FloatArray]:
    """Every request started before `until_s`: its start in s and its latency in ms, in order of start."""
    waiting = [(think_s(), user) for user in range(users)]
    heapq.heapify(waiting)
    free_s = [0.0] * servers
    starts, latencies = [], []
    while waiting[0][0] < until_s:
        start, user = waiting[0]
        end = max(start, free_s[0]) + service_s()
        heapq.heapreplace(free_s, end)
        heapq.heapreplace(waiting, (end + think_s(), user))
        starts.append(start)
        latencies.append(1000.0 * (end - start))
    return np.array(starts), np.array(latencies)


def on_cores(
    users: int,
    threads: int,
    cores: int,
    work_s: Callable[[], float],
    think_s: Callable[[], float],
    until_s: float,
) -> tuple[FloatArray, FloatArray]:
    """As `simulated`, but of threads that compute: those with a request share the cores evenly.

    All users begin at once, as locust's do. Threads that begin together end together, for seconds.
    """
    sending = [(0.0, user) for user in range(users)]
    heapq.heapify(sending)
    queue: deque[float] = deque()
    serving: list[tuple[float, float]] = []  # what each thread will have been given at its end; its start
    now_s = given_s = 0.0
    starts, latencies = [], []
    while sending or serving:
        pace = min(1.0, cores / len(serving)) if serving else 0.0
        end_s = now_s + (serving[0][0] - given_s) / pace if serving else math.inf
        begins = bool(sending) and sending[0][0] <= end_s
        next_s = sending[0][0] if begins else end_s
        given_s, now_s = given_s + (next_s - now_s) * pace, next_s
        if begins:
            heapq.heappop(sending)
            if now_s < until_s:
                queue.append(now_s)
        else:
            start = heapq.heappop(serving)[1]
            starts.append(start)
            latencies.append(1000.0 * (now_s - start))
            heapq.heappush(sending, (now_s + think_s(), len(starts)))
        while queue and len(serving) < threads:
            heapq.heappush(serving, (given_s + work_s(), queue.popleft()))
    order = np.argsort(starts, kind="stable")
    return np.array(starts)[order], np.array(latencies)[order]
