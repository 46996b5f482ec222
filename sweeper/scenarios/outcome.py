"""What a comparison of two servers shows by now, made from its records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeper.answers import Interval
from sweeper.findings.study import of_runs
from sweeper.records import Finding, RunRecord, Severity
from sweeper.scenarios.cells import FIGURES, Cell, cells, ratio
from sweeper.scenarios.expectations import Hypothesis, hypotheses
from sweeper.scenarios.stress import Stressed, stressed
from sweeper.scenarios.terms import Scenario, Terms


@dataclass(frozen=True, slots=True)
class Load:
    """One load, both servers under it. `ratios` of figures are first server ÷ second, in the blocks where
    both have a valid run, each at the study's confidence by itself."""

    scenario: Scenario
    users: int
    cells: tuple[Cell, ...]
    ratios: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`blocks` of each scenario that goes by blocks, `stress` one for each server."""

    study: str
    terms: Terms
    loads: tuple[Load, ...]
    stress: tuple[Stressed, ...]
    hypotheses: tuple[Hypothesis, ...]
    blocks: Mapping[Scenario, int]
    findings: tuple[Finding, ...]
    elapsed_s: float
    complete: bool
    environment: Mapping[str, object]


def outcome(
    study: str,
    terms: Terms,
    records: Sequence[RunRecord],
    environment: Mapping[str, object],
    *,
    complete: bool,
) -> Outcome:
    by_load: dict[tuple[Scenario, int], list[Cell]] = {}
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
                    for name in FIGURES
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
