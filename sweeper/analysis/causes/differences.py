"""What the valid runs of each configuration show, and which differences between them exceed noise."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from sweeper.checks.thresholds import Limits
from sweeper.records.answer import Interval
from sweeper.records.configuration import Configuration
from sweeper.records.run import BlockKey, RunFigures, RunRecord, valid_runs
from sweeper.statistics.blocks import BlockModel, Observation, fit
from sweeper.statistics.covariates import covariates
from sweeper.statistics.intervals import LOG_LIMIT, contrast_quantile
from sweeper.statistics.named_figures import FIGURES, of_all


@dataclass(frozen=True, slots=True)
class Cores:
    """The cores of the server."""

    count: float | None = None  # that it may use, within its quota; None: not known
    shared: bool = True  # with the load generator
    own_quota: bool = False  # the count is that of a quota (--cpu-limit) that nobody else uses


def server_cores(environment: Mapping[str, object], shared: bool) -> Cores:
    """From a study's environment.json: what placement and affinity give the server, within its quota."""
    if "remote" in environment:  # all that is known here is of the machine that makes the load
        return Cores(None, shared=False)
    placement = environment.get("placement")
    pinned = placement.get("server_cpus") if isinstance(placement, Mapping) else None
    affinity, cores = environment.get("affinity"), environment.get("cores")
    limits = environment.get("server_limits")
    limit = limits.get("cpu_cores") if isinstance(limits, Mapping) else None
    count: float | None = None
    for cpus in (pinned, affinity):
        if count is None and isinstance(cpus, list | tuple) and cpus:
            count = float(len(cpus))
    if count is None and isinstance(cores, int | float) and cores > 0:
        count = float(cores)
    for quota in (environment.get("cpu_quota_cores"), limit):
        if count is not None and isinstance(quota, int | float) and quota > 0:
            count = min(count, float(quota))
    return Cores(count, shared, own_quota=count is not None and count == limit)


def idle_cores(figures: RunFigures, cores: Cores, busy_share: float) -> float | None:
    """The server's cores that no process used; None if that is unknown.

    In a quota of the server's own, only its own CPU counts. Else the CPU of other processes, of the probe
    and, on shared cores, of the load generator counts too. On shared cores, the result is None if the CPU
    of other processes or of the load generator is unknown, unless the server alone keeps `busy_share` of the
    cores busy. An unknown probe counts as 0.
    """
    if cores.count is None or figures.cpu_cores is None:
        return None
    rest = [figures.other_cpu_cores, *([figures.client_cpu_cores] if cores.shared else [])]
    if cores.own_quota:
        return max(0.0, cores.count - figures.cpu_cores)
    probe = figures.probe_cpu_cores or 0.0
    known = [used for used in rest if used is not None]
    if len(known) < len(rest) and cores.shared and figures.cpu_cores < busy_share * cores.count:
        return None
    return max(0.0, cores.count - figures.cpu_cores - probe - sum(known))


LEAST: Mapping[str, float] = {
    "rps": 0.0,
    "p99_ms": 0.0,
    "cpu_cores": 1e-3,
    "cpu_ms_per_request": 1e-2,
    "voluntary_switches_per_request": 1.0,
    "involuntary_switches_per_request": 1.0,
    "run_delay_ms_per_request": 1.0,
    "waiting_share": 5e-2,
    "throttled_share": 5e-2,
    "throttled_ms_per_request": 1e-1,
    "rss_bytes": 1e6,
    "requests_in_server": 1e-2,
}
"""The figures that show causes, each with its floor, in its own unit: a smaller value counts as the floor."""


def _figure(name: str, run: RunFigures) -> float | None:
    """`rss_bytes` is the most of it; without an answer there is no rate and no latency to compare."""
    value = FIGURES["peak_rss_bytes" if name == "rss_bytes" else name](run)
    return None if name in ("rps", "p99_ms") and value is not None and value <= 0 else value


