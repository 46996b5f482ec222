"""The rounds of a search: what TPE proposes, in blocks with the reference, the same again after a resume."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from sweeper.records.configuration import Choices, Configuration, Dimension, Space
from sweeper.records.run import Objective
from sweeper.records.search import Trial
from sweeper.study.proposer import propose
from sweeper.study.search_rounds import NEW, RUNS, SearchSpace, is_due, round_plan, rounds_left

FOUR = Configuration(4)
AIMS = (Objective.THROUGHPUT,)


def space(workers: str = "1..64", threads: tuple[int, ...] = (1,)) -> Space:
    low, high = (int(end) for end in workers.split(".."))
    return Space(
        (
            Dimension("workers", Choices.between(low, high)),
            Dimension("model_threads", Choices(threads)),
            Dimension("processes", Choices((1,))),
        )
    )


def search(trials: int = 20, seed: int = 0, **spans: object) -> SearchSpace:
    return SearchSpace(space(**spans), FOUR, AIMS, trials, seed)  # type: ignore[arg-type]


def trial(
    number: int, configuration: Configuration, value: float | None, runs: int = RUNS, stopped: str = ""
) -> Trial:
    values = () if value is None else (value,)
    return Trial(number, configuration, runs, runs, values, 600.0, 0.0, {"error_rate": -0.01}, stopped)


def truth(workers: int) -> float:
    """A peak at 16."""
    return 140.0 - 0.3 * abs(workers - 16)


def made(plan: SearchSpace, rounds: int) -> tuple[list[Trial], list[list[Configuration]]]:
    """The trials after so many rounds, without noise; and what each round ran."""
    found: dict[Configuration, Trial] = {}
    ran = []
    for number in range(1, rounds + 1):
        runs = round_plan(plan, tuple(found.values()), number)
        ran.append([run.configuration for run in runs])
        for configuration in sorted(ran[-1], key=lambda c: c != plan.reference):
            seen = found.get(configuration) or trial(len(found), configuration, None, runs=0)
            found[configuration] = dataclasses.replace(
                seen, runs=seen.runs + 1, values=(truth(configuration.workers),)
            )
    return list(found.values()), ran


def test_the_first_round_is_the_default_the_ends_and_something_between() -> None:
    runs = round_plan(search(), (), 1)
    workers = [run.configuration.workers for run in runs]
    assert len(set(workers)) == NEW + 1
    assert {1, 4, 64} <= set(workers)
    assert [run.run_id for run in runs] == [f"s01-0{i}-w{w}" for i, w in enumerate(workers, 1)]
    assert all(run.search and run.block == 1 and run.arrivals_per_s is None for run in runs)


def test_every_round_has_the_reference_once() -> None:
    _, ran = made(search(), 8)
    assert all(Counter(runs)[FOUR] == 1 for runs in ran if runs)


def test_every_trial_runs_twice_in_different_rounds_and_there_are_as_many_as_wanted() -> None:
    found, ran = made(search(trials=20), 12)
    assert len(found) == 20
    assert all(found_.runs >= RUNS for found_ in found)
    assert all(len(set(runs)) == len(runs) for runs in ran)
    assert ran[-1] == []


def test_who_is_given_up_does_not_run_again() -> None:
    found = [
        trial(0, FOUR, 100.0, 1),
        trial(1, Configuration(1), 50.0, 1, "hopeless"),
        trial(2, Configuration(64), 99.0, 1),
    ]
    for number in range(2, 30):
        runs = {run.configuration for run in round_plan(search(), found, number)}
        assert Configuration(64) in runs
        assert Configuration(1) not in runs
    assert not is_due(found[1], FOUR)
    assert not is_due(found[0], FOUR)  # it runs in every round anyhow


def test_a_small_space_is_tried_whole() -> None:
    small = search(trials=20, workers="1..3")
    found, ran = made(dataclasses.replace(small, reference=Configuration(3)), 6)
    assert sorted(t.configuration.workers for t in found) == [1, 2, 3]
    assert ran[-1] == []


def test_one_trial_is_the_default() -> None:
    found, _ = made(search(trials=1), 3)
    assert [t.configuration for t in found] == [FOUR]


@pytest.mark.parametrize("seed", range(5))
def test_the_same_records_give_the_same_plan_and_another_seed_another(seed: int) -> None:
    found, _ = made(search(seed=seed), 3)
    plan = round_plan(search(seed=seed), found, 4)
    assert plan == round_plan(search(seed=seed), found, 4)
    assert plan != round_plan(search(seed=seed + 1), found, 4)


def test_proposals_gather_where_it_is_good() -> None:
    """TPE's last nine proposals of twenty lie closer to the peak than random ones would (median 27 away)."""
    near = []
    for seed in range(6):
        found, _ = made(search(seed=seed, trials=20), 8)
        near += [abs(t.configuration.workers - 16) for t in found[11:]]
    assert sorted(near)[len(near) // 2] <= 12


def test_what_is_proposed_is_new_and_inside() -> None:
    joint = space("1..16", (1, 2, 4))
    found = [trial(i, c, truth(c.workers)) for i, c in enumerate(list(joint)[:20])]
    new, again = propose(joint, found, AIMS, 3, "seed")
    tried = {t.configuration for t in found}
    assert len(set(new)) == 3
    assert not set(new) & tried
    assert set(new) <= set(joint)
    assert set(again) <= tried


def test_the_last_untried_ones_are_found() -> None:
    everything = list(space("1..30"))
    found = [trial(i, c, truth(c.workers)) for i, c in enumerate(everything) if c.workers not in (2, 29)]
    new, _ = propose(space("1..30"), found, AIMS, 2, "seed")
    assert {c.workers for c in new} == {2, 29}


def test_trials_without_figures_do_not_stop_the_sampler() -> None:
    found = [trial(i, c, None) for i, c in enumerate(list(space())[:10])]
    new, _ = propose(space(), found, AIMS, 3, "seed")
    assert len(new) == 3


def test_both_objectives_can_be_proposed_for() -> None:
    found = [
        dataclasses.replace(trial(i, c, 1.0), values=(truth(c.workers), 300.0 + c.workers))
        for i, c in enumerate(list(space())[:10])
    ]
    new, _ = propose(space(), found, (Objective.THROUGHPUT, Objective.P99), 3, "seed")
    assert len(new) == 3


def test_how_many_rounds_there_are_to_come() -> None:
    plan = search(trials=20)
    assert rounds_left(plan, ()) == 8
    _, ran = made(plan, 12)
    assert sum(1 for runs in ran if runs) in (7, 8)
    found, _ = made(plan, 12)
    assert rounds_left(plan, found) == 0
