"""The runs of a block side by side, on fakes: who runs when, and that nobody notices."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from sweeper.records.configuration import Configuration
from sweeper.records.finding import FindingCode, Severity, Verdict
from sweeper.records.run import RunPlan, RunRecord
from sweeper.run.timing import RunSettings
from sweeper.run.turns import run_side_by_side
from sweeper.run.under_load import RunState
from tests.support.fakes import Behaviour, World, world_of
from tests.support.fakes.telemetry import PERIODS
from tests.support.one_run import execute_run

SETTINGS = RunSettings()
ALONE = dataclasses.replace(SETTINGS, interleave=False)
PLANS = tuple(
    RunPlan(f"b01-{position:02d}-w{workers}", 1, position, Configuration(workers))
    for position, workers in enumerate((4, 8, 16), start=1)
)


def made(
    world: World, settings: RunSettings = SETTINGS, plans: tuple[RunPlan, ...] = PLANS
) -> list[RunRecord]:
    results = run_side_by_side(plans, settings, world.parts(), Path, lambda plan, state, elapsed_s: None)
    records = [result.record for result in results]
    assert world.left_running == []
    assert all(server.stops == 1 for server in world.servers)
    return sorted(records, key=lambda record: record.plan.position)


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(),
        Behaviour(error_share=0.05),
        Behaviour(steal=0.1),
        Behaviour(other_cpu_cores=0.9),
        Behaviour(throttled_per_s=3.0),
        Behaviour(pause=(8.0, 9.5)),
        Behaviour(hangs=2),
        Behaviour(late_ms=200.0),
        Behaviour(miscount=500),
        Behaviour(leaks_per_s=4.0),
    ],
)
def test_a_run_in_turns_is_the_run_by_itself(behaviour: Behaviour) -> None:
    """The same findings, and all but the same figures: two milliseconds a turn are the client's alone."""
    together = made(world_of(behaviour))
    for record in together:
        by_itself = execute_run(
            record.plan, SETTINGS, world_of(behaviour).parts(), Path(record.plan.run_id)
        ).record
        assert [f.code for f in record.findings] == [f.code for f in by_itself.findings]
        assert record.verdict is by_itself.verdict
        if record.figures is None or by_itself.figures is None:
            assert record.figures is by_itself.figures is None
            continue
        figures, alone = record.figures, by_itself.figures
        assert figures.rps == pytest.approx(alone.rps, rel=0.03)
        assert figures.latency.p99_ms == pytest.approx(alone.latency.p99_ms, rel=0.1)
        assert figures.mean_in_flight == pytest.approx(alone.mean_in_flight, rel=0.02)
        assert figures.cpu_ms_per_request == pytest.approx(alone.cpu_ms_per_request, rel=0.02)
        assert figures.other_cpu_cores == pytest.approx(alone.other_cpu_cores, abs=0.03)
        assert figures.host_steal_share == pytest.approx(alone.host_steal_share, abs=0.005)
        assert figures.host_switches_per_s == pytest.approx(alone.host_switches_per_s, rel=0.02)
        assert figures.client_late_p99_ms == pytest.approx(alone.client_late_p99_ms, rel=0.1)
        assert record.elapsed_s == pytest.approx(by_itself.elapsed_s, abs=5.0)


def test_one_runs_at_a_time_and_all_of_them_in_every_second() -> None:
    """FakeLauncher refuses to start a server beside one that runs."""
    world = world_of(Behaviour())
    turns: list[str] = []

    def watch(plan: RunPlan, state: RunState, elapsed_s: float) -> None:
        if state is RunState.MEASURING:
            turns.append(plan.run_id)

    for _ in run_side_by_side(PLANS, SETTINGS, world.parts(), Path, watch):
        assert all(server.frozen or server.stops for server in world.servers)
    rounds = [tuple(turns[i : i + 3]) for i in range(0, len(turns), 3)]
    assert len(rounds) >= 10
    assert {frozenset(seen) for seen in rounds} == {frozenset(plan.run_id for plan in PLANS)}
    assert len(set(rounds)) > 1, "the order changes"


def test_not_interleaved_they_are_made_one_after_another() -> None:
    world = world_of(Behaviour())
    made(world, ALONE)
    assert "freeze" not in world.steps
    assert [name for name in world.steps if name in ("launch", "stop")] == ["launch", "stop"] * 3


def test_a_run_by_itself_is_never_put_aside() -> None:
    world = world_of(Behaviour())
    made(world, plans=PLANS[:1])
    assert "freeze" not in world.steps


def test_who_cannot_be_stopped_takes_no_turns() -> None:
    world = world_of(Behaviour(stands_still=False))
    records = made(world)
    assert "freeze" not in world.steps
    assert [name for name in world.steps if name in ("launch", "stop")] == ["launch", "stop"] * 3
    assert all([finding.code for finding in record.findings] == ["no-turns"] for record in records)
    assert {record.verdict for record in records} == {Verdict.VALID}
    assert made(world_of(Behaviour(stands_still=False)), ALONE)[0].findings == ()


def test_where_memory_is_short_the_block_is_made_in_parts() -> None:
    """A fake server needs 200 MB; each may come to need twice that."""
    for available, most in ((500_000_000, 1), (700_000_000, 2), (900_000_000, 3), (None, 3)):
        world = world_of(Behaviour(), available_bytes=available)
        assert len(made(world)) == 3
        alive = highest = 0
        for name in world.steps:
            alive += {"launch": 1, "stop": -1}.get(name, 0)
            highest = max(highest, alive)
        assert highest == most


