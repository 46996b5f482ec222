"""A stock of simulated windows: latencies that hang together within a run, read by the real percentiles.

A request is slow when its neighbours are: log latency = restart + slow wave + own noise, where the wave is
an AR(1) over the requests that takes about a second to forget, and now and then a spell in which all is
slower (a neighbour on the host, a collection of garbage). The p99 of one window then differs from the
next one's by far more than its 1,000 requests would say if they were independent.

With N users who do not think, Little's law gives the throughput: N / mean latency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import signal, stats

from sweeper.records.run import FloatArray
from sweeper.statistics.figures import latency_figures

USERS = 100
REQUESTS = 1000  # in a window of 10 s at 100 requests/s
CHUNK = 500


@dataclass(frozen=True)
class Latencies:
    """Deviations are of log latencies. `spells` is how many slow spells a window sees on average."""

    restart: float = 0.02
    wave: float = 0.06
    memory: float = 100.0  # requests
    own: float = 0.15
    spells: float = 0.0
    spell_requests: int = 60
    spell_factor: float = 1.6


@dataclass(frozen=True)
class Stock:
    """`rps` and `p99_ms` have shape (n,); `naive` is how often an interval made of one window's requests,
    as if they were independent, holds the true p99. What a study draws from has exactly these truths."""

    rps: FloatArray
    p99_ms: FloatArray
    naive: float

    @property
    def true_rps(self) -> float:
        return float(np.exp(np.log(self.rps).mean()))

    @property
    def true_p99_ms(self) -> float:
        return float(np.exp(np.log(self.p99_ms).mean()))


def stock(shape: Latencies, count: int, rng: np.random.Generator) -> Stock:
    """Simulate `count` windows (a multiple of CHUNK) around a latency of 500 ms."""
    low, high = (int(rank) for rank in stats.binom(REQUESTS, 0.99).interval(0.95))
    rps, p99, lows, highs = [], [], [], []
    for _ in range(count // CHUNK):
        for latency_ms in _windows(shape, rng):
            figures = latency_figures(latency_ms, latency_ms)
            assert figures is not None
            rps.append(USERS * 1000.0 / figures.mean_ms)
            p99.append(figures.p99_ms)
            ordered = np.partition(latency_ms, (low - 1, high))
            lows.append(ordered[low - 1])
            highs.append(ordered[high])
    truth = np.exp(np.log(p99).mean())
    held = (np.array(lows) <= truth) & (truth <= np.array(highs))
    return Stock(np.array(rps), np.array(p99), float(held.mean()))


def _windows(shape: Latencies, rng: np.random.Generator) -> FloatArray:
    """(CHUNK, REQUESTS) latencies in ms."""
    keep = np.exp(-1.0 / shape.memory)
    shocks = rng.normal(0, shape.wave * np.sqrt(1 - keep**2), (CHUNK, REQUESTS))
    start = keep * rng.normal(0, shape.wave, (CHUNK, 1))
    wave, _ = signal.lfilter([1.0], [1.0, -keep], shocks, axis=1, zi=start)
    logs = wave + rng.normal(0, shape.own, (CHUNK, REQUESTS)) + rng.normal(0, shape.restart, (CHUNK, 1))
    if shape.spells:
        begins = rng.random((CHUNK, REQUESTS)) < shape.spells / REQUESTS
        slow = signal.lfilter(np.ones(shape.spell_requests), [1.0], begins.astype(float), axis=1) > 0.5
        logs += np.log(shape.spell_factor) * slow
    return 500.0 * np.exp(logs)
