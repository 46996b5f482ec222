"""One configuration's runs as the one row that a recommendation shows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from sweeper.answers import Candidate, Interval
from sweeper.records import BlockKey, Configuration, RunFigures, RunRecord, Verdict
from sweeper.statistics.decision import Standing
from sweeper.statistics.feasibility import error_rate
from sweeper.statistics.intervals import by_block, over_runs

LATENCIES = ("mean", "p50", "p95", "p99")


def valid_runs(configuration: Configuration, records: Sequence[RunRecord]) -> list[RunFigures]:
    """Figures of the runs that count."""
    return [figures for _, figures in _valid(configuration, records)]


def _valid(configuration: Configuration, records: Sequence[RunRecord]) -> list[tuple[BlockKey, RunFigures]]:
    return [
        (record.plan.block_key, record.figures)
        for record in records
        if record.configuration == configuration
        and record.verdict is Verdict.VALID
        and record.figures is not None
    ]


def candidate(
    standing: Standing, records: Sequence[RunRecord], eliminated_after: int | None, confidence: float
) -> Candidate:
    """Rates and latencies are geometric means over the blocks with limits, the rest plain means over the
    valid runs."""
    configuration = standing.configuration
    own = [record for record in records if record.configuration == configuration]
    valid = _valid(configuration, records)
    blocks, runs = [block for block, _ in valid], [figures for _, figures in valid]
    latency: dict[str, Interval] = {}
    for name in LATENCIES:
        interval = over_runs(
            by_block([getattr(run.latency, f"{name}_ms") for run in runs], blocks), confidence
        )
        if interval is not None:
            latency[name] = interval
    return Candidate(
        configuration=configuration,
        runs=len(runs),
        failed_runs=sum(1 for record in own if record.verdict is Verdict.FAILED),
        suspect_runs=sum(1 for record in own if record.verdict is Verdict.SUSPECT),
        eliminated_after=eliminated_after,
        state=standing.state.value,
        rps=over_runs(by_block([run.rps for run in runs], blocks), confidence),
        latency_ms=latency,
        relative_to_best=_relative(standing),
        error_rate=error_rate(runs) if runs else None,
        cpu_cores=_mean([run.cpu_cores for run in runs]),
        cpu_ms_per_request=_mean([run.cpu_ms_per_request for run in runs]),
        rss_bytes=max((run.peak_rss_bytes for run in runs), default=None),
        voluntary_switches_per_request=_mean([run.voluntary_switches_per_request for run in runs]),
        involuntary_switches_per_request=_mean([run.involuntary_switches_per_request for run in runs]),
        run_delay_ms_per_request=_mean([run.run_delay_ms_per_request for run in runs]),
        p99_is_lower_bound=any(run.latency.censored for run in runs),
        blocks=len(set(blocks)),
        why=standing.why,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def _relative(standing: Standing) -> Interval | None:
    """How far below the best other value, as a share: 0.12 is 12% worse."""
    if standing.gap is None or standing.gap_low is None or standing.gap_high is None:
        return None
    high = None if math.isinf(standing.gap_high) else 1 - math.exp(-standing.gap_high)
    return Interval(1 - math.exp(-standing.gap), 1 - math.exp(-standing.gap_low), high)
