"""The capacity within an SLO, as one run has it: a climb through a few rates, and where p99 crosses the SLO.

The field's maximum throughput under a latency bound (MLPerf Inference, server scenario: requests arrive by a
Poisson process, and the 99th percentile of their latency must keep the bound).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import isotonic_regression

from sweeper.records.observations import RequestLog
from sweeper.records.run import Bound, Capacity, FloatArray, RateStep, StepSeen
from sweeper.statistics.figures import percentile
from sweeper.statistics.ideal_queue import IdealQueue, fitted

RATES = 5
RATIO, WIDE_RATIO = 1.1, 1.25
"""From one rate to the next: around what earlier runs found, and around what a first climb did."""
STEP_WINDOWS = 0.6
"""How long each rate lasts, in windows."""
REMEMBERED = 3
"""Climbs that say where the next one is to be."""
BEYOND = {Bound.AT_LEAST: 1.3, Bound.AT_MOST: 1 / 1.3}
FEWEST_REQUESTS = 100
"""At one rate: of fewer, p99 is the longest latency."""
LONGEST = 3.0
"""To get so many, a rate may last this many times as long as usual."""
SETTLING = 0.25
"""Of the requests of each rate, which do not count: they meet the queue of the rate before."""
STEADIER = 16
"""Draws of service times over which the ideal queue's crossing is averaged."""
FIRST_RATE = 0.25
"""Of what one server that takes as long as an idle one would answer."""
FIRST_RATIO, FIRST_STEP_S, FIRST_REQUESTS, FIRST_STEPS = 1.5, 1.5, 20, 24
MOST_STRETCH, HALVINGS, EQUAL = 0.4, 8, 1e-6
"""The ideal queue's largest stretch (log), how often its range is halved, what counts as rounding (log)."""
BROKEN_SHARE = 0.1
"""Of a rate's requests beyond the SLO: after two such rates no higher one is tried."""


