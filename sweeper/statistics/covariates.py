"""The host's speed as a covariate: taken out of the comparison where that is shown to help, and only there.

A covariate may be measured beside the treatment only if the treatment does not touch it (Cox & McCullagh,
"Some aspects of analysis of covariance", Biometrics 38 (1982)). The probe shares caches with the server, so
that this is tested in every study and not taken for granted.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from sweeper.records.answer import HostSpeedUse
from sweeper.records.configuration import Configuration
from sweeper.records.run import FloatArray, RunFigures
from sweeper.statistics.blocks import BlockModel, Observation, fit

SIGNIFICANCE = 0.05  # of the slope
FELT_SIGNIFICANCE = 0.01
"""Of the test whether the configuration changes the probe's speed. If the host's speed varies by several
percent, that test is weak at any level. It must catch cores that idle with few workers: a large effect."""
LEAST_FREEDOM = 4  # degrees of freedom left with the covariate: fewer, and the slope is a guess
ALIKE_BUSY_CORES = 0.2
"""How far apart the cores kept busy may lie: the probe feels a core that idles, by about 10%, because it
wakes up slow. A few blocks may not show that in the probe's means, so that it is settled beforehand."""
BEARABLE_SHARE_OF_MARGIN = 0.2  # a bias this small changes no decision


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What to decide by."""

    model: BlockModel
    host_speed: HostSpeedUse  # whether it is part of the model


def covariates(figures: RunFigures) -> tuple[float, ...]:
    """What may explain a run besides its configuration and block: the log of its host's speed, if known."""
    speed = figures.host_speed
    return (math.log(speed),) if speed is not None and speed > 0 else ()


def adjusted(
    observations: Sequence[Observation],
    live: Collection[Configuration],
    margin: float,
    busy_cores: Mapping[Configuration, float] | None = None,
) -> Adjusted:
    """Fit with and without the covariate of each observation (log host speed) and choose.

    It is used when every run has it, the slope is positive beyond chance (a fast host serves more), the
    residual deviation falls, and the probe did not feel the configuration: the `live` ones keep about as many
    cores busy (`busy_cores`, means), and the probe's means over them differ no more than chance, or by too
    little to matter beside `margin`. The choice never looks at which configuration it would favour.
    """
    plain = fit([dataclasses.replace(o, covariates=()) for o in observations])
    without = HostSpeedUse(used=False, deviation_without=plain.residual_deviation)
    if any(len(o.covariates) != 1 for o in observations):
        return Adjusted(plain, dataclasses.replace(without, why="the probe did not run in every run"))
    if plain.degrees_of_freedom - 1 < LEAST_FREEDOM:
        return Adjusted(plain, dataclasses.replace(without, why="too few runs to know their effect"))
    model = fit(observations)
    slope, error = model.slopes[0], model.slope_errors[0]
    if model.residual_deviation is None or not math.isfinite(error):
        return Adjusted(plain, dataclasses.replace(without, why="the probe saw none"))
    reach = error * float(stats.t.ppf(1 - SIGNIFICANCE / 2, model.degrees_of_freedom))
    seen = dataclasses.replace(
        without,
        slope=slope,
        slope_low=slope - reach,
        slope_high=slope + reach,
        deviation_with=model.residual_deviation,
    )
    felt, chance = _felt([o for o in observations if o.configuration in live])
    seen = dataclasses.replace(seen, felt=felt)
    if slope - reach <= 0 or model.residual_deviation >= (plain.residual_deviation or 0.0):
        return Adjusted(plain, dataclasses.replace(seen, why="they explain nothing here"))
    busy = [cores for configuration, cores in (busy_cores or {}).items() if configuration in live]
    if busy and max(busy) - min(busy) > ALIKE_BUSY_CORES:
        return Adjusted(
            plain, dataclasses.replace(seen, why="the probe runs faster beside values that leave a core idle")
        )
    if chance < FELT_SIGNIFICANCE and slope * felt > BEARABLE_SHARE_OF_MARGIN * margin:
        return Adjusted(
            plain, dataclasses.replace(seen, why="the probe's speed depends on the value measured")
        )
    return Adjusted(model, dataclasses.replace(seen, used=True))


def _felt(observations: Sequence[Observation]) -> tuple[float, float]:
    """How far apart the configurations' means of the covariate lie, and the chance of that (F test)."""
    if len({o.configuration for o in observations}) < 2:
        return 0.0, 1.0
    speeds = [Observation(o.configuration, o.block, o.covariates[0]) for o in observations]
    model = fit(speeds)
    if model.residual_deviation is None:
        return 0.0, 1.0
    spread = float(np.ptp(model.effects))
    blocks = sorted({o.block for o in observations})
    column = np.array([blocks.index(o.block) for o in observations])
    values = np.array([o.value for o in speeds])
    means: FloatArray = np.bincount(column, weights=values) / np.bincount(column)
    unexplained = float(((values - means[column]) ** 2).sum())
    residual = model.residual_deviation**2 * model.degrees_of_freedom
    between = len(model.configurations) - 1
    if residual <= 0:
        return spread, 0.0 if spread > 0 else 1.0
    ratio = max(0.0, unexplained - residual) / between / model.residual_deviation**2
    return spread, float(stats.f.sf(ratio, between, model.degrees_of_freedom))
