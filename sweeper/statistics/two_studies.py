"""One figure in two studies: the ratio B ÷ A with limits.

The run is the unit, and runs of one block share the host's state, so that a study counts with its block means
(of the log), and two studies are compared by Welch's t interval. That holds for the hours that were measured.
Between two studies the host may change as it does between two blocks, and by as much: on a shared host four
equal studies of one night differed by up to 20%, with limits of ±4 to ±9%. What the host varies by between
blocks therefore counts once more for each study, undivided: no number of blocks makes up for other hours.

The other comparison takes the host out: how the ratio to a reference differs, each from the blocks of its own
study (statistics/blocks.py). It is blind to what slows the reference alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sweeper.records.answer import Interval
from sweeper.records.configuration import Configuration
from sweeper.records.run import FloatArray
from sweeper.statistics.blocks import BlockModel, Observation, fit
from sweeper.statistics.intervals import LOG_LIMIT, by_block, contrast_quantile

FORESEEABLE_BLOCKS = 100


@dataclass(frozen=True, slots=True)
class Level:
    """How sure an interval is."""

    error: float  # of one end of it
    comparisons: int  # at once, which share the error (Bonferroni)

    def quantile(self, freedom: float) -> float:
        return contrast_quantile(self.error, self.comparisons, freedom)


Part = tuple[float, float]
"""A variance and its degrees of freedom."""


@dataclass(frozen=True, slots=True)
class StudySeries:
    """The log of one figure over a study's blocks."""

    means: Mapping[Configuration, FloatArray]  # of each block, by configuration
    model: BlockModel  # takes the blocks out
    blocks: int
    host_deviation: float  # by how much blocks differ beyond the runs' own noise

    def parts(self, blocks: int, made: int) -> list[Part]:
        """Variance of a mean over `made` of `blocks` blocks as it would be in any hours: of the runs
        themselves, and of the host, once in each block and once in the study."""
        noise = self.model.residual_deviation
        if noise is None or self.blocks < 2:
            return [(math.inf, 0.0)]
        freedom = self.model.degrees_of_freedom * (blocks - 1) / (self.blocks - 1)
        return [(noise**2 / made, freedom), (self.host_deviation**2 * (1 + 1 / made), blocks - 1.0)]


def series(observations: Sequence[Observation]) -> StudySeries:
    """Needs at least one observation."""
    means: dict[Configuration, FloatArray] = {}
    for configuration in sorted({o.configuration for o in observations}):
        own = [o for o in observations if o.configuration == configuration]
        means[configuration] = np.log(by_block([math.exp(o.value) for o in own], [o.block for o in own]))
    model = fit(observations)
    freedom = sum(len(values) - 1 for values in means.values())
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in means.values())
    of_the_host = (squares / freedom if freedom else 0.0) - (model.residual_deviation or 0.0) ** 2
    blocks = len({o.block for o in observations})
    return StudySeries(means, model, blocks, math.sqrt(max(0.0, of_the_host)))


def ratio(a: StudySeries, b: StudySeries, configuration: Configuration, level: Level) -> Interval | None:
    """B ÷ A of one configuration, with limits that allow for other hours.

    None where a study has no figure of it; no limits where one has a single block.
    """
    if configuration not in a.means or configuration not in b.means:
        return None
    parts = [part for one in (a, b) for part in one.parts(one.blocks, len(one.means[configuration]))]
    return _interval(_estimate(a, b, configuration), parts, level)


def _estimate(a: StudySeries, b: StudySeries, configuration: Configuration) -> float:
    return float(b.means[configuration].mean() - a.means[configuration].mean())


def ratio_in_these_hours(
    a: StudySeries, b: StudySeries, configuration: Configuration, level: Level
) -> Interval | None:
    """The same as if the host had been alike in both studies: Welch's interval of the block means."""
    if configuration not in a.means or configuration not in b.means:
        return None
    parts: list[Part] = []
    for values in (a.means[configuration], b.means[configuration]):
        variance = float(values.var(ddof=1)) / len(values) if len(values) > 1 else math.inf
        parts.append((variance, len(values) - 1.0))
    return _interval(_estimate(a, b, configuration), parts, level)


def relative_ratio(
    a: StudySeries, b: StudySeries, configuration: Configuration, reference: Configuration, level: Level
) -> Interval | None:
    """How its ratio to the reference in B compares with that in A, the host's changes taken out of both.

    None where a study lacks one of the two, or where they are the same.
    """
    both = {configuration, reference}
    if len(both) < 2 or not all(both <= set(one.model.configurations) for one in (a, b)):
        return None
    contrasts = []
    for model in (a.model, b.model):
        place = model.configurations.index
        contrasts.append(model.contrast(place(reference), place(configuration)))
    parts = [
        (contrast.standard_error**2, float(one.model.degrees_of_freedom))
        for contrast, one in zip(contrasts, (a, b), strict=True)
    ]
    return _interval(contrasts[1].estimate - contrasts[0].estimate, parts, level)


def _interval(estimate: float, parts: Sequence[Part], level: Level) -> Interval:
    mean = math.exp(max(-LOG_LIMIT, min(LOG_LIMIT, estimate)))
    reach = _reach(parts, level)
    if abs(estimate) + reach > LOG_LIMIT:
        return Interval(mean, None, None)
    return Interval(mean, math.exp(estimate - reach), math.exp(estimate + reach))


def _reach(parts: Sequence[Part], level: Level) -> float:
    """How far limits lie from the estimate (log), after Welch and Satterthwaite; infinite where a part is not
    known."""
    total = sum(variance for variance, _ in parts)
    if not math.isfinite(total) or any(freedom < 1 for _, freedom in parts):
        return math.inf
    shares = sum(variance**2 / freedom for variance, freedom in parts)
    return level.quantile(total**2 / shares) * math.sqrt(total) if shares > 0 else 0.0


def blocks_to_tell(a: StudySeries, b: StudySeries, distance: float, level: Level) -> int | None:
    """After how many blocks in each study the limits of `ratio` would reach no further than `distance` (log),
    if today's spread is the truth; None where that is out of sight, because the host varies too much."""
    for blocks in range(min(a.blocks, b.blocks) + 1, FORESEEABLE_BLOCKS + 1):
        parts = [part for one in (a, b) for part in one.parts(blocks, blocks)]
        if _reach(parts, level) <= distance:
            return blocks
    return None


def relative_blocks_to_tell(a: StudySeries, b: StudySeries, distance: float, level: Level) -> int | None:
    """The same for ratios to a reference that are drawn from the blocks of each study."""
    for blocks in range(min(a.blocks, b.blocks) + 1, FORESEEABLE_BLOCKS + 1):
        noise = [
            (2 * variance, freedom) for variance, freedom in (one.parts(blocks, blocks)[0] for one in (a, b))
        ]
        if _reach(noise, level) <= distance:
            return blocks
    return None
