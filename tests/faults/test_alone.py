"""Each code is tripped by its own fault and by no other, on a simulated clock and so to the letter.

The run and the study are the real ones (`run_side_by_side`, `run_study`); server, load and /proc are those of
tests/support/fakes/, since only there nothing else can happen on the machine. test_real.py injects for real.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from sweeper.checks.run_checks import verdict
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Effect, Finding, FindingCode, Severity, Verdict
from sweeper.records.run import RunPlan
from sweeper.run.timing import RunSettings
from sweeper.run.turns import run_side_by_side
from sweeper.statistics.criteria import Rule
from sweeper.study.study import run_study
from sweeper.study.study_state import StudyPlan, answer_so_far
from tests.support.builders import configurations
from tests.support.fakes import Behaviour, MemoryStore, Watching, World, world_of
from tests.support.faults import RUN_FAULTS, STUDY_FAULTS, Fault
from tests.support.one_run import execute_run


def check_message(found: Finding, do: str) -> None:
    """One sentence for a person, with its evidence and what to do about it."""
    assert do in found.message, found.message
    assert len(found.message) > 60
    assert not {"None", "nan", "inf"} & set(found.message.split())
    assert "\n" not in found.message
    assert not found.message.endswith(".")
    assert found.evidence
    assert all(
        value is None or isinstance(value, bool | int | float | str) for value in found.evidence.values()
    )


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        pytest.param(code, fault, id=f"{code}-{number}")
        for code, faults in RUN_FAULTS.items()
        for number, fault in enumerate(faults, start=1)
    ],
)
def test_a_fault_trips_its_code_and_no_other(code: str, fault: Fault) -> None:
    world = world_of(fault.behaviour, **fault.world)
    plan = RunPlan("b01-01-w4", 1, 1, Configuration(fault.workers), arrivals_per_s=fault.arrivals_per_s)
    other = RunPlan("b01-02-w2", 1, 2, Configuration(2))
    plans = [plan, other] if fault.beside_another else [plan]
    results = list(run_side_by_side(plans, fault.settings, world.parts(), Path, lambda *state: None))
    record = next(result.record for result in results if result.record.plan is plan)
    assert {finding.code for finding in record.findings} == {code} | fault.follows
    check_message(next(finding for finding in record.findings if finding.code == code), fault.do)
    assert record.verdict is verdict(record.findings)
    effects = {FindingCode(f.code).effect for f in record.findings if f.severity is not Severity.INFO}
    expected = (
        Verdict.FAILED
        if Effect.FAILING in effects
        else Verdict.SUSPECT
        if Effect.SUSPECT in effects
        else Verdict.VALID
    )
    assert record.verdict is expected
    assert (record.figures is None) == (expected is Verdict.FAILED)


@pytest.mark.parametrize("workers", [1, 4, 32])
def test_no_fault_trips_nothing(workers: int) -> None:
    plan = RunPlan("b01-01", 1, 1, Configuration(workers))
    assert execute_run(plan, RunSettings(), world_of(Behaviour()).parts(), Path("x")).record.findings == ()


# --- what only the runs together show -------------------------------------------------------------------


@pytest.mark.parametrize("code", STUDY_FAULTS)
def test_a_fault_of_the_study_trips_its_code_and_no_other(code: str) -> None:
    fault = STUDY_FAULTS[code]
    settings = RunSettings(cores_shared=fault.cores_shared)
    plan = StudyPlan(
        "study", configurations(*fault.workers), Rule(), 0, Configuration(4), settings, "abc", {},
        not_confirmed=fault.not_confirmed,
    )  # fmt: skip
    store = MemoryStore()
    run_study(plan, World(fault.script).parts(), store, Watching())
    made = [
        dataclasses.replace(record, host=fault.hosts[record.plan.block % len(fault.hosts)])
        for record in store.saved
    ]
    answer = answer_so_far(plan, made)
    assert [finding.code for finding in answer.findings] == [code]
    check_message(answer.findings[0], fault.do)
    assert answer.findings[0].severity is not Severity.ERROR
