"""Studies on several hosts, on fakes: whatever the order, nothing is doubled and one answer follows."""

from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.records.answer import Recommendation, Status
from sweeper.records.claims import Claim
from sweeper.records.run import RunKind, RunRecord
from sweeper.statistics.criteria import Rule
from sweeper.study.study import run_shared_study
from sweeper.study.study_state import StudyPlan, answer_so_far, next_claim, study_state_of
from tests.support.fakes import Behaviour, MemoryStore, Script, Watching, World, noisy
from tests.support.shared_fakes import MemorySharedStore, Table
from tests.support.shared_studies import SPEED, host, recorded
from tests.support.studies import PEAK, PLATEAU, planned, studied


def take_part(
    script: Script, table: Table, plan: StudyPlan | None = None, name: str = "a", **hooks: object
) -> tuple[Recommendation, Watching, World]:
    world, watching, store = World(script), Watching(), MemorySharedStore(table, name)
    for hook, function in hooks.items():
        setattr(store, hook, function)
    answer = run_shared_study(plan or planned(), host(name), world.parts(), store, watching)
    assert world.left_running == []
    return answer, watching, world


def without_host(answer: Recommendation) -> Recommendation:
    return dataclasses.replace(answer, elapsed_s=0.0)


@pytest.mark.parametrize("figures_of", [PEAK, PLATEAU], ids=["peak", "plateau"])
def test_one_host_alone_makes_the_same_runs_and_gives_the_same_answer(figures_of: dict[int, float]) -> None:
    script = noisy(figures_of, noise=0.02, block_drift=0.1)
    alone, store, seen_alone, _ = studied(script)
    table = Table()
    together, seen, _ = take_part(script, table)
    assert [r.plan for r in table.records] == [r.plan for r in store.saved]
    assert {(r.host, r.fingerprint) for r in table.records} == {("a", "fingerprint of a")}
    assert without_host(together) == without_host(alone)
    assert [block for block, _ in seen.blocks] == [block for block, _ in seen_alone.blocks]
    assert seen.dropped == seen_alone.dropped
    assert seen.waits == []


def test_a_host_that_comes_when_all_is_done_runs_nothing() -> None:
    table = Table()
    first, _, _ = take_part(noisy(PEAK), table)
    made = list(table.records)
    second, watching, world = take_part(noisy(PEAK), table, name="b")
    assert (second, table.records, world.servers, watching.finished) == (first, made, [], [])


def test_one_host_confirms_for_all_at_its_own_rate() -> None:
    plan = dataclasses.replace(planned(), confirm=True)
    table = Table()
    answer, watching, _ = take_part(noisy(PEAK), table, plan)
    confirming = [r for r in table.records if r.plan.arrivals_per_s is not None]
    assert [r.plan.run_id for r in confirming] == ["c01-01-w8", "c01-02-w4", "c02-01-w4", "c02-02-w8"]
    assert answer.confirmation is not None
    assert [claim.kind for claim in table.claims] == [RunKind.BLOCK] * 3 + [RunKind.OPEN_LOOP]
    assert watching.progress[-1].until == "the end"
    again, _, _ = take_part(noisy(PEAK), table, plan, name="b")
    assert again == answer


def test_an_interrupted_host_goes_on_with_what_is_missing_of_its_claim() -> None:
    table = Table()

    def stop_at_the_fourth(record: RunRecord) -> None:
        if len(table.records) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take_part(noisy(PEAK), table, before_save=stop_at_the_fourth)
    kept = list(table.records)
    assert len(kept) == 3
    table.silent.add("a")  # it was away for long, but nobody took over
    answer, _, _ = take_part(noisy(PEAK), table)
    assert table.records[:3] == kept
    assert {claim.attempt for claim in table.claims} == {0}
    assert answer.workers == 8


