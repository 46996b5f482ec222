"""What two studies show of each other: which are compared, what is worse, and what rests on what."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sweeper.analysis.comparison.compare import compare
from sweeper.analysis.comparison.result import Change, Comparison, Side
from sweeper.analysis.fingerprints import differences, settings_that_matter
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Severity, Verdict
from sweeper.records.run import Bound, Capacity, Objective, RunRecord
from sweeper.settings.command_settings import GridSettings
from sweeper.statistics.criteria import Rule
from tests.support.builders import figures, finding, record

ONE, FOUR, EIGHT = Configuration(1), Configuration(4), Configuration(8)
LEVELS = {1: 60.0, 4: 118.0, 8: 140.0}
MACHINE: dict[str, object] = {"cpu_model": "Abacus 9", "cores": 4, "packages": {"numpy": "2.4"}}


def runs(
    levels: dict[int, float] | None = None,
    blocks: int = 5,
    *,
    noise: float = 0.01,
    host: float = 0.0,
    seed: int = 0,
    p99: dict[int, float] | None = None,
    **changes: Any,
) -> list[RunRecord]:
    """One valid run of each in every block; p99 falls as throughput rises, unless it is given."""
    rng = np.random.default_rng(seed)
    made = []
    for block in range(1, blocks + 1):
        speed = rng.normal(0, host)
        for position, (workers, level) in enumerate((levels or LEVELS).items()):
            rps = level * math.exp(speed + rng.normal(0, noise))
            p99_ms = (p99 or {}).get(workers, 84_000 / level) * math.exp(rng.normal(0, noise) - speed)
            made.append(record(workers, block, figures(rps=rps, p99_ms=p99_ms, **changes), position=position))
    return made


def side(name: str, records: Sequence[RunRecord], **changes: Any) -> Side:
    plain = Side(name, records, Rule(), EIGHT, FOUR, MACHINE, {"users": 100})
    return dataclasses.replace(plain, **changes)


def seen_of(b: Sequence[RunRecord], a: Sequence[RunRecord] | None = None, **options: Any) -> Comparison:
    return compare(side("a", a if a is not None else runs(seed=1)), side("b", b), 0.05, **options)


def changes(seen: Comparison) -> dict[int, str]:
    return {one.configuration.workers: one.change.value for one in seen.configurations}


def one_of(seen: Comparison, configuration: Configuration) -> Any:
    return next(one for one in seen.configurations if one.configuration == configuration)


def test_equal_studies_are_not_worse() -> None:
    seen = seen_of(runs(seed=2))
    assert changes(seen) == {1: "not worse", 4: "not worse", 8: "not worse"}
    assert not seen.worse
    assert [one.configuration for one in seen.judgement] == [EIGHT]
    assert (seen.same_machine, seen.environment, seen.settings, seen.left_out) == (True, (), (), ())
    eight = one_of(seen, EIGHT)
    assert set(eight.figures) == {"rps", "p50_ms", "p99_ms", "cpu_ms_per_request"}
    assert eight.figures["rps"].a == pytest.approx(140, rel=0.03)
    assert eight.figures["rps"].relative.low < 1 < eight.figures["rps"].relative.high


def test_a_loss_of_all_is_worse_and_a_gain_is_better() -> None:
    worse = seen_of(runs({w: 0.85 * level for w, level in LEVELS.items()}, seed=2))
    assert changes(worse) == dict.fromkeys(LEVELS, "worse")
    assert worse.worse and not one_of(worse, EIGHT).by_reference
    better = seen_of(runs({w: 1.2 * level for w, level in LEVELS.items()}, seed=2))
    assert changes(better) == dict.fromkeys(LEVELS, "better")
    assert not better.worse


def test_only_the_answer_is_judged_unless_all_are_asked_for() -> None:
    b = runs({**LEVELS, 1: 30.0}, seed=2)
    assert changes(seen_of(b))[1] == "worse"
    assert not seen_of(b).worse
    assert seen_of(b, judge_all=True).worse
    no_answer = side("a", runs(seed=1), answer=None)
    assert compare(no_answer, side("b", b), 0.05).worse
    absent = compare(side("a", runs(seed=1), answer=Configuration(9)), side("b", b), 0.05)
    assert absent.judged == ()


def test_a_loss_within_the_tolerance_is_not_worse() -> None:
    b = runs({w: 0.9 * level for w, level in LEVELS.items()}, seed=2, noise=0.002)
    a = runs(seed=1, noise=0.002)
    assert compare(side("a", a), side("b", b), 0.05).worse
    assert changes(compare(side("a", a), side("b", b), 0.15)) == dict.fromkeys(LEVELS, "not worse")


def test_a_restless_host_hides_what_slows_all_alike() -> None:
    """Blocks differ by 10%: 15% less may be the hours. More blocks would not tell."""
    a = runs(seed=1, host=0.1)
    seen = seen_of(runs({w: 0.85 * level for w, level in LEVELS.items()}, seed=2, host=0.1), a)
    assert changes(seen) == dict.fromkeys(LEVELS, "undecided")
    assert one_of(seen, EIGHT).blocks_needed is None
    assert seen.host_a > 0.04 and seen.host_b > 0.04


def test_through_a_restless_host_a_loss_beside_the_reference_is_seen() -> None:
    a = runs(seed=1, host=0.1)
    seen = seen_of(runs({**LEVELS, 8: 0.8 * 140}, seed=4, host=0.1), a)
    eight = one_of(seen, EIGHT)
    assert eight.figures["rps"].ratio.mean < 1
    assert (eight.change, eight.by_reference) == (Change.WORSE, True)
    assert seen.worse


def test_what_gained_less_than_the_reference_is_not_worse() -> None:
    seen = seen_of(runs({1: 60.0, 4: 150.0, 8: 145.0}, seed=2))
    assert one_of(seen, EIGHT).figures["rps"].relative.high < 0.95
    assert not seen.worse


def test_nor_is_it_on_a_restless_host() -> None:
    """It looks 10% better, which the host may have made; the reference gained more."""
    seen = seen_of(runs({1: 60.0, 4: 165.0, 8: 155.0}, seed=2, host=0.1), runs(seed=1, host=0.1))
    eight = one_of(seen, EIGHT)
    assert eight.figures["rps"].ratio.mean > 1 > eight.figures["rps"].ratio.low
    assert eight.figures["rps"].relative.high < 0.95
    assert (eight.change, eight.by_reference) == (Change.UNDECIDED, False)


def test_how_many_blocks_would_tell() -> None:
    seen = seen_of(
        runs({w: 0.97 * level for w, level in LEVELS.items()}, seed=2, noise=0.03), runs(seed=1, noise=0.03)
    )
    eight = one_of(seen, EIGHT)
    assert eight.change is Change.UNDECIDED
    assert eight.blocks_needed is not None and eight.blocks_needed > 5


def test_p99_is_worse_when_it_rises() -> None:
    rule = Rule(objective=Objective.P99)
    a = side("a", runs(seed=1), rule=rule)
    risen = {w: 1.2 * 84_000 / level for w, level in LEVELS.items()}
    fallen = {w: 0.8 * 84_000 / level for w, level in LEVELS.items()}
    for p99, change in ((risen, "worse"), (fallen, "better")):
        seen = compare(a, side("b", runs(seed=2, p99=p99)), 0.05)
        assert changes(seen) == dict.fromkeys(LEVELS, change)
        assert seen.decides == "p99_ms"


def test_a_p99_that_is_a_lower_bound_proves_one_direction_only() -> None:
    rule = Rule(objective=Objective.P99)
    risen = {w: 1.2 * 84_000 / level for w, level in LEVELS.items()}
    plain, slower = runs(seed=1), runs(seed=2, p99=risen)
    for a, b, expected in (
        (plain, slower, "worse"),
        (plain, _hung(slower), "worse"),
        (_hung(plain), slower, "undecided"),
        (slower, plain, "better"),
        (slower, _hung(plain), "undecided"),
        (_hung(slower), plain, "better"),
    ):
        seen = compare(side("a", a, rule=rule), side("b", b), 0.05)
        assert one_of(seen, EIGHT).change == expected


def _hung(records: Sequence[RunRecord]) -> list[RunRecord]:
    made = []
    for one in records:
        assert one.figures is not None
        latency = dataclasses.replace(one.figures.latency, censored=1)
        made.append(dataclasses.replace(one, figures=dataclasses.replace(one.figures, latency=latency)))
    return made


def test_what_breaks_a_limit_in_b_alone_is_worse_however_fast() -> None:
    quick = runs({**LEVELS, 8: 900.0}, seed=2)
    failing = [
        dataclasses.replace(r, figures=dataclasses.replace(r.figures, failed=r.figures.completed // 2))
        if r.configuration == EIGHT and r.figures
        else r
        for r in quick
    ]
    seen = seen_of(failing)
    assert seen.worse and "of its requests failed" in one_of(seen, EIGHT).limit
    assert not seen_of(failing, a=failing).worse  # as in A


def test_a_server_that_dies_in_b_is_worse_and_has_no_figures() -> None:
    died = [finding("server-died", Severity.ERROR)]
    b = [
        dataclasses.replace(r, verdict=Verdict.FAILED, figures=None, findings=tuple(died))
        if r.configuration == EIGHT
        else r
        for r in runs(seed=2)
    ]
    seen = seen_of(b)
    eight = one_of(seen, EIGHT)
    assert seen.worse and "died under load" in eight.limit
    assert (eight.runs_a, eight.runs_b, dict(eight.figures)) == (5, 0, {})
    assert seen.reference == FOUR


def test_what_has_no_valid_run_in_one_of_them_is_left_out() -> None:
    suspect = [
        dataclasses.replace(r, verdict=Verdict.SUSPECT) if r.configuration == ONE else r for r in runs(seed=2)
    ]
    for a, b in ((suspect, runs(seed=1)), (runs(seed=1), suspect)):
        seen = compare(side("a", a), side("b", b), 0.05)
        assert list(changes(seen)) == [4, 8]
        assert seen.left_out == (ONE,)


def test_open_loop_runs_and_those_of_a_search_are_none_of_it() -> None:
    b = runs(seed=2)
    kinds: list[dict[str, Any]] = [{"arrivals_per_s": 9.0}, {"search": True}]
    slow = record(8, 1, figures(rps=9.0))
    odd = [dataclasses.replace(slow, plan=dataclasses.replace(slow.plan, **kind)) for kind in kinds]
    assert one_of(seen_of([*b, *odd]), EIGHT).figures == one_of(seen_of(b), EIGHT).figures


def test_studies_without_a_configuration_in_common() -> None:
    seen = compare(side("a", runs({1: 60.0})), side("b", runs({4: 60.0})), 0.05)
    assert (seen.configurations, seen.judged, seen.worse) == ((), (), False)


def test_the_reference_is_as_own_unless_that_is_judged() -> None:
    a, b = runs(seed=1), runs(seed=2)
    assert compare(side("a", a), side("b", b), 0.05).reference == FOUR
    four = side("a", a, answer=FOUR)
    more = side(
        "b",
        [
            *b,
            *(
                dataclasses.replace(r, plan=dataclasses.replace(r.plan, block=9))
                for r in b
                if r.configuration == ONE
            ),
        ],
    )
    assert compare(four, more, 0.05).reference == ONE
    fewer = side("b", [r for r in b if r.configuration != ONE or r.plan.block < 3])
    assert compare(four, fewer, 0.05).reference == EIGHT
    assert compare(four, fewer, 0.05, judge_all=True).reference == FOUR
    single = compare(side("a", runs({8: 100.0})), side("b", runs({8: 100.0}, seed=2)), 0.05)
    assert single.reference is None
    assert one_of(single, EIGHT).figures["rps"].relative is None


def test_on_another_machine_only_ratios_count() -> None:
    faster = {w: 3 * level for w, level in LEVELS.items()}
    other = {**MACHINE, "cores": 8}
    seen = compare(side("a", runs(seed=1)), side("b", runs(faster, seed=2), environment=other), 0.05)
    assert not seen.same_machine
    assert changes(seen) == {1: "not worse", 4: "undecided", 8: "not worse"}
    assert one_of(seen, EIGHT).by_reference
    lost = compare(
        side("a", runs(seed=1)), side("b", runs({**faster, 8: 0.85 * 420}, seed=2), environment=other), 0.05
    )
    assert lost.worse and changes(lost)[8] == "worse"
    alone = compare(side("a", runs({8: 100.0})), side("b", runs({8: 10.0}), environment=other), 0.05)
    assert not alone.worse and changes(alone) == {8: "undecided"}


def test_the_probed_speed_of_the_host_is_taken_out_where_the_answer_did() -> None:
    """Runs one after another, each on a host of another speed: without it nothing is to be seen."""

    def one_by_one(levels: dict[int, float], seed: int) -> list[RunRecord]:
        rng = np.random.default_rng(seed)
        made = []
        for r in runs(levels, blocks=8, seed=seed, noise=0.005):
            assert r.figures is not None
            speed = math.exp(rng.normal(0, 0.2))
            made.append(
                dataclasses.replace(
                    r,
                    figures=dataclasses.replace(
                        r.figures, rps=r.figures.rps * speed, host_speed=1000 * speed
                    ),
                )
            )
        return made

    a, b = one_by_one(LEVELS, 1), one_by_one({**LEVELS, 8: 0.85 * 140}, 2)
    reaches = []
    for used in (False, True):
        seen = compare(side("a", a, host_speed=used), side("b", b, host_speed=used), 0.05)
        relative = one_of(seen, EIGHT).figures["rps"].relative
        reaches.append(relative.high / relative.low)
    assert reaches[1] < 1.1 < reaches[0]
    without = [
        dataclasses.replace(r, figures=dataclasses.replace(r.figures, host_speed=None))
        for r in b[:1]
        if r.figures
    ]
    mixed = compare(side("a", a, host_speed=True), side("b", [*without, *b[1:]], host_speed=True), 0.05)
    assert one_of(mixed, EIGHT).figures["rps"].relative is not None


def test_differences_by_name() -> None:
    a = {
        "cores": 4,
        "packages": {"numpy": "2.4", "xgboost": "3.2"},
        "hashes": {"model": "a" * 64},
        "turbo": None,
    }
    b = {
        "cores": 8,
        "packages": {"numpy": "2.5", "xgboost": "3.2"},
        "hashes": {"model": "b" * 64},
        "turbo": None,
    }
    found = differences(a, b)
    assert [(d.name, d.of_the_machine) for d in found] == [
        ("cores", True), ("hashes.model", False), ("packages.numpy", False),
    ]  # fmt: skip
    assert found[0].sentence("{name}: {a} or {b}") == "cores: 4 or 8"
    assert found[1].sentence("{a}") == "a" * 12 + "…"
    assert differences({"x": (1, 2)}, {"x": [1, 2]}) == ()
    assert differences({}, {"placement": {"shared": True}})[0].sentence("{a} {b}") == "absent True"
    assert differences({}, {"placement": {"shared": True}})[0].of_the_machine


def test_settings_that_do_not_matter_are_left_out() -> None:
    def of(**given: object) -> dict[str, object]:
        chosen = GridSettings.model_validate(given)
        return settings_that_matter(chosen.plain(), chosen.subject)

    assert of() == of(model="xgboost", seed=5, max_blocks=20, workers=[1, 2], confirm=False)
    assert {d.name for d in differences(of(), of(users=50, window="20s", code_dir="a/forest"))} == {
        "users", "window", "measured",
    }  # fmt: skip


def test_of_capacities_the_capacity_decides_and_nothing_of_the_climbs_is_compared() -> None:
    rule = Rule(objective=Objective.CAPACITY, slo_p99_ms=200.0)

    def climbs(level: float, seed: int) -> list[RunRecord]:
        rng = np.random.default_rng(seed)
        return [
            record(
                workers, block,
                figures(capacity=Capacity(level * share * math.exp(rng.normal(0, 0.01)), Bound.EXACT, ())),
            )
            for block in range(1, 6)
            for workers, share in ((4, 1.0), (8, 1.2))
        ]  # fmt: skip

    before = side("a", climbs(100.0, 1), rule=rule)
    seen = compare(before, side("b", climbs(70.0, 2), rule=rule), 0.05)
    assert (seen.objective, seen.worse) == (Objective.CAPACITY, True)
    figures_of_eight = next(c.figures for c in seen.configurations if c.configuration == EIGHT)
    assert "rps" not in figures_of_eight
    assert figures_of_eight["capacity_rps"].ratio is not None
    assert figures_of_eight["capacity_rps"].ratio.mean == pytest.approx(0.7, rel=0.02)
    assert not compare(before, side("b", climbs(101.0, 3), rule=rule), 0.05).worse
