"""The Universal Scalability Law fitted to throughput by workers: a picture of contention, never the decision.

Gunther, "Guerrilla Capacity Planning" (Springer 2007), chapter 4: N workers give X(N) = gamma N / (1 + sigma
(N - 1) + kappa N (N - 1)). sigma is the share of the work that must queue for something shared (contention),
kappa what keeping each other up to date costs each pair (coherency): with it, throughput falls beyond a peak.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from sweeper.records.run import FloatArray

FEWEST_COUNTS = 4
"""Three parameters go through any three points."""


@dataclass(frozen=True, slots=True)
class Scalability:
    """A fitted curve of throughput by workers."""

    gamma: float  # requests/s of one worker by itself
    sigma: float  # contention, as a share
    kappa: float  # coherency, of each pair
    deviation: float  # how far the points lie from the curve, as a share (root mean square of the log)

    def rps(self, workers: FloatArray) -> FloatArray:
        return throughput(workers, self.gamma, self.sigma, self.kappa)

    @property
    def peak_workers(self) -> float | None:
        """Where throughput is highest; None where the curve does not fall."""
        if self.kappa < 1e-12:
            return None
        return math.sqrt(max(1.0 - self.sigma, 0.0) / self.kappa)


def throughput(workers: FloatArray, gamma: float, sigma: float, kappa: float) -> FloatArray:
    return gamma * workers / (1 + sigma * (workers - 1) + kappa * workers * (workers - 1))


def fit(rps: Mapping[int, float]) -> Scalability | None:
    """The curve nearest to these requests/s by worker count, by the squares of the logs; None with fewer than
    four counts that answered anything."""
    known = {count: value for count, value in rps.items() if value > 0}
    if len(known) < FEWEST_COUNTS:
        return None
    workers = np.array(sorted(known), dtype=float)
    logs = np.log([known[int(count)] for count in workers])

    def misses(parameters: FloatArray) -> FloatArray:
        gamma, sigma, kappa = parameters
        return np.log(throughput(workers, math.exp(gamma), sigma, kappa)) - logs

    # From several beginnings: the squares have more than one valley where throughput is flat.
    found = [
        optimize.least_squares(
            misses, (logs[0] - math.log(workers[0]), sigma, kappa), bounds=([-50, 0, 0], [50, 1, 1])
        )
        for sigma in (0.01, 0.5)
        for kappa in (1e-6, 1e-3)
    ]
    best = min(found, key=lambda one: one.cost)
    gamma, sigma, kappa = (float(value) for value in best.x)
    return Scalability(math.exp(gamma), sigma, kappa, float(np.sqrt(np.mean(best.fun**2))))
