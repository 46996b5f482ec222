"""The reason of a recommendation in words: what is shown, what is not, and what would settle it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from sweeper.records.configuration import Configuration
from sweeper.records.finding import Effect, FindingCode, Severity, Verdict
from sweeper.records.run import Objective, RunRecord, valid_figures
from sweeper.records.wording import Names, and_join, counted, limit_ms, percent
from sweeper.statistics.criteria import CandidateState, Rule
from sweeper.statistics.decision import Decision
from sweeper.statistics.feasibility import error_rate
from sweeper.statistics.interim_looks import MIN_VALID_BLOCKS
from sweeper.statistics.standing import OUT, Standing


def no_valid_run(records: Sequence[RunRecord]) -> str:
    """Why no run is valid. Values whose runs all failed are named apart from the others: they will never have
    a valid run."""
    if not records:
        return "no run has been made yet."
    runs: dict[Configuration, list[RunRecord]] = {}
    for record in records:
        runs.setdefault(record.configuration, []).append(record)
    names = Names(runs)
    failing = [one for one, own in sorted(runs.items()) if all(r.verdict is Verdict.FAILED for r in own)]
    others = [one for one in sorted(runs) if one not in failing]
    if not failing or not others:
        return f"{_every_run(records)}."
    return (
        "; ".join(
            f"of {names.all(those)}, {_every_run([record for one in those for record in runs[one]])}"
            for those in (failing, others)
        )
        + "."
    )


def _every_run(records: Sequence[RunRecord]) -> str:
    failed = [record for record in records if record.verdict is Verdict.FAILED]
    said = [f for record in (failed or records) for f in record.findings if f.severity is not Severity.INFO]
    # Failed requests come first, then findings that made a run suspect or failed, then the others.
    remarks = sorted(said, key=lambda f: (f.code is not FindingCode.ERRORS, f.effect is Effect.INFORMATION))
    kind = "failed" if len(failed) == len(records) else "failed or is suspect" if failed else "is suspect"
    return f"every run {kind}" + (f": {remarks[0].message.rstrip('.')}" if remarks else "")


def grounds(
    decision: Decision,
    answer: Configuration,
    rule: Rule,
    arrivals_per_s: float | None,
    *,
    of_a_search: bool = False,
) -> list[str]:
    """What is shown, then what that means for the smaller and for the larger counts. A search has also tried
    counts that are not among its finalists."""
    names = _names(decision)
    smaller = [s for s in decision.standings if s.configuration < answer]
    larger = [s for s in decision.standings if s.configuration > answer]
    least = f"the smallest {names.kind} {'in the final blocks' if of_a_search else 'tried'}"
    who = names.full(answer) + ("" if smaller else f", {least},")
    slo = "" if rule.limit_p99_ms is None else f" with p99 within {limit_ms(rule.limit_p99_ms)}"
    load = "" if arrivals_per_s is None else f" with {arrivals_per_s:g} requests/s at random"
    clauses = [
        f"{who} {names.verb(answer, 'gives', 'give')} {aim(rule)}{slo}{load} "
        f"({percent(rule.confidence)} confidence)"
    ]
    behind = _by_gap(smaller)
    if behind:
        clauses.append(f"{names.all(behind)} {names.verb_of_all(behind, 'does', 'do')} not")
    clauses += _ruled_out(smaller, names)
    if decision.smaller_unsettled:
        unsettled = names.all(decision.smaller_unsettled)
        needed = decision.blocks_needed
        how = f" (about {needed} blocks would tell)" if needed else ""
        clauses.append(f"the runs do not settle whether {unsettled} would do as well{how}")
        clauses += _given_up(decision)
    good = [s.configuration for s in larger if s.state not in OUT]
    if good:
        clauses.append(f"{names.all(good)} would bring no gain that matters")
    worse = _by_gap(larger)
    if worse:
        clauses.append(f"{names.all(worse)} {names.verb_of_all(worse, 'is', 'are')} worse")
    clauses += _ruled_out(larger, names)
    largest = not larger and smaller and not decision.smaller_unsettled and names.kind == "count"
    if largest and not of_a_search:
        clauses.append(f"{answer.workers} is the largest count tried, so more workers may do better")
    return clauses


def shortfall(complete: bool, blocks: int) -> str:
    if not complete:
        return "the study is not finished"
    if blocks == 0:
        return f"no block has a valid run of every value ({MIN_VALID_BLOCKS} such blocks are needed)"
    count = counted(blocks, "block has", "blocks have")
    return f"only {count} a valid run of every value ({MIN_VALID_BLOCKS} such blocks are needed)"


def undecided(decision: Decision, rule: Rule, complete: bool) -> str:
    names = _names(decision)
    unsettled = [s for s in decision.standings if s.state is CandidateState.UNSETTLED]
    if not unsettled:
        broke = [s.configuration for s in decision.standings if s.feasible in OUT]
        behind = _by_gap(decision.standings)
        out = ", ".join(_ruled_out(decision.standings, names))
        return (
            f"no value is left: {out}, and sweeper had dropped {names.all(behind)} as worse; run a new study "
            f"without {names.all(broke)}."
        )
    open_ones = [s.configuration for s in unsettled]
    confidence = f"at {percent(rule.confidence)} confidence"
    if len(open_ones) == 1:
        left, gives = (
            names.verb_of_all(open_ones, one, many)
            for one, many in (("is", "are"), ("it gives", "they give"))
        )
        clauses = [
            f"only {names.short(open_ones[0])} {left} still possible, but the runs do not show {confidence} "
            f"that {gives} {aim(rule)}"
        ]
    else:
        clauses = [
            f"the runs do not settle {confidence} which of {names.all(open_ones)} give {aim(rule)}",
            f"the smallest {names.kind} still possible is {names.short(open_ones[0])}",
        ]
    obstacles = [s for s in unsettled if s.why]
    clauses += [f"{names.short(s.configuration)}: {s.why}" for s in obstacles]
    if not complete:
        clauses.append("the study is not finished")
    elif any(s.gap is None for s in obstacles):
        clauses.append("the findings say what to do about runs that do not count")
    elif obstacles and rule.objective is Objective.CAPACITY:
        clauses.append("more blocks (--max-blocks) would look further up or down")
    elif obstacles and not any(s.exact for s in obstacles):
        clauses.append(
            "more blocks cannot settle this, because some requests never finished: raise --drain, or see the "
            "runs' server.log for what these requests wait for"
        )
    elif obstacles:
        clauses.append("more blocks (--max-blocks) or another --slo-p99 would settle it")
    elif decision.residual_deviation is not None:
        clauses += _given_up(decision)
        clauses.append(_price(decision.residual_deviation, decision.blocks_needed))
    return f"{'; '.join(clauses)}."


def _price(deviation: float, blocks: int | None) -> str:
    noise = f"the noise of one run is {deviation:.1%}"
    if blocks is None:
        return (
            f"{noise}, too much for any sensible number of blocks: use a quieter machine or raise --tolerance"
        )
    return f"{noise}, so this takes about {blocks} blocks: start a new study with --max-blocks {blocks}"


def _given_up(decision: Decision) -> list[str]:
    if not decision.futile:
        return []
    return [
        "the study stopped before its last block, because the remaining blocks were unlikely to settle this"
    ]


def nearest_miss(decision: Decision, records: Sequence[RunRecord], rule: Rule) -> str:
    def badness(standing: Standing) -> tuple[float, float]:
        own = [r.figures for r in records if r.configuration == standing.configuration and r.figures]
        runs = valid_figures(records, standing.configuration) or own
        if not runs:
            return (float("inf"), float("inf"))
        excess = max(0.0, error_rate(runs) - rule.max_error_rate)
        return (excess, statistics.fmean(run.latency.p99_ms for run in runs))

    names = _names(decision)
    measured = [s for s in decision.standings if s.state is not CandidateState.UNMEASURED]
    nearest = min(measured, key=badness)
    if rule.objective is Objective.CAPACITY:
        limits = []
    else:
        limits = [f"an error rate of at most {percent(rule.max_error_rate)}"]
    if rule.slo_p99_ms is not None:
        limits.append(f"p99 within {limit_ms(rule.slo_p99_ms)}")
    kind = "worker count" if names.kind == "count" else names.kind
    unknown = "".join(
        f"; {names.short(s.configuration)} {s.why}"
        for s in decision.standings
        if s.state is CandidateState.UNMEASURED
    )
    return (
        f"no {kind} keeps {and_join(limits)}; the nearest miss is {names.full(nearest.configuration)}: "
        f"{nearest.why}{unknown}."
    )


def _names(decision: Decision) -> Names:
    return Names([s.configuration for s in decision.standings])


def _by_gap(standings: Sequence[Standing]) -> list[Configuration]:
    """Excluded because another one is better."""
    return [
        s.configuration
        for s in standings
        if s.state is CandidateState.EXCLUDED and s.feasible is not CandidateState.EXCLUDED
    ]


def _ruled_out(standings: Sequence[Standing], names: Names) -> list[str]:
    """Excluded by errors, the SLO or a server that does not serve; then what could not be measured."""
    return [
        f"{names.short(s.configuration)} {names.verb_of_all([s.configuration], 'is', 'are')} ruled out "
        f"({s.why})"
        for s in standings
        if s.feasible is CandidateState.EXCLUDED
    ] + [
        f"{names.short(s.configuration)} {s.why}, so that the answer is for the others"
        for s in standings
        if s.state is CandidateState.UNMEASURED
    ]


def aim(rule: Rule) -> str:
    """What an answer gives, without limits."""
    what = "throughput" if rule.objective is Objective.THROUGHPUT else "a p99"
    if rule.objective is Objective.CAPACITY:
        what = f"a capacity (requests/s with p99 within {limit_ms(rule.slo_p99_ms or 0.0)})"
    return f"{what} within {percent(rule.tolerance)} of the best"
