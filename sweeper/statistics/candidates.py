"""One configuration's runs as the one row that a recommendation shows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from sweeper.records.answer import Candidate, Interval
from sweeper.records.finding import Verdict
from sweeper.records.run import BlockKey, RunFigures, RunRecord, valid_figures, valid_runs
from sweeper.statistics.feasibility import error_rate
from sweeper.statistics.intervals import by_block, over_runs
from sweeper.statistics.named_figures import FIGURES, LATENCIES, of_all
from sweeper.statistics.standing import Standing


def candidate(
    standing: Standing, records: Sequence[RunRecord], eliminated_after: int | None, confidence: float
) -> Candidate:
    """Rates and latencies are geometric means over the blocks with limits, the rest plain means over the
    valid runs."""
    configuration = standing.configuration
    own = [record for record in records if record.configuration == configuration]
    runs, blocks = valid_figures(own), [record.plan.block_key for record, _ in valid_runs(own)]
    latency = {
        name: interval
        for name, of in LATENCIES.items()
        if (interval := over_runs(by_block([of(run) for run in runs], blocks), confidence)) is not None
    }
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
        cpu_cores=_mean("cpu_cores", runs),
        cpu_ms_per_request=_mean("cpu_ms_per_request", runs),
        rss_bytes=max((run.peak_rss_bytes for run in runs if run.peak_rss_bytes is not None), default=None),
        voluntary_switches_per_request=_mean("voluntary_switches_per_request", runs),
        involuntary_switches_per_request=_mean("involuntary_switches_per_request", runs),
        run_delay_ms_per_request=_mean("run_delay_ms_per_request", runs),
        p99_is_lower_bound=any(run.latency.censored for run in runs),
        blocks=len(set(blocks)),
        why=standing.why,
        throttled_share=_mean("throttled_share", runs),
        throttled_ms_per_request=_mean("throttled_ms_per_request", runs),
        capacity_rps=_capacity(runs, blocks, confidence),
    )


def _capacity(runs: Sequence[RunFigures], blocks: Sequence[BlockKey], confidence: float) -> Interval | None:
    """Of the runs that have more than a bound."""
    known = [
        (rps, block)
        for run, block in zip(runs, blocks, strict=True)
        if (rps := run.exact_capacity_rps) is not None
    ]
    return over_runs(by_block([rps for rps, _ in known], [block for _, block in known]), confidence)


def _mean(name: str, runs: Sequence[RunFigures]) -> float | None:
    values = of_all(FIGURES[name], runs)
    return statistics.fmean(values) if values else None


def _relative(standing: Standing) -> Interval | None:
    """How far below the best other value, as a share: 0.12 is 12% worse."""
    if standing.gap is None or standing.gap_low is None or standing.gap_high is None:
        return None
    high = None if math.isinf(standing.gap_high) else 1 - math.exp(-standing.gap_high)
    return Interval(1 - math.exp(-standing.gap), 1 - math.exp(-standing.gap_low), high)