@dataclass(frozen=True, slots=True)
class Quota:
    """How the CPU quota of one configuration's servers was used up; means over its runs."""

    cores: float
    period_ms: float
    lasts_ms: float  # until it is used up, in the periods in which it is


OF_THE_HOSTS_SPEED = frozenset({"rps", "p99_ms", "cpu_ms_per_request"})


@dataclass(frozen=True, slots=True)
class Shown:
    """The valid runs of one configuration together."""

    configuration: Configuration
    runs: int
    means: Mapping[str, float]  # by name (of LEAST), where every run has the figure
    idle_cores: float | None  # of the server's cores, those that nobody used; None: not known
    max_concurrency: int | None  # the most requests in the handlers of one process; None: not known
    quota: Quota | None = None  # of the server's CPU, and how it was used up; None: it never ran out
    # of the server's processes, the most of any run; None: it is on another machine, as the next one
    counted_threads: int | None = None
    server_processes: int | None = None  # the most of any run

    @property
    def threads(self) -> int:
        """Handler threads of all its processes."""
        return self.configuration.workers * self.configuration.processes

    @property
    def native_threads(self) -> int:
        return self.configuration.native_threads


@dataclass(frozen=True, slots=True)
class Differences:
    """All configurations with a valid run, and how two of them compare."""

    shown: Mapping[Configuration, Shown]  # in order of configuration
    cores: Cores
    confidence: float  # of the study
    host_speed: bool  # its changes are taken out of what follows it
    _runs: Mapping[Configuration, Sequence[tuple[BlockKey, RunFigures]]]  # with the block of each
    # by name of a figure, once they are asked for
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
        """From `to` up to `of` a figure falls to at most `to_share` of its value, by more than noise."""
        seen = self.ratio(name, of, to)
        return seen is not None and seen.high is not None and seen.high < 1 and seen.mean <= to_share

    def _model(self, name: str) -> BlockModel | None:
        if name not in self._models:
            observations = [
                Observation(
                    configuration,
                    block,
                    math.log(max(value, LEAST[name])),
                    covariates(run) if self.host_speed and name in OF_THE_HOSTS_SPEED else (),
                )
                for configuration, own in self._runs.items()
                if name in self.shown[configuration].means
                for block, run in own
                if (value := _figure(name, run)) is not None
            ]
            self._models[name] = fit(observations) if observations else None
        return self._models[name]


def differences_between(
    records: Sequence[RunRecord],
    cores: Cores | None = None,
    limits: Limits | None = None,
    confidence: float = 0.95,
    *,
    host_speed: bool = False,
) -> Differences:
    """From the valid runs in `records`; empty without one. With `host_speed` that is taken out of what
    follows it, as the decision does where it helps."""
    cores, limits = cores or Cores(), limits or Limits()
    runs: dict[Configuration, list[tuple[BlockKey, RunFigures]]] = {}
    for record, figures in valid_runs(records):
        runs.setdefault(record.configuration, []).append((record.plan.block_key, figures))
    shown = {c: _shown(c, [run for _, run in runs[c]], cores, limits) for c in sorted(runs)}
    probed = all(covariates(run) for own in runs.values() for _, run in own)
    return Differences(shown, cores, confidence, host_speed and probed, runs)


def _shown(configuration: Configuration, runs: Sequence[RunFigures], cores: Cores, limits: Limits) -> Shown:
    means: dict[str, float] = {}
    for name in LEAST:
        if known := of_all(partial(_figure, name), runs):
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
        quota=_quota(runs),
        counted_threads=max((run.threads for run in runs if run.threads is not None), default=None),
        server_processes=max((run.processes for run in runs if run.processes is not None), default=None),
    )


def _quota(runs: Sequence[RunFigures]) -> Quota | None:
    cores, period_ms, lasts_ms = (
        of_all(FIGURES[name], runs) for name in ("quota_cores", "quota_period_ms", "quota_lasts_ms")
    )
    if not (cores and period_ms and lasts_ms):
        return None
    return Quota(statistics.fmean(cores), statistics.fmean(period_ms), statistics.fmean(lasts_ms))
