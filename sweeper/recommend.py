"""From a study's runs to its recommendation: status, worker count, and the sentence that says why."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sweeper.confirmation import confirmation, split
from sweeper.findings.cores import server_cores
from sweeper.findings.picture import Picture, picture
from sweeper.findings.pool import pool_ignored
from sweeper.findings.study import study_findings
from sweeper.findings.why import cause
from sweeper.records import (
    Cause,
    Configuration,
    Finding,
    HostSpeedUse,
    Objective,
    Recommendation,
    RunRecord,
    Severity,
    Status,
    Verdict,
)
from sweeper.statistics.candidates import candidate, valid_runs
from sweeper.statistics.decision import Decision, Rule, Standing, State, decide
from sweeper.statistics.feasibility import error_rate
from sweeper.statistics.sequential import MIN_VALID_BLOCKS, valid_blocks


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What the recommendation needs of a study besides its runs. `eliminated` maps to the block after
    which a configuration was dropped. `default_workers` is DRUM's pool size, which the answer is confirmed
    beside; `not_confirmed` says why a confirmation that was asked for cannot be."""

    name: str
    configurations: tuple[Configuration, ...]
    rule: Rule
    eliminated: Mapping[Configuration, int]
    cores_shared: bool
    complete: bool
    environment: dict[str, object]
    default_workers: int = 4
    users: int | None = None
    not_confirmed: str = ""


def recommend(facts: StudyFacts, records: Sequence[RunRecord]) -> Recommendation:
    """The answer the recorded runs give. Pure: the same records always give the same answer.

    Open-loop runs confirm it and are no part of anything else.
    """
    rule, elapsed_s = facts.rule, sum(record.elapsed_s for record in records)
    records, open_loop = split(records)
    decision = decide(records, facts.configurations, rule, eliminated=tuple(facts.eliminated))
    blocks = valid_blocks(records, decision, facts.eliminated)
    ignored = _pool_ignored(records)
    if ignored is not None:
        status, workers, reason = Status.INCONCLUSIVE, None, f"{ignored.message}."
    else:
        status, workers, reason = _verdict(decision, facts, blocks, records)
    seen = picture(
        records,
        server_cores(facts.environment, facts.cores_shared),
        confidence=rule.confidence,
        host_speed=decision.host_speed is not None and decision.host_speed.used,
    )
    findings = study_findings(records, facts.cores_shared, rule.objective, rule.confidence, seen=seen)
    if ignored is not None and all(finding.code != ignored.code for finding in findings):
        findings = (ignored, *findings)
    if workers is not None and facts.not_confirmed:
        findings = (
            *findings,
            Finding("not-confirmed", Severity.INFO, facts.not_confirmed, {"workers": workers}),
        )
    candidates = tuple(
        candidate(s, records, facts.eliminated.get(s.configuration), rule.confidence)
        for s in decision.standings
    )
    answer = decision.answer if workers is not None else None
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
        elapsed_s=elapsed_s,
        reason=reason,
        residual_deviation=decision.residual_deviation,
        covariates=("host_speed",) if decision.host_speed and decision.host_speed.used else (),
        candidates=candidates,
        findings=findings,
        environment=facts.environment,
        complete=facts.complete,
        blocks_needed=decision.blocks_needed,
        host_speed=_host_speed(decision, records),
        cause=None if ignored is not None else _cause(seen, decision, answer, records, rule),
        confirmation=None
        if answer is None
        else confirmation(open_loop, answer, facts.default_workers, candidates, facts.users),
    )


def _cause(
    seen: Picture,
    decision: Decision,
    answer: Configuration | None,
    records: Sequence[RunRecord],
    rule: Rule,
) -> Cause | None:
    failing = [
        s.configuration
        for s in decision.standings
        if s.feasible is State.EXCLUDED
        and s.configuration in seen.shown
        and error_rate(valid_runs(s.configuration, records)) > rule.max_error_rate
    ]
    return cause(seen, answer, failing)


