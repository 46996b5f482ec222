"""How a truth server's service time depends on its pool size, so that the best size is known.

A pool of W slots that each need S(W) seconds per request completes at most X(W) = W / S(W) requests
per second. Each shape gives X(W) in units of 1/S0, S0 being the service time of a lone slot:

linear       X = W                                   more is better without end
plateau:K    X = min(W, K)                           answer: K, the first point of the plateau
flat         X = 1                                   answer: the smallest
peak:K       X = W up to K, then falling by 20% with every doubling; answer: K
cliff:K      X as plateau:K, but above K 3% of the requests take ten times as long as the mean, the
             others less, so that the mean and X stay: only the tail (p99) tells W > K from K
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

NAMES = ("linear", "plateau", "flat", "peak", "cliff")
DISTRIBUTIONS = ("fixed", "exponential")
LOSS_PER_DOUBLING = 0.20
TAIL_SHARE = 0.03
TAIL_FACTOR = 10.0


@dataclass(frozen=True, slots=True)
class Shape:
    """A named X(W); `knee` is K where the shape has one."""

    name: str = "linear"
    knee: int = 1

    def capacity(self, workers: int) -> float:
        """X(W) in units of 1/S0."""
        knee = workers if self.name == "linear" else 1 if self.name == "flat" else self.knee
        if self.name == "peak" and workers > knee:
            return float(knee * (1.0 - LOSS_PER_DOUBLING) ** math.log2(workers / knee))
        return float(min(workers, knee))

    def mean_service_s(self, workers: int, lone_service_s: float) -> float:
        """S(W) = W / X(W), in seconds."""
        return lone_service_s * workers / self.capacity(workers)

    def has_tail(self, workers: int) -> bool:
        return self.name == "cliff" and workers > self.knee


def parse_shape(text: str) -> Shape:
    """`plateau:4` and the like; ValueError for anything else."""
    name, _, knee = text.partition(":")
    if name not in NAMES or (knee and not knee.isdigit()):
        raise ValueError(f"shape must be one of {', '.join(NAMES)}, with :K for its knee, not {text!r}")
    return Shape(name, int(knee or 4))


def service_times(
    shape: Shape, workers: int, lone_service_s: float, distribution: str, seed: int
) -> Callable[[], float]:
    """A function that gives the next request's service time in seconds; its mean is S(W)."""
    mean_s = shape.mean_service_s(workers, lone_service_s)
    chance = random.Random(seed)
    if shape.has_tail(workers):
        quick_s = mean_s * (1.0 - TAIL_SHARE * TAIL_FACTOR) / (1.0 - TAIL_SHARE)
        return lambda: mean_s * TAIL_FACTOR if chance.random() < TAIL_SHARE else quick_s
    if distribution == "exponential":
        return lambda: chance.expovariate(1.0) * mean_s
    return lambda: mean_s