def test_a_lost_hosts_block_is_made_again_as_a_whole_and_its_runs_stay() -> None:
    table = Table()

    def die(record: RunRecord) -> None:
        if len(table.records) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take_part(noisy(PEAK), table, before_save=die)
    table.silent.add("a")
    answer, _, _ = take_part(noisy(PEAK), table, name="b")
    first = [r for r in table.records if r.plan.block == 1]
    assert [(r.host, r.plan.attempt) for r in first] == [("a", 0)] * 2 + [("b", 1)] * 6
    assert all(r.plan.run_id.startswith("b01a1-") for r in first[2:])
    assert (answer.status, answer.workers) == (Status.RECOMMENDED, 8)
    assert {c.configuration.workers: c.runs for c in answer.candidates}[8] in (3, 4)
    assert [f.code for f in answer.findings] == ["several-hosts"]


def test_a_host_that_was_taken_for_lost_keeps_quiet_and_goes_on_elsewhere() -> None:
    """Its late runs are not recorded: what was decided without them must not change."""
    table = Table()

    def fall_asleep(record: RunRecord) -> None:
        if len(table.records) == 2:
            table.silent.add("a")
            table.take("b", lambda seen: next_claim(planned(), "b", seen))
            table.silent.discard("a")

    with pytest.raises(AssertionError, match="nobody makes block 1"):
        take_part(noisy(PEAK), table, before_save=fall_asleep, seen=_until_it_waits(table))
    first = [r for r in table.records if r.plan.block == 1]
    assert [(r.host, r.plan.attempt) for r in first] == [("a", 0)] * 2
    assert {r.plan.block for r in table.records} == set(range(1, 11))  # b has block 1, and sleeps


def _until_it_waits(table: Table) -> object:
    def seen() -> object:
        found = table.seen()
        assert len(found.latest(RunKind.BLOCK)) < 10 or any(
            found.missing(c) for c in found.claims if c.host == "a" and c.block > 1
        ), "nobody makes block 1"
        return found

    return seen


def test_who_waits_says_for_what() -> None:
    table = Table()
    plan = planned(rule=Rule(looks=(2,)))
    block = table.take("b", lambda seen: next_claim(plan, "b", seen))
    assert block is not None
    store = MemorySharedStore(table, "a")
    world, watching = World(noisy(PEAK)), Watching()
    slept: list[float] = []

    def until_the_others_are_done(seconds: float) -> None:
        slept.append(seconds)
        if seconds == 2.0 and len(slept) and watching.waits:
            for run in block.runs:
                if run.run_id not in table.seen().recorded:
                    table.add(recorded(run, "b", 0.02))

    world.clock.sleep, sleep = (lambda s: (sleep(s), until_the_others_are_done(s))), world.clock.sleep  # type: ignore[method-assign,assignment]
    answer = run_shared_study(plan, host("a"), world.parts(), store, watching)
    assert watching.waits == ["waiting for block 1 on b"]
    assert answer.complete


def test_a_server_that_ignores_the_worker_count_ends_the_study_for_all() -> None:
    table = Table()
    other = table.take("b", lambda seen: next_claim(planned(), "b", seen))
    answer, _, _ = take_part(lambda c, block, run_id: Behaviour(pool="fixed"), table)
    assert other is not None and not table.seen().made(other)
    assert (answer.status, answer.workers, answer.complete) == (Status.INCONCLUSIVE, None, True)
    assert answer.findings[0].code == "pool-size-not-applied"
    assert next_claim(planned(), "b", table.seen()) is None


@dataclasses.dataclass
class Worker:
    name: str
    claim: Claim | None = None
    done: bool = False