def climb_around(expected_rps: float, window_s: float, ratio: float = RATIO) -> tuple[RateStep, ...]:
    """The rates of one run, the middle one the one at which the crossing is expected."""
    rates = [expected_rps * ratio ** (number - RATES // 2) for number in range(RATES)]
    usual_s = STEP_WINDOWS * window_s
    return tuple(RateStep(rate, _requests(rate, usual_s)) for rate in rates)


def _requests(rate: float, usual_s: float) -> int:
    """As many as arrive in the usual time, or in up to three times as long where these are few."""
    return round(max(FIRST_REQUESTS, rate * usual_s, min(FEWEST_REQUESTS, rate * LONGEST * usual_s)))


def first_climb(idle_latency_s: float, slo_s: float) -> tuple[RateStep, ...]:
    """Where nothing is expected yet: from what hardly loads the server, each rate half as much again."""
    lowest = FIRST_RATE / idle_latency_s
    lasts_s = max(FIRST_STEP_S, 2 * slo_s)
    rates = [lowest * FIRST_RATIO**number for number in range(FIRST_STEPS)]
    return tuple(RateStep(rate, max(FIRST_REQUESTS, round(rate * lasts_s))) for rate in rates)


def expected_rps(earlier: Sequence[Capacity]) -> float | None:
    """Around which rate to look, by earlier climbs of the same configuration, the latest last; None without
    any. Where one only gave a bound, beyond it."""
    if not earlier:
        return None
    logs = [
        math.log(found.rps * (1.0 if found.bound is Bound.EXACT else found.luck * BEYOND[found.bound]))
        for found in earlier[-REMEMBERED:]
    ]
    return math.exp(sum(logs) / len(logs))


def latencies_ms(log: RequestLog) -> FloatArray:
    """Shape (n,), in order of arrival; infinite where the request failed or never finished."""
    return np.where(log.failed | np.isnan(log.latency_ms), np.inf, log.latency_ms)


def seen_steps(steps: Sequence[RateStep], latency_ms: FloatArray, slo_p99_ms: float) -> tuple[StepSeen, ...]:
    """What became of each rate of which any request counts, by latencies as `latencies_ms` has them."""
    found, first = [], 0
    for step in steps:
        last = first + step.requests
        own = np.sort(latency_ms[first + int(SETTLING * step.requests) : last])
        if len(own):
            p99 = percentile(own, 0.99)
            found.append(
                StepSeen(
                    step.arrivals_per_s,
                    len(own),
                    p99 if math.isfinite(p99) else None,
                    float(np.mean(own > slo_p99_ms)),
                )
            )
        first = last
    return tuple(found)


def crossing(steps: Sequence[StepSeen], slo_p99_ms: float) -> tuple[float, Bound]:
    """Where p99 crosses the SLO: requests/s, and what that is.

    1/p99 falls nearly in a straight line as a queue gets full, and is 0 where requests are lost. So a fit
    that never rises (isotonic, weighted by requests) is made of it, and read between the rates, never beyond.
    """
    rates = [step.arrivals_per_s for step in steps]
    speeds = _never_rising(
        [0.0 if step.p99_ms is None else 1.0 / max(step.p99_ms, 1e-3) for step in steps],
        [step.requests for step in steps],
    )
    wanted = 1.0 / slo_p99_ms
    if speeds[0] < wanted:
        return rates[0], Bound.AT_MOST
    for number in range(1, len(rates)):
        if speeds[number] < wanted:
            share = (speeds[number - 1] - wanted) / (speeds[number - 1] - speeds[number])
            return rates[number - 1] + share * (rates[number] - rates[number - 1]), Bound.EXACT
    return rates[-1], Bound.AT_LEAST


def capacity(
    log: RequestLog, steps: Sequence[RateStep], slo_p99_ms: float, most_servers: int
) -> Capacity | None:
    """Of one run; None where nothing arrived. `most_servers`: requests that the server works on at once."""
    latency_ms = latencies_ms(log)
    seen = seen_steps(steps, latency_ms, slo_p99_ms)
    if not seen:
        return None
    rps, bound = crossing(seen, slo_p99_ms)
    luck = _within(bound, _luck(log, steps, slo_p99_ms, most_servers, rps))
    without = None
    if np.isfinite(log.client_late_ms).any():
        late_ms = np.nan_to_num(log.client_late_ms, nan=0.0)
        served = seen_steps(steps, np.maximum(latency_ms - late_ms, 0.0), slo_p99_ms)
        without = max(rps, crossing(served, slo_p99_ms)[0]) / luck
    return Capacity(rps / luck, bound, seen, luck, without)


def _luck(
    log: RequestLog, steps: Sequence[RateStep], slo_p99_ms: float, most_servers: int, crossing_rps: float
) -> float:
    """The factor by which these arrivals make an ideal queue's capacity look larger than it is.

    sweeper stretches the queue's time, as little as possible, until its p99 crosses the SLO at the same rate
    as the run's. Otherwise a queue that is slightly too fast or too slow would meet other arrivals, or would
    not cross at all."""
    arrived_s = log.started_s[: sum(step.requests for step in steps)]
    # Beyond the rate above the crossing the server is overloaded and may refuse requests: no queue fits both.
    below = sum(step.arrivals_per_s < crossing_rps for step in steps)
    told = sum(step.requests for step in steps[: below + 1])
    answered = np.isfinite(log.latency_ms[:told]) & ~log.failed[:told]
    queue = fitted(arrived_s[:told][answered], log.latency_ms[:told][answered] / 1000.0, most_servers)
    long_run = None if queue is None else queue.long_run_rps(slo_p99_ms / 1000.0)
    if queue is None or long_run is None:
        return 1.0

    def beyond(log_stretch: float) -> float:
        """How far the queue crosses beyond the run, as a log; 0 where rounding alone tells them apart."""
        stretch = math.exp(log_stretch)
        rates = [RateStep(step.arrivals_per_s / stretch, step.requests) for step in steps]
        found = [
            _ideal_crossing(queue, arrived_s * stretch, rates, slo_p99_ms, seed) for seed in range(STEADIER)
        ]
        off = float(np.mean(np.log(found))) + log_stretch - math.log(crossing_rps)
        return 0.0 if abs(off) < EQUAL else off

    here = beyond(0.0)
    if here == 0.0:
        return crossing_rps / long_run
    near, far = 0.0, math.copysign(MOST_STRETCH, -here)
    for _ in range(HALVINGS):
        middle = (near + far) / 2
        near, far = (middle, far) if beyond(middle) * here > 0 else (near, middle)
    return crossing_rps / (long_run * math.exp((near + far) / 2))


def _within(bound: Bound, luck: float) -> float:
    """Of a bound, luck may take something back, but never move it beyond the rates."""
    return max(luck, 1.0) if bound is Bound.AT_LEAST else min(luck, 1.0) if bound is Bound.AT_MOST else luck


def _ideal_crossing(
    queue: IdealQueue, arrived_s: FloatArray, steps: Sequence[RateStep], slo_p99_ms: float, seed: int
) -> float:
    latency_ms = queue.latencies_s(arrived_s, seed) * 1000.0
    return crossing(seen_steps(steps, latency_ms, slo_p99_ms), slo_p99_ms)[0]


def _never_rising(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    return [float(value) for value in isotonic_regression(values, weights=weights, increasing=False).x]
