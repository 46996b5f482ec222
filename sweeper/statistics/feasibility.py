"""Errors and the SLO, which no throughput makes up for: may this configuration be recommended at all?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from sweeper.records.configuration import Configuration
from sweeper.records.finding import FindingCode
from sweeper.records.run import Bound, Objective, RunFigures, RunRecord, valid_runs
from sweeper.records.wording import limit_ms
from sweeper.statistics.criteria import CandidateState, Rule
from sweeper.statistics.intervals import by_block, one_sided_lower, one_sided_upper

NOT_SERVED = {
    FindingCode.SERVER_DID_NOT_START: "it did not start",
    FindingCode.NO_PREDICTIONS: "the first upload failed",
    FindingCode.NO_REQUESTS: "it answered nothing in time",
}
"""What a run has that served nothing at all, and that in words."""
NOT_SERVED_RUNS, NOT_SERVED_SHARE = 2, 0.25
"""So many runs, and such a share of all, rule a value out: one alone may be chance."""
BROKEN_RUNS = 3
"""So many runs, each of which breaks the SLO at every rate, rule a value out: each looked lower down."""
BEHIND_SHARE = 0.5  # of the runs, with requests at random: it does not keep up with them
GIVEN_UP_AFTER = 3  # blocks without a valid run, while others have them


@dataclass(frozen=True, slots=True)
class Feasibility:
    """What errors and the SLO make of one configuration."""

    state: CandidateState
    why: str = ""  # in words, unless it is acceptable
    exact: bool = True  # no p99 of its valid runs is a lower bound


def feasibility(runs: Sequence[RunRecord], rule: Rule, error: float) -> Feasibility:
    """Judge one configuration by all its `runs`; `error` is what its p99's limits may err."""
    broken = _does_not_serve(runs)
    if broken is not None:
        return broken
    counting = valid_runs(runs)
    valid = [figures for _, figures in counting]
    exact = all(figures.latency.censored == 0 for figures in valid)
    loaded = _loaded(runs)
    if rule.objective is Objective.CAPACITY:
        return _within_slo(valid, runs, rule)
    # A run that is suspect for whatever else says as much of errors as one that is not.
    if (valid or len(runs) >= 2) and loaded and error_rate(loaded) > rule.max_error_rate:
        return Feasibility(CandidateState.EXCLUDED, _failing(loaded, rule), exact)
    behind = sum(record.has(FindingCode.FALLING_BEHIND) for record in runs)
    if behind >= max(NOT_SERVED_RUNS, BEHIND_SHARE * len(runs)):
        why = f"it does not keep up: its queue grew all through {_of(behind, len(runs))}"
        return Feasibility(CandidateState.EXCLUDED, why, exact)
    if not valid:
        return Feasibility(CandidateState.UNSETTLED, _no_valid_run(runs))
    silent = _not_served(runs)
    if silent and len(silent) >= NOT_SERVED_SHARE * len(runs):
        # It may have been chance; until that is known no other value is dropped because of this one.
        return Feasibility(CandidateState.UNSETTLED, _silent(silent, len(runs)), exact)
    if rule.slo_p99_ms is None:
        return Feasibility(CandidateState.ACCEPTABLE, exact=exact)
    p99 = by_block(
        [figures.latency.p99_ms for figures in valid], [record.plan.block_key for record, _ in counting]
    )
    servers_own = by_block(
        [(figures.latency_without_client or figures.latency).p99_ms for figures in valid],
        [record.plan.block_key for record, _ in counting],
    )
    said = f"its p99 of {'' if exact else 'at least '}{statistics.fmean(p99):.0f} ms is"
    if one_sided_lower(servers_own, error / rule.loads) > rule.slo_p99_ms:
        return Feasibility(CandidateState.EXCLUDED, f"{said} above {limit_ms(rule.slo_p99_ms)}", exact)
    # A censored tail makes p99 a lower bound: it can break an SLO, never prove that it is kept.
    if exact and one_sided_upper(p99, error) <= rule.slo_p99_ms:
        return Feasibility(CandidateState.ACCEPTABLE, exact=exact)
    return Feasibility(
        CandidateState.UNSETTLED, f"{said} not shown to be within {limit_ms(rule.slo_p99_ms)}", exact
    )


