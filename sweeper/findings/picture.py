"""What the valid runs of each configuration show, and which differences between them exceed noise.

A difference counts only where the block model of statistics/blocks.py, fitted to the log of the figure,
tells it from the spread between runs of one configuration. With single runs there is no spread to hold it
against, so nothing is told apart.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sweeper.answers import Interval
from sweeper.findings.cores import Cores, idle_cores
from sweeper.findings.limits import Limits
from sweeper.findings.pool import in_server
from sweeper.records import BlockKey, Configuration, RunFigures, RunRecord, Verdict
from sweeper.statistics.blocks import BlockModel, Observation, fit
from sweeper.statistics.covariates import covariates
from sweeper.statistics.intervals import LOG_LIMIT, contrast_quantile

Figure = Callable[[RunFigures], float | None]


def waiting_share(figures: RunFigures) -> float | None:
    """Of the time its threads were able to run, the share they waited for a core."""
    delay, cpu = figures.run_delay_ms_per_request, figures.cpu_ms_per_request
    return None if delay is None or delay + cpu <= 0 else delay / (delay + cpu)


# Each figure that causes are told by, and the value below which it is as good as nothing.
FIGURES: Mapping[str, tuple[Figure, float]] = {
    "rps": (lambda run: run.rps if run.rps > 0 else None, 0.0),
    "p99_ms": (lambda run: run.latency.p99_ms if run.latency.p99_ms > 0 else None, 0.0),
    "cpu_cores": (lambda run: run.cpu_cores, 1e-3),
    "cpu_ms_per_request": (lambda run: run.cpu_ms_per_request, 1e-2),
    "voluntary_switches_per_request": (lambda run: run.voluntary_switches_per_request, 1.0),
    "involuntary_switches_per_request": (lambda run: run.involuntary_switches_per_request, 1.0),
    "run_delay_ms_per_request": (lambda run: run.run_delay_ms_per_request, 1.0),
    "waiting_share": (waiting_share, 5e-2),
    "rss_bytes": (lambda run: float(run.peak_rss_bytes), 1e6),
    "requests_in_server": (in_server, 1e-2),
}
OF_THE_HOSTS_SPEED = frozenset({"rps", "p99_ms", "cpu_ms_per_request"})


@dataclass(frozen=True, slots=True)
class Shown:
    """The runs of one configuration together: means by name (of FIGURES), where every run has the figure."""

    configuration: Configuration
    runs: int
    means: Mapping[str, float]
    idle_cores: float | None
    max_concurrency: int | None

    @property
    def threads(self) -> int:
        """Handler threads of all its processes."""
        return self.configuration.workers * self.configuration.processes

    @property
    def native_threads(self) -> int:
        return self.configuration.native_threads


@dataclass(frozen=True, slots=True)
class Picture:
    """All configurations with a valid run. `ratio` says how two of them compare."""

    shown: Mapping[Configuration, Shown]
    cores: Cores
    confidence: float
    host_speed: bool
    _runs: Mapping[Configuration, Sequence[tuple[BlockKey, RunFigures]]]
    _models: dict[str, BlockModel | None] = field(default_factory=dict)

    @property
    def spread_known(self) -> bool:
        """Whether the runs tell how much one configuration varies."""
        model = self._model("rps")
        return model is not None and model.degrees_of_freedom > 0

    def ratio(self, name: str, of: Configuration, to: Configuration) -> Interval | None:
        """`of` ÷ `to` in one figure, blocks taken out; limits None where there is no spread to tell them by.

        The limits hold at the study's confidence over all pairs and both directions at once (Bonferroni),
        because which pair is looked at depends on the same runs.
        """
        model = self._model(name)
        if model is None or not {of, to} <= set(model.configurations):
            return None
        contrast = model.contrast(model.configurations.index(to), model.configurations.index(of))
        count = len(model.configurations)
        quantile = contrast_quantile(1 - self.confidence, count * (count - 1), model.degrees_of_freedom)
        estimate = math.exp(max(-LOG_LIMIT, min(LOG_LIMIT, contrast.estimate)))
        if math.isinf(contrast.standard_error) or math.isinf(quantile):
            return Interval(estimate, None, None)
        reach = quantile * contrast.standard_error
        if abs(contrast.estimate) + reach > LOG_LIMIT:
            return Interval(estimate, None, None)
        return Interval(estimate, math.exp(contrast.estimate - reach), math.exp(contrast.estimate + reach))

    def rises(self, name: str, to: Configuration, of: Configuration, by: float) -> bool:
        """From `to` up to `of` a figure grows at least by the factor `by`, and by more than noise."""
        seen = self.ratio(name, of, to)
        return seen is not None and seen.low is not None and seen.low > 1 and seen.mean >= by

    def falls(self, name: str, to: Configuration, of: Configuration, to_share: float) -> bool:
        """The mirror of `rises`: what is left is at most `to_share`, and the rest is more than noise."""
        seen = self.ratio(name, of, to)
        return seen is not None and seen.high is not None and seen.high < 1 and seen.mean <= to_share

    def _model(self, name: str) -> BlockModel | None:
        if name not in self._models:
            figure, least = FIGURES[name]
            observations = [
                Observation(
                    configuration,
                    block,
                    math.log(max(value, least)),
                    covariates(run) if self.host_speed and name in OF_THE_HOSTS_SPEED else (),
                )
                for configuration, own in self._runs.items()
                if name in self.shown[configuration].means
                for block, run in own
                if (value := figure(run)) is not None
            ]
            self._models[name] = fit(observations) if observations else None
        return self._models[name]


def picture(
    records: Sequence[RunRecord],
    cores: Cores | None = None,
    limits: Limits | None = None,
    confidence: float = 0.95,
    *,
    host_speed: bool = False,
) -> Picture:
    """From the valid runs in `records`; empty without one. With `host_speed` that is taken out of what
    follows it, as the decision does where it helps."""
    cores, limits = cores or Cores(), limits or Limits()
    runs: dict[Configuration, list[tuple[BlockKey, RunFigures]]] = {}
    for record in records:
        if record.verdict is Verdict.VALID and record.figures is not None:
            runs.setdefault(record.configuration, []).append((record.plan.block_key, record.figures))
    shown = {c: _shown(c, [run for _, run in runs[c]], cores, limits) for c in sorted(runs)}
    probed = all(covariates(run) for own in runs.values() for _, run in own)
    return Picture(shown, cores, confidence, host_speed and probed, runs)


def _shown(configuration: Configuration, runs: Sequence[RunFigures], cores: Cores, limits: Limits) -> Shown:
    means: dict[str, float] = {}
    for name, (figure, _) in FIGURES.items():
        known = [value for run in runs if (value := figure(run)) is not None]
        if len(known) == len(runs):
            # As in the table of candidates: rates and latencies geometric, memory the most seen.
            mean = (
                max
                if name == "rss_bytes"
                else statistics.geometric_mean
                if name in ("rps", "p99_ms")
                else statistics.fmean
            )
            means[name] = mean(known)
    idle = [idle_cores(run, cores, limits.cores_contended) for run in runs]
    unused = [value for value in idle if value is not None]
    seen = [run.max_concurrency for run in runs if run.max_concurrency is not None]
    return Shown(
        configuration=configuration,
        runs=len(runs),
        means=means,
        idle_cores=statistics.fmean(unused) if len(unused) == len(runs) else None,
        max_concurrency=max(seen) if len(seen) == len(runs) else None,
    )
