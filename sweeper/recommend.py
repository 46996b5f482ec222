"""From a study's runs to its recommendation: status, worker count, and the sentence that says why."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeper.findings.pool import pool_ignored
from sweeper.findings.study import study_findings
from sweeper.records import (
    Candidate,
    Configuration,
    Interval,
    Objective,
    Recommendation,
    RunFigures,
    RunRecord,
    Status,
    Verdict,
)
from sweeper.statistics.decision import Decision, Rule, Standing, State, decide
from sweeper.statistics.intervals import over_runs

MIN_VALID_BLOCKS = 3
LATENCIES = ("mean", "p50", "p95", "p99")


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What the recommendation needs of a study besides its runs. `eliminated` maps to the block after
    which a configuration was dropped."""

    name: str
    configurations: tuple[Configuration, ...]
    rule: Rule
    eliminated: Mapping[Configuration, int]
    cores_shared: bool
    complete: bool
    environment: dict[str, object]


def recommend(facts: StudyFacts, records: Sequence[RunRecord]) -> Recommendation:
    """The answer the recorded runs give. Pure: the same records always give the same answer."""
    rule = facts.rule
    decision = decide(records, facts.configurations, rule, eliminated=tuple(facts.eliminated))
    blocks = valid_blocks(records, facts)
    ignored = pool_ignored(records) or next(
        (f for r in records for f in r.findings if f.code == "pool-size-not-applied"), None
    )
    if ignored is not None:
        status, workers, reason = Status.INCONCLUSIVE, None, ignored.message
    else:
        status, workers, reason = _verdict(decision, facts, blocks, records)
    findings = study_findings(records, facts.cores_shared)
    if ignored is not None and all(finding.code != ignored.code for finding in findings):
        findings = (ignored, *findings)
    return Recommendation(
        study=facts.name,
        status=status,
        workers=workers,
        tied=() if ignored else tied(decision),
        smaller_unsettled=tuple(c.workers for c in decision.smaller_unsettled) if workers else (),
        objective=rule.objective,
        tolerance=rule.tolerance,
        confidence=rule.confidence,
        blocks=blocks,
        elapsed_s=sum(record.elapsed_s for record in records),
        reason=reason,
        residual_deviation=decision.residual_deviation,
        covariates=(),
        candidates=tuple(_candidate(standing, records, facts, decision) for standing in decision.standings),
        findings=findings,
        environment=facts.environment,
        complete=facts.complete,
    )


def valid_blocks(records: Sequence[RunRecord], facts: StudyFacts) -> int:
    """Blocks in which every configuration that was live and feasible has a valid run."""
    valid: dict[int, set[Configuration]] = {}
    for record in records:
        if record.verdict is Verdict.VALID:
            valid.setdefault(record.plan.block, set()).add(record.configuration)
    ever = {record.configuration for record in records if record.verdict is Verdict.VALID}
    return sum(
        1
        for block, seen in valid.items()
        if all(c in seen or 0 < facts.eliminated.get(c, 0) < block for c in ever)
    )


def tied(decision: Decision) -> tuple[int, ...]:
    """Worker counts that cannot be told from the best: not excluded, or accepted as good as it."""
    return tuple(
        s.configuration.workers
        for s in decision.standings
        if s.state is not State.EXCLUDED and s.gap is not None
    )


def _verdict(
    decision: Decision, facts: StudyFacts, blocks: int, records: Sequence[RunRecord]
) -> tuple[Status, int | None, str]:
    rule = facts.rule
    if not any(record.verdict is Verdict.VALID for record in records):
        return Status.INCONCLUSIVE, None, _no_valid_run(records)
    if all(standing.feasible is State.EXCLUDED for standing in decision.standings):
        return Status.INFEASIBLE, None, _nearest_miss(decision, records, rule)
    if decision.answer is None:
        return Status.INCONCLUSIVE, None, _undecided(decision, facts)
    workers = decision.answer.workers
    firm = facts.complete and blocks >= MIN_VALID_BLOCKS
    status = Status.RECOMMENDED if firm else Status.PROVISIONAL
    return status, workers, _reason(decision, facts, blocks, status)


def _no_valid_run(records: Sequence[RunRecord]) -> str:
    if not records:
        return "no run has been made yet"
    failed = [record for record in records if record.verdict is Verdict.FAILED]
    why = next((f for record in (failed or records) for f in record.findings if f.severity != "info"), None)
    kind = "failed" if len(failed) == len(records) else "failed or is suspect"
    return f"every run {kind}" + (f": {why.message}" if why else "")


def _aim(objective: Objective) -> str:
    return "throughput" if objective is Objective.THROUGHPUT else "p99 latency"


def _reason(decision: Decision, facts: StudyFacts, blocks: int, status: Status) -> str:
    rule, answer = facts.rule, decision.answer
    assert answer is not None
    smaller = [s for s in decision.standings if s.configuration < answer]
    larger = [s.configuration.workers for s in decision.standings if s.configuration > answer]
    aim = _aim(rule.objective)
    parts = [f"{_workers(answer.workers)} gives {aim} within {rule.tolerance:.0%} of the best"]
    if not smaller:
        parts.append("and is the smallest value tried")
    elif decision.settled:
        parts.append(
            f"and every smaller value ({_list([s.configuration.workers for s in smaller])}) does not"
        )
    if larger:
        parts.append(f"so {_list(larger)} would buy nothing that matters")
    sentence = parts[0] + " " + ", ".join(parts[1:]) if len(parts) > 1 else parts[0]
    if decision.smaller_unsettled:
        names = _list([c.workers for c in decision.smaller_unsettled])
        sentence += f"; whether {names} would do as well is not settled"
        if decision.blocks_needed:
            sentence += f" (about {decision.blocks_needed} blocks would tell)"
    if status is Status.PROVISIONAL:
        sentence += (
            f"; provisional, because only {blocks} complete valid blocks stand behind it (3 are needed)"
        )
    return f"{sentence} ({rule.confidence:.0%} confidence)."


