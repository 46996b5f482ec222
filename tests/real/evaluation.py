"""How good the picks were, and how large the noise. Pure: from run records and plain entries to numbers.

The truth is not known; the best estimate of it are all valid runs of all studies of a model together. The
counts that a study dropped early were only run in its first blocks, so means of all runs would compare
different times of a host that changes: the blocks' effects are taken out, as in each study. With every count
in every block that is the ratio of geometric means.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import stats

from sweeper.records.finding import Verdict
from sweeper.records.run import Objective, RunRecord
from sweeper.statistics.blocks import BlockModel, Observation, fit
from sweeper.statistics.covariates import covariates
from sweeper.statistics.criteria import metric

WORSE = 0.05  # a pick that gives up more of the best throughput than this is a wrong one
MINUTES = 10.0
PICKED = ("recommended", "provisional")

Studies = Mapping[str, Sequence[RunRecord]]


@dataclass(frozen=True)
class Pooled:
    """Throughput of each worker count over all studies of one model.

    `geometric_mean` (requests/s) and `runs` are of all valid runs; `ratio` is to the best with the blocks
    taken out, `within` its 95% half width on the same scale (None where there is no estimate of it).
    """

    best: int
    geometric_mean: dict[int, float]
    ratio: dict[int, float]
    within: dict[int, float | None]
    runs: dict[int, int]

    def shortfall(self, workers: int) -> float:
        """The share of the best throughput that a pick gives up."""
        return 1.0 - self.ratio[workers]


@dataclass(frozen=True)
class Variance:
    """Residual deviations of one run's log throughput, over the same runs each.

    `raw`: around its configuration's mean; `blocks`: with a block effect as well; `host_speed`: with the log
    of the run's host speed besides, whose `slope` that fit gave. None: no degree of freedom, or (the last
    two) a run without the figure.
    """

    runs: int
    raw: float | None
    blocks: float | None
    host_speed: float | None
    slope: float | None


def observations(studies: Studies) -> list[Observation]:
    """Every valid run; blocks are numbered through all studies. The covariate is log host_speed, if known."""
    numbers: dict[tuple[str, int], int] = {}
    found = []
    for study, records in studies.items():
        for record in records:
            if record.verdict is not Verdict.VALID or record.figures is None:
                continue
            if record.plan.arrivals_per_s is not None:  # of the confirmation
                continue
            value = metric(record.figures, Objective.THROUGHPUT)
            if value is None:
                continue
            block = numbers.setdefault((study, record.plan.block), len(numbers))
            found.append(Observation(record.configuration, block, value, covariates(record.figures)))
    return found


def pool(studies: Studies, *, host_speed: bool = False) -> Pooled | None:
    """What all runs together say, with `host_speed` taken out as well; None without a valid run, or without
    the host's speed in one of them."""
    seen = observations(studies)
    if not seen or (host_speed and not all(o.covariates for o in seen)):
        return None
    model = fit(seen if host_speed else [dataclasses.replace(o, covariates=()) for o in seen])
    best = int(model.effects.argmax())
    values: dict[int, list[float]] = {}
    for observation in seen:
        values.setdefault(observation.configuration.workers, []).append(observation.value)
    ratio, within = _ratios(model, best)
    return Pooled(
        best=model.configurations[best].workers,
        geometric_mean={w: math.exp(math.fsum(own) / len(own)) for w, own in sorted(values.items())},
        ratio=ratio,
        within=within,
        runs={workers: len(own) for workers, own in sorted(values.items())},
    )


def probed(studies: Studies) -> dict[int, tuple[float, float | None]]:
    """The host's speed beside each worker count, in ratio to the first, with its 95% half width.

    It should be 1 for all: what differs beyond that is the probe feeling the configuration. Empty where a
    run has no figure of it.
    """
    seen = observations(studies)
    if not seen or not all(o.covariates for o in seen):
        return {}
    model = fit([Observation(o.configuration, o.block, o.covariates[0]) for o in seen])
    ratio, within = _ratios(model, 0)
    return {workers: (ratio[workers], within[workers]) for workers in ratio}


def _ratios(model: BlockModel, base: int) -> tuple[dict[int, float], dict[int, float | None]]:
    """Of each worker count to the one at `base`, with 95% half widths on the same scale."""
    ratio: dict[int, float] = {}
    within: dict[int, float | None] = {}
    for index, configuration in enumerate(model.configurations):
        contrast = model.contrast(base, index)
        workers = configuration.workers
        ratio[workers] = math.exp(contrast.estimate)
        if math.isinf(contrast.standard_error):
            within[workers] = None
        else:
            quantile = float(stats.t.ppf(0.975, model.degrees_of_freedom))
            within[workers] = ratio[workers] * contrast.standard_error * quantile
    return ratio, within


def furthest_apart(picks: Iterable[int], pooled: Pooled) -> float:
    """The largest share of throughput that one pick gives up against another; 0 for fewer than two."""
    apart = [
        1.0 - min(pooled.ratio[a], pooled.ratio[b]) / max(pooled.ratio[a], pooled.ratio[b])
        for a, b in itertools.combinations(set(picks), 2)
    ]
    return max(apart, default=0.0)


def worse_than_best(picks: Iterable[int], pooled: Pooled, limit: float = WORSE) -> int:
    """How many picks give up more than `limit` of the best throughput."""
    return sum(pooled.shortfall(workers) > limit for workers in picks)


def study_picks(entries: Iterable[Mapping[str, Any]]) -> list[int]:
    """The counts that studies gave for use: an inconclusive one names a count, but recommends none."""
    return [entry["workers"] for entry in entries if entry["status"] in PICKED]


def recommended_within(entries: Iterable[Mapping[str, Any]], minutes: float = MINUTES) -> int:
    return sum(entry["status"] == "recommended" and entry["minutes"] <= minutes for entry in entries)


@dataclass(frozen=True)
class Repeat:
    """One pass of the naive method over all counts: mean requests/s of each, whose largest is the pick."""

    model: str
    number: int
    means: dict[int, float]
    minutes: float

    @property
    def pick(self) -> int:
        """The first of equals, as a loop that keeps the largest so far."""
        return max(self.means, key=lambda workers: self.means[workers])


def whole_repeats(entries: Iterable[Mapping[str, Any]]) -> list[Repeat]:
    """Repeats of which every count was measured, by model and number."""
    grouped: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for entry in entries:
        grouped.setdefault((entry["model"], entry["repeat"]), []).append(entry)
    repeats = []
    for (model, number), members in grouped.items():
        means = {entry["workers"]: float(entry["rps"]) for entry in members}
        if set(means) == set(members[0]["of"]):
            minutes = math.fsum(entry["minutes"] for entry in members)
            repeats.append(Repeat(model, number, {w: means[w] for w in members[0]["of"]}, minutes))
    return repeats


def variance(studies: Studies) -> Variance:
    """How much of the noise the blocks and the host's speed explain."""
    seen = observations(studies)
    if not seen:
        return Variance(0, None, None, None, None)
    plain = [dataclasses.replace(o, covariates=()) for o in seen]
    raw = fit([dataclasses.replace(o, block=0) for o in plain]).residual_deviation
    blocks = fit(plain).residual_deviation
    if not all(o.covariates for o in seen):
        return Variance(len(seen), raw, blocks, None, None)
    covered = fit(seen)
    return Variance(len(seen), raw, blocks, covered.residual_deviation, covered.slopes[0])