def _host_speed(decision: Decision, records: Sequence[RunRecord]) -> HostSpeedUse | None:
    """None where no run was probed: there is nothing to say about it then."""
    loads = [
        r.figures.probe_cpu_cores for r in records if r.figures and r.figures.probe_cpu_cores is not None
    ]
    if decision.host_speed is None or not loads:
        return None
    return replace(decision.host_speed, probe_cpu_cores=statistics.fmean(loads))


def tied(decision: Decision) -> tuple[int, ...]:
    """Worker counts that cannot be told from the best: not excluded, or accepted as good as it."""
    return tuple(
        s.configuration.workers
        for s in decision.standings
        if s.state is not State.EXCLUDED and s.gap is not None
    )


def _pool_ignored(records: Sequence[RunRecord]) -> Finding | None:
    said = (f for record in records for f in record.findings if f.code == "pool-size-not-applied")
    return next(said, None) or pool_ignored(records)


def _verdict(
    decision: Decision, facts: StudyFacts, blocks: int, records: Sequence[RunRecord]
) -> tuple[Status, int | None, str]:
    measured = any(record.figures is not None for record in records)
    if measured and all(standing.feasible is State.EXCLUDED for standing in decision.standings):
        return Status.INFEASIBLE, None, _nearest_miss(decision, records, facts.rule)
    if not any(record.verdict is Verdict.VALID for record in records):
        return Status.INCONCLUSIVE, None, _no_valid_run(records)
    if decision.answer is None:
        return Status.INCONCLUSIVE, None, _undecided(decision, facts)
    firm = facts.complete and blocks >= MIN_VALID_BLOCKS
    clauses = _grounds(decision, decision.answer, facts.rule)
    if not firm:
        clauses.append(f"provisional, because {_shortfall(facts, blocks)}")
    status = Status.RECOMMENDED if firm else Status.PROVISIONAL
    return status, decision.answer.workers, f"{'; '.join(clauses)}."


def _no_valid_run(records: Sequence[RunRecord]) -> str:
    if not records:
        return "no run has been made yet."
    failed = [record for record in records if record.verdict is Verdict.FAILED]
    remarks = [
        f for record in (failed or records) for f in record.findings if f.severity is not Severity.INFO
    ]
    kind = "failed" if len(failed) == len(records) else "failed or is suspect" if failed else "is suspect"
    return f"every run {kind}" + (f": {remarks[0].message.rstrip('.')}" if remarks else "") + "."


def _grounds(decision: Decision, answer: Configuration, rule: Rule) -> list[str]:
    """What is shown, then what that means for the smaller and for the larger counts."""
    smaller = [s for s in decision.standings if s.configuration < answer]
    larger = [s for s in decision.standings if s.configuration > answer]
    who = _workers(answer.workers) + ("" if smaller else ", the smallest count tried,")
    slo = "" if rule.slo_p99_ms is None else f" with p99 within {rule.slo_p99_ms:g} ms"
    clauses = [
        f"{who} {'gives' if answer.workers == 1 else 'give'} {_aim(rule)}{slo} "
        f"({_percent(rule.confidence)} confidence)"
    ]
    behind = _by_gap(smaller)
    if behind:
        clauses.append(f"{_list(behind)} {'does' if len(behind) == 1 else 'do'} not")
    clauses += _ruled_out(smaller)
    if decision.smaller_unsettled:
        names = _list([c.workers for c in decision.smaller_unsettled])
        needed = decision.blocks_needed
        how = f" (about {needed} blocks would tell)" if needed else ""
        clauses.append(f"whether {names} would do as well is not settled{how}")
    good = [s.configuration.workers for s in larger if s.state is not State.EXCLUDED]
    if good:
        clauses.append(f"{_list(good)} would buy nothing that matters")
    worse = _by_gap(larger)
    if worse:
        clauses.append(f"{_list(worse)} {'is' if len(worse) == 1 else 'are'} worse")
    clauses += _ruled_out(larger)
    if not larger and smaller:
        clauses.append(f"{answer.workers} is the largest count tried, so more may do better still")
    return clauses


