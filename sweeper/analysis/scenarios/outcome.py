"""What a comparison of two servers shows by now, made from its records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeper.analysis.scenarios.case_figures import COMPARED, CaseFigures, cells, ratio
from sweeper.analysis.scenarios.expectations import Hypothesis, hypotheses
from sweeper.analysis.scenarios.stress import Stressed, stressed
from sweeper.analysis.study_findings import of_runs
from sweeper.records.answer import Interval
from sweeper.records.finding import Finding, Severity
from sweeper.records.run import RunRecord
from sweeper.records.scenarios import Scenario, Terms


@dataclass(frozen=True, slots=True)
class Load:
    """One load, both servers under it."""

    scenario: Scenario
    users: int
    cells: tuple[CaseFigures, ...]  # one for each server
    # by name of a figure: first server ÷ second, in the blocks where both have a valid run, each at the
    # study's confidence by itself
    ratios: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the comparison of two servers shows by now."""

    study: str  # its name
    terms: Terms
    loads: tuple[Load, ...]  # those that go by blocks
    stress: tuple[Stressed, ...]  # one for each server; empty before its first run
    hypotheses: tuple[Hypothesis, ...]
    blocks: Mapping[Scenario, int]  # of each scenario that goes by blocks
    findings: tuple[Finding, ...]  # of the runs that go by blocks, without mere information
    elapsed_s: float  # of all runs together
    complete: bool  # no more runs are to be made
    environment: Mapping[str, object]  # as in environment.json


def outcome(
    study: str,
    terms: Terms,
    records: Sequence[RunRecord],
    environment: Mapping[str, object],
    *,
    complete: bool,
) -> Outcome:
    by_load: dict[tuple[Scenario, int], list[CaseFigures]] = {}
    for cell in cells(records, terms):
        by_load.setdefault((Scenario(cell.case.scenario), cell.case.users), []).append(cell)
    error = (1 - terms.confidence) / 2
    return Outcome(
        study=study,
        terms=terms,
        loads=tuple(
            Load(
                scenario,
                users,
                tuple(found),
                {
                    name: seen
                    for name in COMPARED
                    if (seen := ratio(name, scenario, users, records, terms, error)) is not None
                },
            )
            for (scenario, users), found in by_load.items()
        ),
        stress=tuple(stressed(server, records, terms) for server in terms.servers)
        if any(record.plan.scenario == Scenario.STRESS for record in records)
        else (),
        hypotheses=hypotheses(records, terms),
        blocks={
            scenario: len({record.plan.block for record in records if record.plan.scenario == scenario})
            for scenario in terms.scenarios
            if scenario is not Scenario.STRESS
        },
        findings=_findings(records),
        elapsed_s=sum(record.elapsed_s for record in records),
        complete=complete,
        environment=environment,
    )


def _findings(records: Sequence[RunRecord]) -> tuple[Finding, ...]:
    """Of the runs that go by blocks. Under stress trouble is what is looked for, and told there."""
    by_blocks = [record for record in records if record.plan.scenario != Scenario.STRESS]
    return tuple(finding for finding in of_runs(by_blocks) if finding.severity is not Severity.INFO)