def _undecided(decision: Decision, facts: StudyFacts) -> str:
    open_ones = [s for s in decision.standings if s.state is State.UNSETTLED]
    workers = [s.configuration.workers for s in open_ones]
    sentence = (
        f"{_list(workers)} cannot be told apart within {facts.rule.tolerance:.0%} at "
        f"{facts.rule.confidence:.0%} confidence"
    )
    if len(workers) == 1:
        sentence = (
            f"{_workers(workers[0])} is the only value not excluded, but is not shown to be good enough"
        )
        if open_ones[0].why:
            sentence += f" ({open_ones[0].why})"
    sentence += f"; the fewest not shown to be worse is {min(workers)}"
    if decision.residual_deviation is not None:
        sentence += f"; one run varies by {decision.residual_deviation:.1%} around its block"
    if decision.blocks_needed:
        sentence += f", so about {decision.blocks_needed} blocks would be needed (--max-blocks)"
    elif decision.residual_deviation is not None:
        sentence += (
            ", which no sensible number of blocks would settle: quieten the machine or raise --tolerance"
        )
    return sentence + "."


def _nearest_miss(decision: Decision, records: Sequence[RunRecord], rule: Rule) -> str:
    def badness(standing: Standing) -> tuple[float, float]:
        runs = _valid(standing.configuration, records)
        if not runs:
            return (float("inf"), float("inf"))
        return (
            statistics.fmean(r.error_rate for r in runs),
            statistics.fmean(r.latency.p99_ms for r in runs),
        )

    nearest = min(decision.standings, key=badness)
    limits = [f"an error rate of at most {rule.max_error_rate:.1%}"]
    if rule.slo_p99_ms is not None:
        limits.append(f"p99 within {rule.slo_p99_ms:g} ms")
    miss = nearest.why
    runs = _valid(nearest.configuration, records)
    if runs and rule.slo_p99_ms is not None and "p99" in miss:
        p99 = over_runs([run.latency.p99_ms for run in runs], rule.confidence)
        if p99 is not None:
            miss += f" (it was {p99.mean:.0f} ms)"
    return (
        f"no worker count keeps {' and '.join(limits)}; the nearest is "
        f"{nearest.configuration.workers}: {miss}."
    )


def _valid(configuration: Configuration, records: Sequence[RunRecord]) -> list[RunFigures]:
    return [
        record.figures
        for record in records
        if record.configuration == configuration
        and record.verdict is Verdict.VALID
        and record.figures is not None
    ]


def _candidate(
    standing: Standing, records: Sequence[RunRecord], facts: StudyFacts, decision: Decision
) -> Candidate:
    configuration = standing.configuration
    own = [record for record in records if record.configuration == configuration]
    runs = _valid(configuration, records)
    confidence = facts.rule.confidence

    def mean(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return statistics.fmean(known) if known and len(known) == len(values) else None

    latency: dict[str, Interval] = {}
    for name in LATENCIES:
        interval = over_runs([getattr(run.latency, f"{name}_ms") for run in runs], confidence)
        if interval is not None:
            latency[name] = interval
    completed = sum(run.completed for run in runs)
    return Candidate(
        configuration=configuration,
        runs=len(runs),
        failed_runs=sum(1 for record in own if record.verdict is Verdict.FAILED),
        suspect_runs=sum(1 for record in own if record.verdict is Verdict.SUSPECT),
        eliminated_after=facts.eliminated.get(configuration),
        state=standing.state.value,
        rps=over_runs([run.rps for run in runs], confidence),
        latency_ms=latency,
        relative_to_best=_relative(standing),
        error_rate=sum(run.failed for run in runs) / completed if completed else None,
        cpu_cores=mean([run.cpu_cores for run in runs]),
        cpu_ms_per_request=mean([run.cpu_ms_per_request for run in runs]),
        rss_bytes=max((run.peak_rss_bytes for run in runs), default=None),
        voluntary_switches_per_request=mean([run.voluntary_switches_per_request for run in runs]),
        involuntary_switches_per_request=mean([run.involuntary_switches_per_request for run in runs]),
        run_delay_ms_per_request=mean([run.run_delay_ms_per_request for run in runs]),
        p99_is_lower_bound=any(run.latency.censored for run in runs),
    )


def _relative(standing: Standing) -> Interval | None:
    """How far below the best other value, as a share: 0.12 is 12% worse."""
    if standing.gap is None or standing.gap_low is None or standing.gap_high is None:
        return None
    high = None if math.isinf(standing.gap_high) else 1 - math.exp(-standing.gap_high)
    return Interval(1 - math.exp(-standing.gap), 1 - math.exp(-standing.gap_low), high)


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _list(values: Sequence[int]) -> str:
    texts = [str(value) for value in values]
    if len(texts) < 2:
        return "".join(texts)
    return ", ".join(texts[:-1]) + " and " + texts[-1]