def _shortfall(facts: StudyFacts, blocks: int) -> str:
    if not facts.complete:
        return "the study is not finished"
    if blocks == 0:
        return f"no block has a valid run of every value ({MIN_VALID_BLOCKS} such blocks are needed)"
    count = "1 block has" if blocks == 1 else f"{blocks} blocks have"
    return f"only {count} a valid run of every value ({MIN_VALID_BLOCKS} such blocks are needed)"


def _undecided(decision: Decision, facts: StudyFacts) -> str:
    unsettled = [s for s in decision.standings if s.state is State.UNSETTLED]
    if not unsettled:
        broke = [s.configuration.workers for s in decision.standings if s.feasible is State.EXCLUDED]
        behind = _by_gap(decision.standings)
        return (
            f"nothing is left: {', '.join(_ruled_out(decision.standings))}, and {_list(behind)} had been "
            f"dropped as worse; run a new study without {_list(broke)}."
        )
    counts = [s.configuration.workers for s in unsettled]
    confidence = f"at {_percent(facts.rule.confidence)} confidence"
    if len(counts) == 1:
        clauses = [
            f"only {counts[0]} is not ruled out, but that it gives {_aim(facts.rule)} is not shown "
            f"{confidence}"
        ]
    else:
        clauses = [
            f"which of {_list(counts)} give {_aim(facts.rule)} is not settled {confidence}",
            f"the fewest not ruled out is {counts[0]}",
        ]
    obstacles = [s for s in unsettled if s.why]
    clauses += [f"{s.configuration.workers}: {s.why}" for s in obstacles]
    if not facts.complete:
        clauses.append("the study is not finished")
    elif any(s.gap is None for s in obstacles):
        clauses.append("the findings say what to do about runs that do not count")
    elif obstacles:
        clauses.append("more blocks (--max-blocks) or another --slo-p99 would settle it")
    elif decision.residual_deviation is not None:
        clauses.append(_price(decision.residual_deviation, decision.blocks_needed))
    return f"{'; '.join(clauses)}."


def _price(deviation: float, blocks: int | None) -> str:
    noise = f"one run varies by {deviation:.1%} around its block"
    if blocks is None:
        return (
            f"{noise}, too much for any sensible number of blocks: quieten the machine or raise --tolerance"
        )
    return f"{noise}, so that it takes about {blocks} blocks (a new study with --max-blocks {blocks})"


def _nearest_miss(decision: Decision, records: Sequence[RunRecord], rule: Rule) -> str:
    def badness(standing: Standing) -> tuple[float, float]:
        own = [r.figures for r in records if r.configuration == standing.configuration and r.figures]
        runs = valid_runs(standing.configuration, records) or own
        if not runs:
            return (float("inf"), float("inf"))
        excess = max(0.0, error_rate(runs) - rule.max_error_rate)
        return (excess, statistics.fmean(run.latency.p99_ms for run in runs))

    nearest = min(decision.standings, key=badness)
    limits = [f"an error rate of at most {_percent(rule.max_error_rate)}"]
    if rule.slo_p99_ms is not None:
        limits.append(f"p99 within {rule.slo_p99_ms:g} ms")
    return (
        f"no worker count keeps {' and '.join(limits)}; the nearest miss is "
        f"{_workers(nearest.configuration.workers)}: {nearest.why}."
    )


def _by_gap(standings: Sequence[Standing]) -> list[int]:
    """Excluded because another one is better."""
    return [
        s.configuration.workers
        for s in standings
        if s.state is State.EXCLUDED and s.feasible is not State.EXCLUDED
    ]


def _ruled_out(standings: Sequence[Standing]) -> list[str]:
    """Excluded because of errors, the SLO or a dead server."""
    return [
        f"{s.configuration.workers} is ruled out ({s.why})" for s in standings if s.feasible is State.EXCLUDED
    ]


def _aim(rule: Rule) -> str:
    what = "throughput" if rule.objective is Objective.THROUGHPUT else "a p99"
    return f"{what} within {_percent(rule.tolerance)} of the best"


def _percent(share: float) -> str:
    return f"{round(share * 100, 6):g}%"


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _list(values: Sequence[int]) -> str:
    texts = [str(value) for value in values]
    if len(texts) < 2:
        return "".join(texts)
    return ", ".join(texts[:-1]) + " and " + texts[-1]