def _within_slo(valid: Sequence[RunFigures], runs: Sequence[RunRecord], rule: Rule) -> Feasibility:
    """With the capacity as the objective: there what fails counts as a broken SLO, and is no other reason."""
    found = [figures.capacity for figures in valid if figures.capacity is not None]
    if not found:
        return Feasibility(CandidateState.UNSETTLED, _no_valid_run(runs))
    lowest = min(capacity.rps for capacity in found)
    if len(found) >= BROKEN_RUNS and all(capacity.bound is Bound.AT_MOST for capacity in found):
        why = f"its p99 is above {limit_ms(rule.slo_p99_ms or 0.0)} even at {lowest:.1f} requests/s"
        return Feasibility(CandidateState.EXCLUDED, why)
    if all(capacity.bound is not Bound.EXACT for capacity in found):
        last = found[-1]
        why = f"its runs only gave a bound of its capacity ({last.bound} {last.rps:.1f} requests/s)"
        return Feasibility(CandidateState.UNSETTLED, why)
    return Feasibility(CandidateState.ACCEPTABLE)


def error_rate(valid: Sequence[RunFigures]) -> float:
    """Failed requests as a share of the completed ones, over all runs together."""
    completed = sum(figures.completed for figures in valid)
    return sum(figures.failed for figures in valid) / completed if completed else 1.0


def could_not_be_measured(records: Sequence[RunRecord], configuration: Configuration) -> Feasibility | None:
    """Why sweeper gives the configuration up; None if it does not. It does so if the configuration ran in
    three or more blocks and has no valid run, if other configurations have valid runs in three of these
    blocks, and if at least half of those configurations' runs there are valid. (If the host disturbs all
    alike, more blocks may help.)

    Only the blocks in which it ran count, so that later blocks do not change this.
    """
    own = [record for record in records if record.configuration == configuration]
    blocks = {record.plan.block_key for record in own}
    if len(blocks) < GIVEN_UP_AFTER or valid_runs(own):
        return None
    counting = [record for record, _ in valid_runs(records) if record.plan.block_key in blocks]
    measurable = {record.configuration for record in counting}
    beside = [r for r in records if r.plan.block_key in blocks and r.configuration in measurable]
    if len({record.plan.block_key for record in counting}) < GIVEN_UP_AFTER or 2 * len(counting) < len(
        beside
    ):
        return None
    return Feasibility(
        CandidateState.UNMEASURED, f"could not be measured in {len(blocks)} blocks: {_no_valid_run(own)}"
    )


def cannot_work(records: Sequence[RunRecord], configuration: Configuration) -> Feasibility | None:
    """Whether it is out for what no further block takes back: its server died or does not serve, or it could
    not be measured. None where it is not."""
    own = [record for record in records if record.configuration == configuration]
    return _does_not_serve(own) or could_not_be_measured(records, configuration)


def _does_not_serve(runs: Sequence[RunRecord]) -> Feasibility | None:
    died = sum(record.has(FindingCode.SERVER_DIED) for record in runs)
    if died:
        return Feasibility(CandidateState.EXCLUDED, f"its server died under load in {_of(died, len(runs))}")
    killed = sum(record.has(FindingCode.OUT_OF_MEMORY) for record in runs)
    if killed:
        why = f"the kernel killed its server because memory ran out in {_of(killed, len(runs))}"
        return Feasibility(CandidateState.EXCLUDED, why)
    silent = _not_served(runs)
    if len(silent) >= max(NOT_SERVED_RUNS, NOT_SERVED_SHARE * len(runs)):
        return Feasibility(CandidateState.EXCLUDED, _silent(silent, len(runs)))
    return None


def _loaded(runs: Sequence[RunRecord]) -> list[RunFigures]:
    """Figures of the runs whose requests all went to the server, and whose turns made none of them fail."""
    return [
        record.figures
        for record in runs
        if record.figures is not None
        and not record.has(FindingCode.REQUESTS_ELSEWHERE, FindingCode.SERVER_CLOCK)
    ]


def _not_served(runs: Sequence[RunRecord]) -> list[FindingCode]:
    """Why, of each run that served nothing."""
    return [
        next(code for code in NOT_SERVED if record.has(code))
        for record in runs
        if record.figures is None and record.has(*NOT_SERVED)
    ]


def _silent(codes: Sequence[FindingCode], runs: int) -> str:
    alike = len(set(codes)) == 1
    kinds = ", ".join(
        NOT_SERVED[code] if alike else f"{NOT_SERVED[code]} in {codes.count(code)}"
        for code in NOT_SERVED
        if code in codes
    )
    return f"its server served nothing in {_of(len(codes), runs)}: {kinds}"


def _failing(runs: Sequence[RunFigures], rule: Rule) -> str:
    return f"{error_rate(runs):.1%} of its requests failed (limit {rule.max_error_rate:.1%})"


def _no_valid_run(runs: Sequence[RunRecord]) -> str:
    if not runs:
        return "not run"
    codes = sorted({f.code for record in runs for f in record.findings if f.severity != "info"})
    return "no valid run" + (f" ({', '.join(codes)})" if codes else "")


def _of(count: int, runs: int) -> str:
    if count == runs:
        return "its only run" if runs == 1 else f"all of its {runs} runs"
    return f"{count} of its {runs} runs"
