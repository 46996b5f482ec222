"""How many blocks a study will take, and whether those that are left can settle it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import stats

from sweeper.statistics.blocks import BlockModel
from sweeper.statistics.criteria import CandidateState, Rule
from sweeper.statistics.intervals import contrast_quantile
from sweeper.statistics.standing import Standing, share_of

FORESEEABLE_BLOCKS = 100
"""The most a study can be told to make."""
NOT_BEFORE = 0.5
"""Of the blocks, made before any question is given up."""
HOPE = 0.05
"""The chance to be settled by the last look, below which more blocks are not worth their time."""


def blocks_needed(
    standings: Sequence[Standing], model: BlockModel, rule: Rule, blocks_made: int
) -> int | None:
    """Blocks after which the rule would settle if today's estimates were the truth; None if never soon,
    or where something else than noise is in the way (no valid run, an SLO nearly met)."""
    deviation = model.residual_deviation
    if deviation is None or any(s.why for s in standings if s.state is CandidateState.UNSETTLED):
        return None
    compared = [s for s in standings if s.gap is not None]
    return foreseen_blocks(compared, deviation, rule, max(2, blocks_made + 1))


def foreseen_blocks(compared: Sequence[Standing], deviation: float, rule: Rule, first: int = 2) -> int | None:
    """The blocks, from `first` on, after which all gaps would be settled if they and the residual `deviation`
    of one run's log objective were the truth; None where that is not within `FORESEEABLE_BLOCKS`."""
    client = max((s.client for s in compared), default=0.0)
    for blocks in range(first, FORESEEABLE_BLOCKS + 1):
        freedom = (blocks - 1) * (len(compared) - 1)
        error = deviation * math.sqrt(2 / blocks)
        live = [s for s in compared if s.state is not CandidateState.EXCLUDED]
        while live:
            share = share_of(0, len(live))
            accepts, excludes = (
                contrast_quantile(rule.level(part, blocks), 1, freedom) * error
                for part in (share, share / max(len(live) - 1, 1) / rule.loads)
            )
            gap = live[0].gap or 0.0
            if gap - excludes - live[0].client <= rule.margin:
                if gap + accepts + client <= rule.margin:
                    return blocks
                break
            del live[0]
    return None


def futile(
    standings: Sequence[Standing],
    unsettled: Sequence[Standing],
    model: BlockModel,
    rule: Rule,
    after: int,
    *,
    answered: bool,
) -> bool:
    """Whether the last look will hardly settle the `unsettled` values. With an answer, these are the smaller
    values, and all of them must be settled. Without one, a single value must be accepted. The chances follow
    from today's estimates and their noise. Stopping early makes no wrong answer more likely, because it only
    takes looks away. sweeper gives up nothing before half of the blocks are made, because one bad block may
    cause all of the noise."""
    share_made = after / rule.looks[-1]
    if not NOT_BEFORE <= share_made < 1 or not unsettled or any(s.why or s.gap is None for s in unsettled):
        return False
    live = [s.configuration for s in standings if s.state is not CandidateState.EXCLUDED]
    hopes = [
        _hopes(s, share_of(live.index(s.configuration), len(live)), model, rule, share_made)
        for s in unsettled
    ]
    if answered:
        return any(accepted + excluded < HOPE for accepted, excluded in hopes)
    return all(accepted < HOPE for accepted, _ in hopes)


def hopes(
    standing: Standing, standings: Sequence[Standing], model: BlockModel, rule: Rule, after: int
) -> tuple[float, float]:
    """The chance that the value of `standing` is accepted, and excluded, by the last look if today's
    estimates are the truth; 1 where that cannot be told."""
    live = [s.configuration for s in standings if s.state is not CandidateState.EXCLUDED]
    known = standing.configuration in live and standing.configuration in model.configurations
    if standing.why or standing.gap is None or not known:
        return 1.0, 1.0
    share = share_of(live.index(standing.configuration), len(live))
    return _hopes(standing, share, model, rule, after / rule.looks[-1])


def _hopes(
    standing: Standing, share: float, model: BlockModel, rule: Rule, made: float
) -> tuple[float, float]:
    """The chance to be accepted, and to be excluded, at the last look if today's estimates are the truth
    (conditional power; normal quantiles)."""
    this = model.configurations.index(standing.configuration)
    contrasts = [model.contrast(this, i) for i in range(len(model.configurations)) if i != this]
    best = max(contrasts, key=lambda contrast: contrast.estimate)
    if not math.isfinite(best.standard_error):
        return 1.0, 1.0
    accepts, excludes = (
        float(stats.norm.isf(rule.level(part, rule.looks[-1]))) * best.standard_error * math.sqrt(made)
        for part in (share, share / max(len(contrasts), 1) / rule.loads)
    )
    spread = max(best.standard_error * math.sqrt(1 - made), 1e-12)
    return (
        float(stats.norm.cdf((rule.margin - standing.client - best.estimate - accepts) / spread)),
        float(stats.norm.sf((rule.margin + standing.client - best.estimate + excludes) / spread)),
    )