class Simulation:
    """Hosts that take turns at random: claim, make a run, be lost, come back (and not know it)."""

    def __init__(self, plan: StudyPlan, noise: float, chance: random.Random) -> None:
        self.plan, self.noise, self.chance, self.table = plan, noise, chance, Table()
        self.lost = 0

    def step(self, worker: Worker) -> None:
        event = self.chance.random()
        if event < 0.08 and self.lost < 6:  # its process dies, and is started again later
            self.lost += 1
            worker.claim = None
            self.table.silent.add(worker.name)
            return
        if event < 0.16 and self.lost < 6:  # it is only not heard of
            self.lost += 1
            self.table.silent.add(worker.name)
            return
        if worker.claim is None:
            worker.claim = self.table.take(worker.name, lambda s: next_claim(self.plan, worker.name, s))
            if worker.claim is not None and self.chance.random() < 0.8:
                self.table.silent.discard(worker.name)
            return
        missing = self.table.seen().missing(worker.claim)
        if not missing:
            worker.claim = None
            return
        try:
            self.table.add(recorded(missing[0], worker.name, self.noise))
        except Exception as lost:
            assert "was taken over" in str(lost)
            worker.claim = None

    def over(self) -> bool:
        return study_state_of(self.plan, self.table.records, self.table.claims).finished

    def run(self) -> None:
        workers = [Worker(name) for name in SPEED]
        for _ in range(3000):
            self.step(self.chance.choice(workers))
            if not any(worker.claim for worker in workers) and self.over():
                return
        pytest.fail("it never ends")


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([0.01, 0.08]))
def test_whatever_the_interleaving_nothing_is_doubled_and_one_answer_follows(seed: int, noise: float) -> None:
    plan, chance = planned((1, 4, 8), Rule(looks=(2, 3, 4))), random.Random(seed)
    simulation = Simulation(plan, noise, chance)
    simulation.run()
    table = simulation.table
    ids = [r.plan.run_id for r in table.records]
    assert len(ids) == len(set(ids))
    seen = table.seen()
    deciding = study_state_of(plan, seen.records, seen.claims)
    last = max(r.plan.block for r in deciding.records)
    for block in range(1, last + 1):
        attempts = seen.attempts(RunKind.BLOCK, block)
        assert [claim.attempt for claim in attempts] == list(range(len(attempts)))
        assert not seen.missing(attempts[-1])  # whole
        for claim in attempts:
            assert {r.host for r in seen.made(claim)} <= {claim.host}
            assert [run.position for run in claim.runs] == list(range(1, len(claim.runs) + 1))
    # Neither the order in which runs came nor what was made beyond the deciding look changes the answer.
    answer = answer_so_far(plan, seen.records, seen.claims)
    shuffled, used = list(seen.records), [r for r in seen.records if r.plan.block <= last]
    chance.shuffle(shuffled)
    assert answer_so_far(plan, shuffled, seen.claims[::-1]) == answer
    assert answer_so_far(plan, used, [c for c in seen.claims if c.block <= last]) == answer


def test_hosts_of_different_speed_cost_no_precision() -> None:
    """The block takes the host out: the residual deviation is that of one run."""
    plan, table = planned((4, 8, 16), Rule(looks=(4,))), Table()
    for name in ("a", "b", "c", "a"):
        claim = table.take(name, lambda seen, name=name: next_claim(plan, name, seen))
        assert claim is not None
        for run in claim.runs:
            table.add(recorded(run, name, 0.01))
    answer = answer_so_far(plan, table.records, table.claims)
    assert answer.residual_deviation is not None and answer.residual_deviation < 0.025
    evidence = next(f.evidence for f in answer.findings if f.code == "several-hosts")
    assert evidence["hosts"] == 3
    assert evidence["relative_b"] == pytest.approx(1.3 / (0.6 * 1.0) ** 0.5, rel=0.15)


def test_single_host_studies_are_what_they_were() -> None:
    """Their records hold no host and no attempt, and their plans are the same as ever."""
    _, store, _, _ = studied(noisy(PEAK))
    assert isinstance(store, MemoryStore)
    assert {(r.host, r.plan.attempt) for r in store.saved} == {("", 0)}
    assert planned().block(1, {})[0].run_id == "b01-01-w8"
