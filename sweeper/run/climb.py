"""The rate around which a run climbs if it looks for the capacity.

In a study's first block this rate is unknown. Then the run begins with a very small load and raises it by
half each time, until p99 is clearly above the SLO.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sweeper.records.observations import RequestLog
from sweeper.records.run import RateStep
from sweeper.run.interfaces import Parts, RunningServer
from sweeper.run.timing import RunSettings
from sweeper.run.under_load import check_alive
from sweeper.statistics.capacity import (
    BROKEN_SHARE,
    FIRST_REQUESTS,
    STEP_WINDOWS,
    crossing,
    first_climb,
    latencies_ms,
    seen_steps,
)

LOOK_S = 0.25
IDLE_UPLOADS = 3


def rate_of_first_climb(
    settings: RunSettings, parts: Parts, server: RunningServer, directory: Path, slo_p99_ms: float, seed: int
) -> float:
    """About how many requests/s the server answers within the SLO. Raises LoadError and RunFailed."""
    idle_s = _idle_latency_s(settings, parts, server)
    if idle_s * 1000.0 > slo_p99_ms:
        # No rate keeps it. The lowest one here would take that slow a server minutes.
        return FIRST_REQUESTS / (STEP_WINDOWS * settings.window_s)
    steps = first_climb(idle_s, slo_p99_ms / 1000.0)
    session = parts.load.climbing(steps, seed).start(server.base_url, directory)
    try:
        while True:
            parts.clock.sleep(LOOK_S)
            check_alive(server, session)
            now_s, log = parts.clock.monotonic_s(), session.requests()
            made = _made(steps, log, now_s - slo_p99_ms / 1000.0)
            seen = seen_steps(steps[:made], latencies_ms(log), slo_p99_ms)
            broken = [step.broken_share > BROKEN_SHARE for step in seen[-2:]]
            if made == len(steps) or (len(broken) == 2 and all(broken)):
                session.drain(settings.drain_s)
                return crossing(seen, slo_p99_ms)[0]
    finally:
        session.kill()


def _idle_latency_s(settings: RunSettings, parts: Parts, server: RunningServer) -> float:
    """The shortest of a few uploads, one after the other."""
    taken_s = []
    for _ in range(IDLE_UPLOADS):
        began_s = parts.clock.monotonic_s()
        parts.load.first_answer(server.base_url, settings.answer_timeout_s)
        taken_s.append(parts.clock.monotonic_s() - began_s)
    return max(min(taken_s), 1e-3)


def _made(steps: tuple[RateStep, ...], log: RequestLog, until_s: float) -> int:
    """Of how many rates all requests have arrived by a moment."""
    arrived = int(np.count_nonzero(log.started_s <= until_s))
    planned = np.cumsum([step.requests for step in steps])
    return int(np.count_nonzero(planned <= arrived))
