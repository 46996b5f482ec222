"""Two servers compared: the scenarios one after another, each in blocks (or steps) of fresh-server runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

from sweeper.interfaces import RunStore
from sweeper.records import Case, RunPlan, RunRecord
from sweeper.scenarios.expectations import settled
from sweeper.scenarios.outcome import Outcome, outcome
from sweeper.scenarios.stress import expected_latency_s, stress_step
from sweeper.scenarios.terms import Scenario, ServerKind, Terms, Workload
from sweeper.search.scenario_plan import scenario_block
from sweeper.study import Observer, Progress, make_runs
from sweeper.under_load import Parts, RunSettings

LONGEST_WARMUP_S = 120.0


@dataclass(frozen=True, slots=True)
class ScenarioPlan:
    """`run` is how each run is made, but for what a scenario makes of it (`settings_of`)."""

    name: str
    terms: Terms
    run: RunSettings
    fingerprint: str
    environment: dict[str, object]


class ScenarioObserver(Observer, Protocol):
    def scenario_look(self, scenario: Scenario, block: int, so_far: Outcome) -> None:
        """After a block that was planned to be looked at, or a step of the stress."""


def settings_of(plan: ScenarioPlan, scenario: Scenario) -> RunSettings:
    """Turns only for many users on a model that computes. One user would wait for a server that has just
    been woken up in each turn; a server under stress has the kernel's own clocks against it; and one that
    waits for others would be waited for while it stands still."""
    turns = scenario is Scenario.CONCURRENT and plan.terms.workload is Workload.CPU
    return replace(plan.run, interleave=plan.run.interleave and turns)


def run_scenarios(plan: ScenarioPlan, parts: Parts, store: RunStore, observer: ScenarioObserver) -> Outcome:
    """Run from wherever the records end to the end; a recorded run is never made again. Interrupts pass
    through: the runs under way are lost, everything before them is kept."""
    records = list(store.records())
    for scenario in plan.terms.scenarios:
        own = [record for record in records if record.plan.scenario == scenario]
        while (due := _due(plan, scenario, own)) is not None:
            block, runs = due
            for part, settings in _parts_of(plan, scenario, runs, own):
                progress = _progress(plan, scenario, settings, own, block, len(runs))
                made = make_runs(part, settings, own, progress, plan.fingerprint, parts, store, observer)
                with closing(made):
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
    return any(finding.code == "server-did-not-start" for finding in record.findings)


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
    """Of a stress nobody knows how many steps are left."""
    times = [record.elapsed_s for record in own]
    run_s = sum(times) / len(times) if times else settings.expected_s
    if scenario is Scenario.STRESS:
        return Progress(len(own), missing, f"the end of step {block}", run_s)
    look = next(after for after in plan.terms.looks if after >= block)
    more = (look - block) * len(scenario_block(plan.terms, scenario, block))
    return Progress(len(own), missing + more, f"the look after block {look} ({scenario})", run_s)
