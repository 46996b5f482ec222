"""What the runs of a search say of its trials: figures, whom it gives up, who goes on."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from sweeper.records.configuration import Configuration
from sweeper.records.finding import Severity, Verdict
from sweeper.records.run import Objective, RunFigures, RunPlan, RunRecord
from sweeper.records.search import Trial
from sweeper.statistics.criteria import Rule
from sweeper.statistics.search import finalists, front, trials
from tests.support.builders import figures, finding

FOUR = Configuration(4)
BOTH = (Objective.THROUGHPUT, Objective.P99)


def run(
    workers: int,
    block: int,
    seen: RunFigures | None,
    position: int = 1,
    *,
    search: bool = True,
    verdict: Verdict = Verdict.VALID,
    code: str = "",
) -> RunRecord:
    plan = RunPlan(
        f"{'s' if search else 'b'}{block}-{workers}", block, position, Configuration(workers), search=search
    )
    found = (finding(code, Severity.ERROR),) if code else ()
    return RunRecord(plan, verdict, "", 15.0, seen, found)


def searched(
    levels: dict[int, float], rounds: int = 4, noise: float = 0.01, seed: int = 0, **changes: float
) -> list[RunRecord]:
    """Every configuration in every round; the host differs by 20% from one round to the next."""
    rng = np.random.default_rng(seed)
    drift = rng.normal(0, 0.2, rounds)
    return [
        run(
            workers,
            block + 1,
            figures(rps=level * math.exp(drift[block] + rng.normal(0, noise)), **changes),
            position,
        )
        for block in range(rounds)
        for position, (workers, level) in enumerate(levels.items(), start=1)
    ]


def of(
    records: list[RunRecord], rule: Rule | None = None, words: tuple[Objective, ...] = BOTH[:1]
) -> dict[int, Trial]:
    found = trials(records, FOUR, rule or Rule(), words, 20)
    return {trial.configuration.workers: trial for trial in found}


def test_early_and_late_trials_are_compared_by_the_reference() -> None:
    """The same server measured on a fast and on a slow day: its figures are the same."""
    slow, fast = 0.7, 1.3
    records = [
        run(4, 1, figures(rps=100 * slow)), run(8, 1, figures(rps=120 * slow)),
        run(4, 2, figures(rps=100 * fast)), run(16, 2, figures(rps=120 * fast)),
    ]  # fmt: skip
    seen = of(records)
    assert seen[8].values[0] == pytest.approx(seen[16].values[0])
    assert seen[8].values[0] / seen[4].values[0] == pytest.approx(1.2)
    assert seen[4].values[0] == pytest.approx(100 * math.sqrt(slow * fast))


def test_the_reference_is_trial_0_and_the_others_are_numbered_as_they_come() -> None:
    records = [
        run(8, 1, figures(), 1),
        run(4, 1, figures(), 3),
        run(1, 1, figures(), 2),
        run(2, 2, figures(), 1),
    ]
    found = trials(list(reversed(records)), FOUR, Rule(), BOTH[:1], 20)
    assert [(t.number, t.configuration.workers) for t in found] == [(0, 4), (1, 8), (2, 1), (3, 2)]


def test_a_planned_round_is_numbered_before_it_is_made() -> None:
    made = [run(8, 1, figures(), 2)]
    planned = [dataclasses.replace(run(w, 1, None, p).plan) for p, w in ((1, 16), (2, 8), (3, 4))]
    found = trials(made, FOUR, Rule(), BOTH[:1], 20, planned)
    assert [(t.configuration.workers, t.runs) for t in found] == [(4, 0), (16, 0), (8, 1)]


def test_a_suspect_run_is_better_than_none_and_worse_than_a_valid_one() -> None:
    records = [
        run(4, 1, figures(rps=100)), run(8, 1, figures(rps=50), verdict=Verdict.SUSPECT),
        run(4, 2, figures(rps=100)), run(16, 2, figures(rps=90), verdict=Verdict.SUSPECT),
        run(4, 3, figures(rps=100)), run(8, 3, figures(rps=120)),
    ]  # fmt: skip
    seen = of(records)
    assert seen[8].values[0] == pytest.approx(120)
    assert seen[16].values[0] == pytest.approx(90)
    assert (seen[8].runs, seen[8].measured_runs) == (2, 1)


def test_who_is_far_behind_is_given_up_and_who_is_close_is_not() -> None:
    seen = of(searched({4: 100.0, 8: 140.0, 16: 137.0, 1: 60.0}))
    assert seen[1].stopped.startswith("at least")
    assert "behind the best" in seen[1].stopped
    assert seen[8].stopped == seen[16].stopped == ""


def test_nobody_is_given_up_before_the_noise_is_known() -> None:
    seen = of([run(4, 1, figures(rps=100)), run(8, 1, figures(rps=10))])
    assert seen[8].stopped == ""


def test_a_server_that_dies_or_fails_requests_is_given_up_at_once() -> None:
    records = [
        run(4, 1, figures(rps=100)),
        run(8, 1, None, verdict=Verdict.FAILED, code="server-died"),
        run(16, 1, figures(rps=500, completed=5000, failed=500)),
    ]
    seen = of(records)
    assert "died" in seen[8].stopped
    assert "10.0% of its requests failed" in seen[16].stopped
    assert seen[16].constraints["error_rate"] == pytest.approx(0.09)
    assert seen[8].values == ()
    assert not seen[8].keeps_limits


def test_a_p99_far_above_the_limit_is_given_up() -> None:
    rng = np.random.default_rng(1)
    records = [
        run(workers, block, figures(rps=100, p99_ms=p99 * math.exp(rng.normal(0, 0.02))), position)
        for block in range(1, 5)
        for position, (workers, p99) in enumerate({4: 400.0, 8: 480.0, 16: 900.0}.items(), start=1)
    ]
    seen = of(records, Rule(slo_p99_ms=500.0))
    assert "above 500 ms" in seen[16].stopped
    assert seen[8].stopped == seen[4].stopped == ""
    assert seen[16].constraints["p99_ms"] == pytest.approx(400, rel=0.1)
    assert seen[8].keeps_limits
    assert not seen[16].keeps_limits


def test_with_two_objectives_one_good_one_is_enough_to_go_on() -> None:
    rng = np.random.default_rng(2)
    shape = {4: (100.0, 600.0), 8: (140.0, 900.0), 1: (60.0, 200.0), 2: (70.0, 800.0)}
    records = [
        run(workers, block, figures(rps=rps * math.exp(rng.normal(0, 0.01)), p99_ms=p99), position)
        for block in range(1, 6)
        for position, (workers, (rps, p99)) in enumerate(shape.items(), start=1)
    ]
    seen = of(records, words=BOTH)
    assert seen[1].stopped == ""  # the best p99
    assert seen[2].stopped != ""
    numbers = {seen[workers].number for workers in (1, 4, 8)}
    assert set(front(tuple(seen.values()), BOTH)) == numbers
    assert [c.workers for c in finalists(tuple(seen.values()), FOUR, Rule(), BOTH)] == [1, 4, 8]


def test_the_finalists_are_the_best_the_reference_and_the_smallest_that_would_do() -> None:
    levels = {4: 100.0, 6: 138.0, 8: 139.0, 16: 141.0, 24: 140.0, 32: 139.5, 1: 60.0}
    found = tuple(of(searched(levels, noise=0.001)).values())
    assert [c.workers for c in finalists(found, FOUR, Rule(), BOTH[:1])] == [4, 6, 16, 24, 32]


def test_what_was_given_up_is_a_finalist_only_where_nothing_else_is_left() -> None:
    records = [
        run(4, 1, figures(rps=100, completed=1000, failed=500)),
        run(8, 1, figures(rps=500, completed=5000, failed=500)),
    ]
    found = tuple(of(records).values())
    assert all(trial.stopped for trial in found)
    assert [c.workers for c in finalists(found, FOUR, Rule(), BOTH[:1])] == [4, 8]
    more = tuple(of([*records, run(2, 1, figures(rps=50))]).values())
    assert [c.workers for c in finalists(more, FOUR, Rule(), BOTH[:1])] == [2, 4]


def test_later_blocks_refine_the_figures_on_the_same_scale() -> None:
    first = searched({4: 100.0, 8: 120.0}, rounds=2, noise=0.0)
    later = [run(w, b, figures(rps=r * 3), search=False) for b in (1, 2) for w, r in ((4, 100.0), (8, 120.0))]
    alone, together = of(first), of([*first, *later])
    assert together[4].values[0] == pytest.approx(alone[4].values[0])
    assert together[8].values[0] == pytest.approx(alone[8].values[0])
    assert together[8].runs == 4


def test_a_finalist_that_falls_behind_was_not_given_up() -> None:
    """The final blocks are more exact than the search; what they show is not why anybody was stopped."""
    first = searched({4: 100.0, 8: 140.0}, rounds=1)
    later = [
        run(w, b, figures(rps=r), search=False) for b in range(1, 9) for w, r in ((4, 100.0), (8, 140.0))
    ]
    assert of([*first, *later])[4].stopped == ""
    assert of(searched({4: 100.0, 8: 140.0}, rounds=4))[4].stopped != ""
