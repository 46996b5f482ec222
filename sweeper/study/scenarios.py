"""Two servers compared: the scenarios one after another, each in blocks (or steps) of fresh-server runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

from sweeper.analysis.scenarios.expectations import settled
from sweeper.analysis.scenarios.outcome import Outcome, outcome
from sweeper.analysis.scenarios.stress import expected_latency_s, stress_step
from sweeper.records.finding import FindingCode
from sweeper.records.run import Case, RunPlan, RunRecord
from sweeper.records.scenarios import Scenario, ServerKind, Terms, Workload
from sweeper.run.interfaces import Parts, RunStore
from sweeper.run.timing import RunSettings
from sweeper.study.block_order import scenario_block
from sweeper.study.observer import Observer, Progress
from sweeper.study.sharing import Host
from sweeper.study.study import make_runs
from sweeper.study.study_state import mean_elapsed_s

LONGEST_WARMUP_S = 120.0


@dataclass(frozen=True, slots=True)
class ScenarioPlan:
    """What a comparison of two servers will do, fixed before its first run."""

    name: str
    terms: Terms
    run: RunSettings  # how each run is made, but for what a scenario makes of it (`settings_of`)
    fingerprint: str  # of `environment`
    environment: dict[str, object]  # as in environment.json


class ScenarioObserver(Observer, Protocol):
    def scenario_look(self, scenario: Scenario, block: int, so_far: Outcome) -> None:
        """After a block that was planned to be looked at, or a step of the stress."""


def settings_of(plan: ScenarioPlan, scenario: Scenario) -> RunSettings:
    """The runs take turns only with concurrent users on a model that computes. A single user would meet a
    server that has just woken up in each turn. Under stress, the kernel's own clocks go on while sweeper
    stops a server. And a server that waits for another one goes on waiting while it is stopped."""
    unnoticed = scenario is Scenario.CONCURRENT and plan.terms.workload is Workload.CPU
    return replace(plan.run, interleave=plan.run.interleave and unnoticed)


def run_scenarios(plan: ScenarioPlan, parts: Parts, store: RunStore, observer: ScenarioObserver) -> Outcome:
    """Run from wherever the records end to the end; a recorded run is never made again. Interrupts pass
    through: the runs being made are lost, everything before them is kept."""
    records = list(store.records())
    for scenario in plan.terms.scenarios:
        own = [record for record in records if record.plan.scenario == scenario]
        while (due := _due(plan, scenario, own)) is not None:
            block, runs = due
            for part, settings in _parts_of(plan, scenario, runs, own):
                progress = _progress(plan, scenario, settings, own, block, len(runs))
                host = Host("", settings, plan.fingerprint)
                with closing(make_runs(part, own, progress, host, parts, store, observer)) as made:
                    for record in made:
                        own.append(record)
                        records.append(record)
            if scenario is Scenario.STRESS or block in plan.terms.looks:
                observer.scenario_look(scenario, block, outcome_so_far(plan, records))
    return outcome_so_far(plan, records)


def outcome_so_far(plan: ScenarioPlan, records: Sequence[RunRecord]) -> Outcome:
    """What the records show, without running anything."""
    complete = all(
        _due(plan, scenario, [record for record in records if record.plan.scenario == scenario]) is None
        for scenario in plan.terms.scenarios
    )
    return outcome(plan.name, plan.terms, records, plan.environment, complete=complete)


def _due(
    plan: ScenarioPlan, scenario: Scenario, own: Sequence[RunRecord]
) -> tuple[int, tuple[RunPlan, ...]] | None:
    """The first block or step that is not recorded whole, and its runs that are missing; None at the end."""
    done = {record.plan.run_id for record in own}
    block = 0
    while True:
        block += 1
        runs = _runs(plan, scenario, own, block)
        missing = tuple(run for run in runs if run.run_id not in done)
        if missing:
            return block, missing
        if not runs:
            return None


def _runs(
    plan: ScenarioPlan, scenario: Scenario, own: Sequence[RunRecord], block: int
) -> tuple[RunPlan, ...]:
    """Those of a block or step, by the records of the ones before; none at the end."""
    if scenario is Scenario.STRESS:
        return stress_step(plan.terms, own, block)
    if _will_not_start(plan.terms, own):
        return ()
    looks = plan.terms.looks
    for look in looks:
        if look < block and (look == looks[-1] or settled(scenario, _up_to(own, look), plan.terms)):
            return ()
    return scenario_block(plan.terms, scenario, block)


def _will_not_start(terms: Terms, own: Sequence[RunRecord]) -> bool:
    """A server that did not start twice, and never did, will not: there is nothing to compare it by."""
    for server in terms.servers:
        runs = [record for record in own if record.plan.case and record.plan.case.server == server]
        if len(runs) > 1 and all(_did_not_start(record) for record in runs):
            return True
    return False


def _did_not_start(record: RunRecord) -> bool:
    return record.has(FindingCode.SERVER_DID_NOT_START)


def _up_to(records: Sequence[RunRecord], block: int) -> list[RunRecord]:
    return [record for record in records if record.plan.block <= block]


def _parts_of(
    plan: ScenarioPlan, scenario: Scenario, runs: Sequence[RunPlan], own: Sequence[RunRecord]
) -> list[tuple[list[RunPlan], RunSettings]]:
    """Runs with the settings they are made by: under stress each has its own, for a load under which a
    request takes long has to stand as long before it shows."""
    settings = settings_of(plan, scenario)
    if scenario is not Scenario.STRESS:
        return [(list(runs), settings)]
    return [([run], _patient(settings, run.case, own)) for run in runs if run.case is not None]


def _patient(settings: RunSettings, case: Case, own: Sequence[RunRecord]) -> RunSettings:
    latency_s = expected_latency_s(ServerKind(case.server), case.users, own)
    warmup_s = min(1.2 * latency_s + settings.warmup_s, LONGEST_WARMUP_S)
    return replace(
        settings,
        warmup_s=warmup_s,
        warmup_cap_s=max(settings.warmup_cap_s, 1.5 * warmup_s),
        window_s=max(settings.window_s, min(latency_s, LONGEST_WARMUP_S)),
        drain_s=max(settings.drain_s, min(1.5 * latency_s, LONGEST_WARMUP_S)),
    )


def _progress(
    plan: ScenarioPlan,
    scenario: Scenario,
    settings: RunSettings,
    own: Sequence[RunRecord],
    block: int,
    missing: int,
) -> Progress:
    """The number of steps that a stress still needs is unknown."""
    run_s = mean_elapsed_s(own, settings)
    if scenario is Scenario.STRESS:
        return Progress(len(own), missing, f"the end of step {block}", run_s)
    look = next(after for after in plan.terms.looks if after >= block)
    more = (look - block) * len(scenario_block(plan.terms, scenario, block))
    return Progress(len(own), missing + more, f"the look after block {look} ({scenario})", run_s)
