"""Errors and the SLO, which no throughput makes up for: may this configuration be recommended at all?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from sweeper.records import RunFigures, RunRecord, Verdict
from sweeper.statistics.intervals import by_block, one_sided_lower, one_sided_upper
from sweeper.statistics.rule import Rule, State

DIED = "server-died"
ERRORS = "errors"
NEVER_SERVED = frozenset({"server-did-not-start", "no-requests"})


@dataclass(frozen=True, slots=True)
class Feasibility:
    """`exact` says that no p99 of its valid runs is a lower bound."""

    state: State
    why: str = ""
    exact: bool = True


def feasibility(runs: Sequence[RunRecord], rule: Rule, error: float) -> Feasibility:
    """Judge one configuration by all its `runs`; `error` is what its p99's limits may err."""
    died = sum(_has(record, {DIED}) for record in runs)
    if died:
        return Feasibility(State.EXCLUDED, f"its server died under load in {_of(died, len(runs))}")
    counting = [(r.plan.block_key, r.figures) for r in runs if r.verdict is Verdict.VALID and r.figures]
    valid = [figures for _, figures in counting]
    if not valid:
        return _without_valid_run(runs, rule)
    exact = all(figures.latency.censored == 0 for figures in valid)
    if error_rate(valid) > rule.max_error_rate:
        return Feasibility(State.EXCLUDED, _failing(valid, rule), exact)
    if rule.slo_p99_ms is None:
        return Feasibility(State.ACCEPTABLE, exact=exact)
    p99 = by_block([figures.latency.p99_ms for figures in valid], [block for block, _ in counting])
    said = f"its p99 of {'' if exact else 'at least '}{statistics.fmean(p99):.0f} ms is"
    if one_sided_lower(p99, error) > rule.slo_p99_ms:
        return Feasibility(State.EXCLUDED, f"{said} above {rule.slo_p99_ms:g} ms", exact)
    # A censored tail makes p99 a lower bound: it can break an SLO, never prove that it is kept.
    if exact and one_sided_upper(p99, error) <= rule.slo_p99_ms:
        return Feasibility(State.ACCEPTABLE, exact=exact)
    return Feasibility(State.UNSETTLED, f"{said} not shown to be within {rule.slo_p99_ms:g} ms", exact)


def error_rate(valid: Sequence[RunFigures]) -> float:
    """Failed requests as a share of the completed ones, over all runs together."""
    completed = sum(figures.completed for figures in valid)
    return sum(figures.failed for figures in valid) / completed if completed else 1.0


def _failing(runs: Sequence[RunFigures], rule: Rule) -> str:
    return f"{error_rate(runs):.1%} of its requests failed (limit {rule.max_error_rate:.1%})"


def _without_valid_run(runs: Sequence[RunRecord], rule: Rule) -> Feasibility:
    """Servers that fail fast make runs suspect for other reasons too (no client keeps up with them, the
    median latency is next to nothing); that must not keep the question open for ever."""
    if not runs:
        return Feasibility(State.UNSETTLED, "not run")
    if len(runs) >= 2 and all(_has(record, NEVER_SERVED | {ERRORS}) for record in runs):
        served = [record.figures for record in runs if record.figures is not None]
        if served:
            return Feasibility(State.EXCLUDED, _failing(served, rule))
        return Feasibility(State.EXCLUDED, f"its server served nothing in {_of(len(runs), len(runs))}")
    codes = sorted({f.code for record in runs for f in record.findings if f.severity != "info"})
    return Feasibility(State.UNSETTLED, "no valid run" + (f" ({', '.join(codes)})" if codes else ""))


def _has(record: RunRecord, codes: frozenset[str] | set[str]) -> bool:
    return any(finding.code in codes for finding in record.findings)


def _of(count: int, runs: int) -> str:
    if count == runs:
        return "its only run" if runs == 1 else f"all of its {runs} runs"
    return f"{count} of its {runs} runs"
