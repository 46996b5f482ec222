"""From a study's runs to its recommendation: status, worker count, and the sentence that says why."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sweeper.analysis.causes.differences import Cores, Differences, differences_between, server_cores
from sweeper.analysis.causes.summary import cause
from sweeper.analysis.confirmation import confirmation, split
from sweeper.analysis.economics import with_economics
from sweeper.analysis.reason import grounds, nearest_miss, no_valid_run, shortfall, undecided
from sweeper.analysis.study_findings import several_hosts, study_findings
from sweeper.checks.pool import pool_ignored
from sweeper.checks.turns import blocks_made
from sweeper.records.answer import BlocksMade, Cause, HostSpeedUse, Recommendation, Status
from sweeper.records.configuration import DRUMS_DEFAULT, Configuration
from sweeper.records.finding import Finding, FindingCode, Severity
from sweeper.records.run import Objective, RunRecord, valid_figures, valid_runs
from sweeper.statistics.candidates import candidate
from sweeper.statistics.criteria import CandidateState, Rule
from sweeper.statistics.decision import Decision, decide
from sweeper.statistics.feasibility import error_rate
from sweeper.statistics.interim_looks import MIN_VALID_BLOCKS, valid_blocks
from sweeper.statistics.several_loads import Eliminated
from sweeper.statistics.standing import OUT

Conclusion = tuple[Status, Configuration | None, str]
"""Status, answer and reason."""


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What the recommendation needs of a study besides its runs."""

    name: str
    configurations: tuple[Configuration, ...]
    rule: Rule
    eliminated: Mapping[Configuration, int]  # what was dropped, and the block after which
    cores_shared: bool  # by server and load generator
    complete: bool  # no more runs are to be made
    environment: dict[str, object]  # as in environment.json
    reference: Configuration = DRUMS_DEFAULT  # beside which the answer is confirmed
    users: int | None = None  # in the closed loop; None: a locust file's, or none
    arrivals_per_s: float | None = None  # requests/s at random; None: users who wait for each answer
    not_confirmed: str = ""  # why a confirmation that was asked for cannot be made
    launcher: str = "fastapi"  # by name
    in_turns: bool = True  # as was asked for
    load_elsewhere: bool = False  # other hosts make the load
    cost_per_hour: float | None = None  # of one server; None: not known
    plan_for_rps: float | None = None  # requests/s that are wanted in all; None: none
    loads: tuple[float, ...] = ()  # several, in order (several_loads.py)
    of_a_search: bool = False  # the configurations are the finalists of a search, which tried others, too
    eliminated_under: Eliminated = field(default_factory=dict)  # of several loads


@dataclass(frozen=True, slots=True)
class Judged:
    """What a study of several loads has decided from all its runs. It shows those of the largest load."""

    decision: Decision
    blocks: int  # valid ones
    verdict: Conclusion
    every_run: Sequence[RunRecord]  # under all loads


