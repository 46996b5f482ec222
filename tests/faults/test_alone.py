"""Each code is tripped by its own fault and by no other, on a simulated clock and so to the letter.

The run and the study are the real ones (`run_side_by_side`, `run_study`); server, load and /proc are those of
tests/fakes.py, since only there nothing else can happen on the machine. test_real.py injects for real.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sweeper.course import StudyPlan, answer_so_far
from sweeper.findings import FAILING, SUSPICIOUS, verdict
from sweeper.observations import FirstAnswer, UserEvents
from sweeper.records import Configuration, Finding, RunPlan, Severity, Verdict
from sweeper.statistics.decision import Rule
from sweeper.study import run_study
from sweeper.turns import run_side_by_side
from sweeper.under_load import RunSettings
from tests.builders import configurations
from tests.fakes import Behaviour, MemoryStore, Script, Watching, World, noisy, world_of
from tests.one_run import execute_run

SETTINGS = RunSettings()


@dataclass(frozen=True)
class Fault:
    """What goes wrong in a run, what its message tells a person to do, and the codes that follow from it
    by definition."""

    behaviour: Behaviour
    do: str
    world: dict[str, Any] = field(default_factory=dict)
    settings: RunSettings = SETTINGS
    workers: int = 4
    follows: frozenset[str] = frozenset()
    arrivals_per_s: float | None = None
    beside_another: bool = False


REFUSED = FirstAnswer(422, "status 422 (ERROR: Samples should be provided)", 60, None, 100)
LATE = FirstAnswer(None, "no whole answer within 30 s")
GARBAGE = FirstAnswer(200, "status 200 (hello)", 2000, None, 100)
HALF = FirstAnswer(200, "status 200", 2000, 50, 100)

RUN_FAULTS: dict[str, list[Fault]] = {
    "accounting": [
        Fault(Behaviour(miscount=500), "stop it"),
        Fault(Behaviour(miscount=-500), "where predictions are made"),
        Fault(Behaviour(torn_records=1), "free space"),
    ],
    "answers-unverified": [
        Fault(Behaviour(answer=GARBAGE), "--locustfile"),
        Fault(Behaviour(answer=HALF), "--locustfile"),
    ],
    "censored-tail": [Fault(Behaviour(hangs=1), "--drain")],
    "client-saturated": [
        Fault(Behaviour(client_cpu_ms=7.0), "fewer users"),
        Fault(Behaviour(lag_ms=50.0), "--load-cpus"),
    ],
    # The speed changes in the middle of the window, less than MSER-5 needs to call it a warm-up.
    "drift": [
        Fault(
            Behaviour(wobble=0.06, step=(45.0, 0.75)),
            "run again",
            settings=RunSettings(warmup_s=40.0, warmup_cap_s=40.0),
        )
    ],
    "errors": [Fault(Behaviour(error_share=0.05), "server.log")],
    # More arrive at random than the server can answer: speed is steady, only the queue grows.
    "falling-behind": [
        Fault(
            Behaviour(rps=80.0),
            "fewer requests",
            arrivals_per_s=110.0,
            follows=frozenset({"no-steady-state"}),
        )
    ],
    "littles-law": [Fault(Behaviour(), "load.log", world={"waits_longer_s": 0.1})],
    "load-died": [
        Fault(Behaviour(), "load.log", world={"load_fails": fails})
        for fails in ("cannot start", "never starts", "dies", "unreadable")
    ],
    "no-predictions": [
        Fault(Behaviour(answer=REFUSED), "--data"),
        Fault(Behaviour(answer=LATE), "server.log"),
    ],
    "no-requests": [Fault(Behaviour(rps=1.0), "server.log")],
    "no-steady-state": [Fault(Behaviour(rps=60, trend_per_s=0.06), "--warmup-cap")],
    # The simulated users do not wait any longer for it, so that fewer are in flight than there should be.
    "outside-waits": [
        Fault(
            Behaviour(waits_outside=True),
            "--no-interleave",
            beside_another=True,
            follows=frozenset({"littles-law"}),
        )
    ],
    # Of a locust file's requests none is a prediction: the server's count stands still.
    "pool-not-used": [Fault(Behaviour(pool="passed-by"), "send predictions", world={"think_s": None})],
    "pool-size-not-applied": [
        Fault(Behaviour(pool="fixed"), "make the server read", workers=8),
        Fault(Behaviour(pool="lying"), "make the server read", workers=8),
    ],
    "pool-size-unverified": [
        Fault(Behaviour(pool="absent"), "let /stats/ report"),
        Fault(Behaviour(pool="half-silent"), "let /stats/ report"),
    ],
    "pressure": [Fault(Behaviour(other_cpu_cores=0.5), "stop them")],
    "requests-elsewhere": [
        Fault(
            Behaviour(events=UserEvents(elsewhere=100, first_elsewhere="http://x:1/")),
            "give the client paths",
        ),
        Fault(
            Behaviour(events=UserEvents(elsewhere=1, first_elsewhere="http://x:1/")), "give the client paths"
        ),
    ],
    "server-did-not-start": [
        Fault(Behaviour(dies_at_start=True), "server.log"),
        Fault(Behaviour(ready_after_s=500.0), "server.log"),
    ],
    "server-died": [
        Fault(Behaviour(dies_after_s=0.0), "server.log"),
        Fault(Behaviour(dies_after_s=2.0), "server.log"),
        Fault(Behaviour(dies_after_s=9.0), "server.log"),
    ],
    "short-answers": [Fault(Behaviour(short_share=0.03), "error status")],
    "stalled": [Fault(Behaviour(pause=(8.0, 9.4)), "garbage collection")],
    "steal": [Fault(Behaviour(steal=0.05), "run again")],
    "task-crashed": [
        Fault(Behaviour(events=UserEvents(crashes=100, first_crash="KeyError: 'a'")), "load.log"),
        Fault(Behaviour(events=UserEvents(crashes=1, first_crash="KeyError: 'a'")), "load.log"),
    ],
    "thread-leak": [Fault(Behaviour(leaks_per_s=1.0), "look in the model's code")],
    "throttled": [Fault(Behaviour(throttled_per_s=1.0), "raise the quota")],
    "user-limited": [Fault(Behaviour(), "--users", workers=200)],
    "users-ended": [Fault(Behaviour(events=UserEvents(ended=3)), "load.log")],
}


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
    codes = {f.code for f in record.findings if f.severity is not Severity.INFO}
    expected = Verdict.FAILED if codes & FAILING else Verdict.SUSPECT if codes & SUSPICIOUS else Verdict.VALID
    assert record.verdict is expected
    assert (record.figures is None) == (expected is Verdict.FAILED)


@pytest.mark.parametrize("workers", [1, 4, 32])
def test_no_fault_trips_nothing(workers: int) -> None:
    plan = RunPlan("b01-01", 1, 1, Configuration(workers))
    assert execute_run(plan, RunSettings(), world_of(Behaviour()).parts(), Path("x")).record.findings == ()


# --- what only the runs together show -------------------------------------------------------------------


def one_of_a_pair_is_slow(configuration: Configuration, block: int, run_id: str) -> Behaviour:
    """The second block's run in place 5, one of two with 4 workers under the study's seed."""
    speeds = noisy({1: 100.0, 2: 100.0, 4: 100.0, 8: 100.0, 16: 100.0}, noise=0.04)
    behaviour = speeds(configuration, block, run_id)
    return Behaviour(rps=behaviour.rps * 0.7) if run_id == "b02-05-w4" else behaviour


def by_workers(behaviours: dict[int, Behaviour]) -> Script:
    return lambda configuration, block, run_id: behaviours[configuration.workers]


@dataclass(frozen=True)
class StudyFault:
    script: Script
    workers: tuple[int, ...]
    do: str
    cores_shared: bool = False
    not_confirmed: str = ""
    follows: frozenset[str] = frozenset()
    hosts: tuple[str, ...] = ("",)  # which make the blocks in turn


STUDY_FAULTS: dict[str, StudyFault] = {
    "gil-bound": StudyFault(
        by_workers(
            {
                1: Behaviour(rps=100.0, cpu_ms=7.0, voluntary=5.0),
                4: Behaviour(rps=140.0, cpu_ms=7.0, voluntary=10.0),
                32: Behaviour(rps=100.0, cpu_ms=10.0, voluntary=60.0),
            }
        ),
        (1, 4, 32),
        "fewer workers",
    ),
    "not-confirmed": StudyFault(
        noisy({1: 80.0, 4: 140.0}),
        (1, 4),
        "leave out --locustfile",
        not_confirmed="a --locustfile of your own decides when requests are sent; leave out --locustfile",
    ),
    "oversubscribed": StudyFault(
        by_workers({w: Behaviour(rps=140.0, run_delay_ms=w * 0.25) for w in (1, 4, 32)}),
        (1, 4, 32),
        "use fewer",
    ),
    "sentinel": StudyFault(one_of_a_pair_is_slow, (1, 2, 4, 8, 16), "run again"),
    "several-hosts": StudyFault(
        noisy({1: 80.0, 4: 140.0}), (1, 4), "compare the values with each other", hosts=("a", "b")
    ),
    "shared-cores": StudyFault(
        by_workers({1: Behaviour(rps=80.0), 4: Behaviour(rps=140.0)}), (1, 4), "compare", cores_shared=True
    ),
}


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
