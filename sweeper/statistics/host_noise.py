"""How much the host's speed varies while nothing is measured, and how many blocks a study takes at least.

The host's part alone: what a server adds by itself is not known before it runs. So the number of blocks is a
lower bound, and the study's own residual deviation replaces it after the first look.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sweeper.records.configuration import Configuration
from sweeper.records.observations import SpeedLog
from sweeper.records.run import Window
from sweeper.statistics.blocks_needed import foreseen_blocks
from sweeper.statistics.criteria import CandidateState, Rule
from sweeper.statistics.host_speed import host_speed
from sweeper.statistics.standing import Standing

FEWEST_TURNS = 3
SHARE_NEEDED = 0.75  # of the turns must have a figure: the rest of a torn measurement flatters


@dataclass(frozen=True, slots=True)
class HostNoise:
    """How much the host's speed varied; deviations are of its log."""

    seconds: float  # how long it was watched
    round_s: float  # how long a turn of each value takes together
    turns: int  # that have a figure
    turn_deviation: float  # of the turns within a round
    overall_deviation: float  # of all turns
    range: float  # the fastest turn's speed ÷ the slowest's

    def of_a_run(self, turns: int) -> float:
        """What is left of it in the comparison of runs that take so many turns each."""
        return self.turn_deviation / math.sqrt(turns)


def host_noise(log: SpeedLog | None, window: Window, turn_s: float, values: int) -> HostNoise | None:
    """Cuts the window into turns, as if `values` runs took them one after the other.

    None without a probe, or where it could not run in enough of the turns.
    """
    count = int((window.end_s - window.start_s) / turn_s + 1e-9)
    if log is None or count < FEWEST_TURNS:
        return None
    edges = [window.start_s + number * turn_s for number in range(count + 1)]
    seen = [host_speed(log, Window(*edge)) for edge in pairwise(edges)]
    logs = np.array([math.nan if speed is None else math.log(speed) for speed in seen])
    known = logs[~np.isnan(logs)]
    if len(known) < max(FEWEST_TURNS, SHARE_NEEDED * count):
        return None
    squares, freedom = 0.0, 0
    for first in range(0, count, values):
        turns = logs[first : first + values]
        turns = turns[~np.isnan(turns)]
        if len(turns) > 1:
            squares += float(((turns - turns.mean()) ** 2).sum())
            freedom += len(turns) - 1
    if not freedom:
        return None
    return HostNoise(
        seconds=count * turn_s,
        round_s=min(count, values) * turn_s,
        turns=len(known),
        turn_deviation=math.sqrt(squares / freedom),
        overall_deviation=float(known.std(ddof=1)),
        range=math.exp(float(known.max() - known.min())),
    )


def blocks_at_least(deviation: float, configurations: Collection[Configuration], rule: Rule) -> int | None:
    """The first planned look at which values that are all alike could be shown to be within the tolerance, if
    runs deviated by that much. None where the last look would not do."""
    alike = [Standing(configuration, CandidateState.UNSETTLED, gap=0.0) for configuration in configurations]
    blocks = foreseen_blocks(alike, deviation, rule)
    return None if blocks is None else next((look for look in rule.looks if look >= blocks), None)
