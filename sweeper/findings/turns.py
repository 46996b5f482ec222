"""Does a server that takes turns with others notice it? One that waits for something outside does."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np

from sweeper.findings.limits import Limits
from sweeper.records import BlockKey, Configuration, Finding, RunFigures, RunRecord, Severity
from sweeper.statistics.figures import Measurement, completed_in

BURST_S = 0.02
"""How long after a pause the answers of what went on meanwhile keep coming."""
BEYOND_CHANCE = 4.0  # standard deviations of a Poisson count


def outside_waits(measurement: Measurement, figures: RunFigures, limits: Limits) -> Finding | None:
    """While the server is stopped, whatever it waits for goes on: a timer, a database, another service. Their
    answers are there at once when its turn begins, and a burst of completions follows. A server that
    computes, or whose threads wait for each other, has none.
    """
    window = measurement.window
    turns = [at_s for at_s in measurement.resumed_s if window.start_s <= at_s < window.end_s - BURST_S]
    if not turns:
        return None
    finished = measurement.requests.finished_s[completed_in(measurement.requests, window)]
    in_bursts = sum(int(np.count_nonzero((finished >= at_s) & (finished < at_s + BURST_S))) for at_s in turns)
    expected = figures.completed / figures.window_s * BURST_S * len(turns)
    beyond = in_bursts - expected
    share = beyond / figures.completed
    if share <= limits.answered_in_pauses or beyond <= BEYOND_CHANCE * math.sqrt(expected):
        return None
    return Finding(
        "outside-waits",
        Severity.WARNING,
        f"{share:.1%} of the answers came in bursts as a turn began (limit {limits.answered_in_pauses:.0%}): "
        "the server waits for something outside, which goes on while it is stopped for the others' turns and "
        "flatters it; where half of a block's runs or two of one value show that, the next ones are made one "
        "after another, as with --no-interleave",
        {"share": share, "in_bursts": in_bursts, "expected": expected, "turns": len(turns)},
    )


def may_interleave(records: Iterable[RunRecord]) -> bool:
    """False once half of a block's runs, or two of one configuration, have shown that their servers notice.

    One run alone may be chance; a configuration that shows it again would never get a valid run.
    """
    by_block: dict[BlockKey, list[bool]] = {}
    by_configuration: Counter[Configuration] = Counter()
    for record in records:
        if record.figures is not None:
            noticed = any(finding.code == "outside-waits" for finding in record.findings)
            by_block.setdefault(record.plan.block_key, []).append(noticed)
            by_configuration[record.configuration] += noticed
    half = any(2 * sum(noticed) >= len(noticed) for noticed in by_block.values())
    return not half and all(count < 2 for count in by_configuration.values())
