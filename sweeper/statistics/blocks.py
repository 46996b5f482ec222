"""The two-way model of a study: log metric = configuration + block (+ covariates) + noise.

A host that slows down does so for every configuration of a block alike; the block effect takes that out,
and contrasts between configurations keep only what is left (Fisher's randomised complete blocks).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweeper.records.configuration import Configuration
from sweeper.records.run import BlockKey, FloatArray

SINGULAR = 1e-9  # singular values below this share of the largest are zero but for rounding


@dataclass(frozen=True, slots=True)
class Observation:
    """One valid run."""

    configuration: Configuration
    block: BlockKey
    value: float  # log of the metric, more is better
    covariates: tuple[float, ...] = ()  # of the run; as many in every one


@dataclass(frozen=True, slots=True)
class Contrast:
    """Estimate of effect(other) - effect(this)."""

    estimate: float
    standard_error: float  # inf: not estimable


@dataclass(frozen=True, slots=True)
class BlockModel:
    """Least-squares fit over k configurations."""

    configurations: tuple[Configuration, ...]
    effects: FloatArray  # (k,): in the order of `configurations`
    unscaled: FloatArray  # (k, k): their part of the pseudo-inverse of X'X
    estimable: FloatArray  # (k, k): 1 for pairs that share a chain of blocks
    residual_deviation: float | None  # None: no degree of freedom is left
    degrees_of_freedom: int
    slopes: tuple[float, ...]  # coefficients of the covariates
    slope_errors: tuple[float, ...] = ()  # their standard errors; inf: not estimable
    means: tuple[float, ...] = ()  # (k,): plain means of each configuration's values

    def contrast(self, this: int, other: int) -> Contrast:
        """`other` minus `this`, both indices into `configurations`."""
        estimate = float(self.effects[other] - self.effects[this])
        if self.residual_deviation is None or not self.estimable[this, other]:
            return Contrast(estimate, float("inf"))
        variance = (
            self.unscaled[this, this] + self.unscaled[other, other] - self.unscaled[this, other] * 2
        ) * self.residual_deviation**2
        return Contrast(estimate, float(np.sqrt(max(variance, 0.0))))


def fit(observations: Sequence[Observation]) -> BlockModel:
    """Fit the model. Needs at least one observation; unbalanced and incomplete blocks are fine."""
    configurations = tuple(sorted({observation.configuration for observation in observations}))
    blocks = sorted({observation.block for observation in observations})
    row_configuration = np.array([configurations.index(o.configuration) for o in observations])
    row_block = np.array([blocks.index(o.block) for o in observations])
    values = np.array([o.value for o in observations], dtype=float)

    covariates, scales = _standardised([o.covariates for o in observations])
    design = np.hstack(
        [
            np.eye(len(configurations))[row_configuration],
            np.eye(len(blocks))[row_block],
            covariates,
        ]
    )
    # Configurations and blocks overlap by a constant; the pseudo-inverse leaves their contrasts unique.
    # The cut-off is far from rounding (1e-15) and from the least singular value that counts (about 0.1).
    left, singular, right = np.linalg.svd(design, full_matrices=False)
    kept = singular > SINGULAR * singular[0]
    solve = (right[kept].T / singular[kept]) @ left[:, kept].T
    inverse = solve @ solve.T
    coefficients = solve @ values
    residuals = values - design @ coefficients
    freedom = len(values) - int(kept.sum())
    deviation = float(np.sqrt(residuals @ residuals / freedom)) if freedom > 0 else None
    count = len(configurations)
    return BlockModel(
        configurations=configurations,
        effects=coefficients[:count],
        unscaled=inverse[:count, :count],
        estimable=_connected(row_configuration, row_block, count, len(blocks)),
        residual_deviation=deviation,
        degrees_of_freedom=freedom,
        slopes=tuple(float(slope) for slope in coefficients[count + len(blocks) :] / scales),
        slope_errors=_slope_errors(inverse, count + len(blocks), scales, deviation),
        means=tuple(
            float(mean)
            for mean in np.bincount(row_configuration, weights=values) / np.bincount(row_configuration)
        ),
    )


def _slope_errors(
    inverse: FloatArray, first: int, scales: FloatArray, deviation: float | None
) -> tuple[float, ...]:
    variances = np.diag(inverse)[first:]
    if deviation is None:
        return (float("inf"),) * len(variances)
    # A covariate that is constant, or a sum of the effects, has a zero row in the pseudo-inverse.
    errors = np.where(variances > SINGULAR, np.sqrt(np.maximum(variances, 0.0)) * deviation, np.inf)
    return tuple(float(error) for error in errors / scales)


def _standardised(covariates: Sequence[tuple[float, ...]]) -> tuple[FloatArray, FloatArray]:
    """Covariates (n, p) with mean 0 and size 1, and what they were divided by; constants become 0."""
    values = np.array(covariates, dtype=float).reshape(len(covariates), -1)
    centres = values.mean(axis=0)
    values = values - centres
    scales = np.abs(values).max(axis=0, initial=0.0)
    constant = scales <= SINGULAR * np.abs(centres)
    values[:, constant], scales[constant] = 0.0, 1.0
    return values / scales, scales


def _connected(
    row_configuration: np.ndarray, row_block: np.ndarray, configurations: int, blocks: int
) -> FloatArray:
    """(k, k) of 1 where two configurations are linked by a chain of shared blocks, else 0."""
    incidence = np.zeros((configurations, blocks))
    incidence[row_configuration, row_block] = 1
    linked = (incidence @ incidence.T > 0).astype(float)
    for _ in range(configurations):
        linked = (linked @ linked > 0).astype(float)
    return linked
