"""From a study's runs to its recommendation: status, worker count, and the sentence that says why."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sweeper.answers import Cause, HostSpeedUse, Recommendation, Status
from sweeper.confirmation import confirmation, split
from sweeper.findings.cores import Cores, server_cores
from sweeper.findings.hosts import several_hosts
from sweeper.findings.picture import Picture, picture
from sweeper.findings.pool import pool_ignored
from sweeper.findings.study import study_findings
from sweeper.findings.why import cause
from sweeper.reason import grounds, nearest_miss, no_valid_run, shortfall, undecided
from sweeper.records import DRUMS_DEFAULT, Configuration, Finding, RunRecord, Severity, Verdict
from sweeper.statistics.candidates import candidate, valid_runs
from sweeper.statistics.decision import Decision, Rule, State, decide
from sweeper.statistics.feasibility import error_rate
from sweeper.statistics.sequential import MIN_VALID_BLOCKS, valid_blocks


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What the recommendation needs of a study besides its runs. `eliminated` maps to the block after
    which a configuration was dropped. The answer is confirmed beside the `reference`; `not_confirmed` says
    why a confirmation that was asked for cannot be."""

    name: str
    configurations: tuple[Configuration, ...]
    rule: Rule
    eliminated: Mapping[Configuration, int]
    cores_shared: bool
    complete: bool
    environment: dict[str, object]
    reference: Configuration = DRUMS_DEFAULT
    users: int | None = None
    not_confirmed: str = ""
    launcher: str = "fastapi"


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
        status, answer, reason = Status.INCONCLUSIVE, None, f"{ignored.message}."
    else:
        status, answer, reason = _verdict(decision, facts, blocks, records)
    seen = picture(
        records,
        _cores(facts, records),
        confidence=rule.confidence,
        host_speed=decision.host_speed is not None and decision.host_speed.used,
    )
    findings = study_findings(records, facts.cores_shared, rule.objective, rule.confidence, seen=seen)
    if ignored is not None and all(finding.code != ignored.code for finding in findings):
        findings = (ignored, *findings)
    several = several_hosts(records, facts.reference)
    if several is not None:
        findings = (several, *findings)
    if answer is not None and facts.not_confirmed:
        findings = (
            *findings,
            Finding("not-confirmed", Severity.INFO, facts.not_confirmed, {"workers": answer.workers}),
        )
    candidates = tuple(
        candidate(s, records, facts.eliminated.get(s.configuration), rule.confidence)
        for s in decision.standings
    )
    return Recommendation(
        study=facts.name,
        status=status,
        configuration=answer,
        tied=() if ignored else tied(decision),
        smaller_unsettled=tuple(c.workers for c in decision.smaller_unsettled) if answer else (),
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
        else confirmation(open_loop, answer, facts.reference, candidates, facts.users),
        launcher=facts.launcher,
    )


def _cores(facts: StudyFacts, records: Sequence[RunRecord]) -> Cores:
    """Not known where hosts that are not alike made the runs: `facts` are of the one that began."""
    if len({record.host for record in records}) > 1 and len({record.fingerprint for record in records}) > 1:
        return Cores(shared=facts.cores_shared)
    return server_cores(facts.environment, facts.cores_shared)


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
) -> tuple[Status, Configuration | None, str]:
    measured = any(record.figures is not None for record in records)
    if measured and all(standing.feasible is State.EXCLUDED for standing in decision.standings):
        return Status.INFEASIBLE, None, nearest_miss(decision, records, facts.rule)
    if not any(record.verdict is Verdict.VALID for record in records):
        return Status.INCONCLUSIVE, None, no_valid_run(records)
    if decision.answer is None:
        return Status.INCONCLUSIVE, None, undecided(decision, facts.rule, facts.complete)
    firm = facts.complete and blocks >= MIN_VALID_BLOCKS
    clauses = grounds(decision, decision.answer, facts.rule)
    if not firm:
        clauses.append(f"provisional, because {shortfall(facts.complete, blocks)}")
    status = Status.RECOMMENDED if firm else Status.PROVISIONAL
    return status, decision.answer, f"{'; '.join(clauses)}."