def test_one_that_fails_takes_no_other_with_it() -> None:
    for fault in (Behaviour(dies_at_start=True), Behaviour(dies_after_s=6.0), Behaviour(pool="fixed")):
        world = World(lambda c, block, run_id, fault=fault: fault if c.workers == 8 else Behaviour())
        verdicts = [record.verdict for record in made(world)]
        assert verdicts == [Verdict.VALID, Verdict.FAILED, Verdict.VALID]


def test_their_windows_are_the_same_seconds_those_of_the_last_one_to_be_steady() -> None:
    slow = Behaviour(ramp_share=0.9, ramp_s=3.0)
    alone = execute_run(PLANS[1], SETTINGS, world_of(slow).parts(), Path("x")).record
    records = made(World(lambda c, block, run_id: slow if c.workers == 8 else Behaviour()))
    warmups_s = [record.figures.warmup_s for record in records if record.figures]
    assert alone.figures is not None
    assert alone.figures.warmup_s > 5.0
    assert warmups_s == pytest.approx([max(warmups_s)] * 3, abs=0.1)
    assert min(warmups_s) > alone.figures.warmup_s - 2.0
    assert [record.verdict for record in records] == [Verdict.VALID] * 3


def test_one_that_is_never_steady_holds_up_the_others_to_the_cap_and_is_alone_suspect() -> None:
    drifts = Behaviour(rps=60, trend_per_s=0.06)
    records = made(World(lambda c, block, run_id: drifts if c.workers == 8 else Behaviour()))
    assert [record.verdict for record in records] == [Verdict.VALID, Verdict.SUSPECT, Verdict.VALID]
    assert {round(record.figures.warmup_s) for record in records if record.figures} == {20}


SLOWER = Behaviour(wobble=0.06, step=(45.0, 0.75))  # within its window
LATER = RunSettings(warmup_s=40.0, warmup_cap_s=40.0)


def test_a_host_that_changes_its_speed_for_all_makes_no_run_suspect() -> None:
    records = made(world_of(SLOWER), LATER)
    assert [record.verdict for record in records] == [Verdict.VALID] * 3
    drifts = [f for record in records for f in record.findings if f.code == FindingCode.DRIFT]
    assert [f.severity for f in drifts] == [Severity.INFO] * 3
    for finding in drifts:
        change, of_others = finding.evidence["change"], finding.evidence["change_of_others"]
        assert isinstance(change, float) and isinstance(of_others, float)
        assert of_others < change < -0.03


def test_one_whose_server_alone_changes_its_speed_is_suspect() -> None:
    records = made(World(lambda c, block, run_id: SLOWER if c.workers == 8 else Behaviour()), LATER)
    assert [record.verdict for record in records] == [Verdict.VALID, Verdict.SUSPECT, Verdict.VALID]
    assert [f.code for f in records[1].findings] == [FindingCode.DRIFT]


def test_without_turns_or_with_one_other_run_nobody_can_tell_whose_change_it_is() -> None:
    assert {
        record.verdict for record in made(world_of(SLOWER), dataclasses.replace(LATER, interleave=False))
    } == {Verdict.SUSPECT}
    assert {record.verdict for record in made(world_of(SLOWER), LATER, PLANS[:2])} == {Verdict.SUSPECT}


def test_an_interrupt_at_any_step_leaves_nothing_running() -> None:
    whole = world_of(Behaviour())
    made(whole)
    for step in [*range(1, 60), *range(60, len(whole.steps) + 1, 7)]:
        world = world_of(Behaviour(), interrupt_at=step)
        with pytest.raises(KeyboardInterrupt):
            made(world)
        assert all(server.stops == 1 for server in world.servers), step
        assert all(session.kills == 1 for session in world.sessions), step


def test_who_stops_asking_leaves_nothing_running() -> None:
    world = world_of(Behaviour())
    results = run_side_by_side(PLANS, SETTINGS, world.parts(), Path, lambda plan, state, elapsed_s: None)
    next(results)
    assert world.left_running != []
    results.close()
    assert world.left_running == []


def test_the_time_spent_on_a_run_is_its_own() -> None:
    world = world_of(Behaviour())
    began_s = world.clock.now_s
    states: list[tuple[RunState, float]] = []
    results = run_side_by_side(
        PLANS, SETTINGS, world.parts(), Path, lambda plan, state, elapsed_s: states.append((state, elapsed_s))
    )
    spent_s = sum(result.record.elapsed_s for result in results)
    assert spent_s == pytest.approx(world.clock.now_s - began_s, rel=0.02)
    assert max(elapsed_s for _, elapsed_s in states) < spent_s / 2


def test_under_a_quota_each_turn_is_a_whole_number_of_its_periods() -> None:
    """A server that stood still has its whole quota, and has it once more when the next period begins:
    whoever goes on in the middle of one gets more than its share. All go on as one begins, and stop as one
    ends."""
    world = world_of(Behaviour(quota_cores=1.0))
    records = made(world)
    assert [record.verdict for record in records] == [Verdict.VALID] * 3
    for server in world.servers:
        turns = [(a, min(b for b in server.frozen_s if b > a)) for a in server.thawed_s[1:-2]]
        assert len(turns) >= 10
        for begins_s, ends_s in turns:
            after_s = (begins_s - PERIODS.start_s) % PERIODS.length_s
            before_s = (PERIODS.start_s - ends_s) % PERIODS.length_s
            assert after_s < 0.005, (begins_s, after_s)
            assert before_s < 0.005, (ends_s, before_s)
