"""How fast a truth server is at a moment: a host that drifts, a server that warms up."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """Speed relative to the server's nominal one; a request takes its service time divided by it.

    drift     the host: 1 + drift * sin(2 pi t / period), t being CLOCK_MONOTONIC, so that servers which
              run one after the other (or at the same time) on one machine share it
    warming   the server: `cold` times the nominal speed at its first prediction, rising in a straight
              line to the nominal one `warming_s` later
    """

    drift: float = 0.0
    period_s: float = 40.0
    warming_s: float = 0.0
    cold: float = 0.5
    first_s: float | None = None

    def speed(self, at_s: float) -> float:
        """At `at_s` of CLOCK_MONOTONIC; the first call is the first prediction."""
        if self.first_s is None:
            self.first_s = at_s
        host = 1.0 + self.drift * math.sin(2.0 * math.pi * at_s / self.period_s)
        if self.warming_s <= 0:
            return host
        warmed = min(1.0, max(0.0, (at_s - self.first_s) / self.warming_s))
        return host * (self.cold + (1.0 - self.cold) * warmed)