def recommend(
    facts: StudyFacts, records: Sequence[RunRecord], judged: Judged | None = None
) -> Recommendation:
    """The answer the recorded runs give. Pure: the same records always give the same answer.

    Open-loop runs confirm it and are no part of anything else. What was `judged` is not decided again.
    """
    rule, elapsed_s = facts.rule, sum(record.elapsed_s for record in records)
    records, open_loop = split(records)
    every_run = records if judged is None else judged.every_run
    decision = (
        decide(records, facts.configurations, rule, eliminated=tuple(facts.eliminated))
        if judged is None
        else judged.decision
    )
    blocks = valid_blocks(records, decision, facts.eliminated) if judged is None else judged.blocks
    ignored = _said_ignored(every_run) or pool_ignored(records)
    if ignored is not None:
        status, answer, reason = Status.INCONCLUSIVE, None, f"{ignored.message}."
    elif judged is not None:
        status, answer, reason = judged.verdict
    else:
        status, answer, reason = _verdict(decision, facts, blocks, records)
    seen = differences_between(
        records,
        _cores(facts, records),
        confidence=rule.confidence,
        host_speed=decision.host_speed is not None and decision.host_speed.used,
    )
    findings = study_findings(
        records, facts.cores_shared, rule.objective, rule.confidence, seen=seen, every_run=every_run
    )
    if ignored is not None and all(finding.code != ignored.code for finding in findings):
        findings = (ignored, *findings)
    several = several_hosts(records, facts.reference)
    if several is not None:
        findings = (several, *findings)
    if answer is not None and facts.not_confirmed:
        findings = (
            *findings,
            Finding(
                FindingCode.NOT_CONFIRMED, Severity.INFO, facts.not_confirmed, {"workers": answer.workers}
            ),
        )
    candidates = tuple(
        candidate(s, records, facts.eliminated.get(s.configuration), rule.confidence)
        for s in decision.standings
    )
    found = Recommendation(
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
        # Climbs have rates of their own, so that their throughput is no effect of the workers.
        cause=None
        if ignored is not None or rule.objective is Objective.CAPACITY
        else _cause(seen, decision, answer, records, rule),
        confirmation=None
        if answer is None
        else confirmation(open_loop, answer, facts.reference, candidates, facts.users),
        launcher=facts.launcher,
        users=facts.users,
        arrivals_per_s=facts.arrivals_per_s,
        blocks_made=how_made(facts, every_run),
    )
    return with_economics(found, facts.cost_per_hour, facts.plan_for_rps)


def how_made(facts: StudyFacts, records: Sequence[RunRecord]) -> BlocksMade:
    """Whether the runs of its blocks take turns, and why, by all runs of the study, those of a search too."""
    return blocks_made(records, facts.in_turns, facts.load_elsewhere, remote=facts.launcher == "remote")


def _cores(facts: StudyFacts, records: Sequence[RunRecord]) -> Cores:
    """Not known where hosts that are not alike made the runs: `facts` are of the one that began."""
    if len({record.host for record in records}) > 1 and len({record.fingerprint for record in records}) > 1:
        return Cores(shared=facts.cores_shared)
    return server_cores(facts.environment, facts.cores_shared)


def _cause(
    seen: Differences,
    decision: Decision,
    answer: Configuration | None,
    records: Sequence[RunRecord],
    rule: Rule,
) -> Cause | None:
    failing = [
        s.configuration
        for s in decision.standings
        if s.feasible is CandidateState.EXCLUDED
        and s.configuration in seen.shown
        and error_rate(valid_figures(records, s.configuration)) > rule.max_error_rate
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
        s.configuration.workers for s in decision.standings if s.state not in OUT and s.gap is not None
    )


def _said_ignored(records: Sequence[RunRecord]) -> Finding | None:
    said = (f for record in records for f in record.findings if f.code == FindingCode.POOL_SIZE_NOT_APPLIED)
    return next(said, None)


def _verdict(decision: Decision, facts: StudyFacts, blocks: int, records: Sequence[RunRecord]) -> Conclusion:
    measured = any(record.figures is not None for record in records)
    if measured and all(standing.feasible in OUT for standing in decision.standings):
        return Status.INFEASIBLE, None, nearest_miss(decision, records, facts.rule)
    if not valid_runs(records):
        return Status.INCONCLUSIVE, None, no_valid_run(records)
    if decision.answer is None:
        return Status.INCONCLUSIVE, None, undecided(decision, facts.rule, facts.complete)
    clauses = grounds(
        decision, decision.answer, facts.rule, facts.arrivals_per_s, of_a_search=facts.of_a_search
    )
    return answered(facts, blocks, decision.answer, clauses)


def answered(facts: StudyFacts, blocks: int, answer: Configuration, clauses: Sequence[str]) -> Conclusion:
    """With an answer, for the reasons in `clauses`: how firm it is."""
    if facts.complete and blocks >= MIN_VALID_BLOCKS:
        return Status.RECOMMENDED, answer, f"{'; '.join(clauses)}."
    why = f"provisional, because {shortfall(facts.complete, blocks)}"
    return Status.PROVISIONAL, answer, f"{'; '.join([*clauses, why])}."
