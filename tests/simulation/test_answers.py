"""How often is a firm answer wrong, and what does it cost?

The real blocks (with the reference's second run), the real decision and the real looks; only a run is
drawn: log metric = level + host in this block (sd 8%) + error (sd s). Run with -s for the table.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from sweeper.records.run import Objective, RunFigures
from tests.support.simulation.answers import Truth, check, good_enough, summary
from tests.support.simulation.fixtures import Table
from tests.support.simulation.studies import RULE, SHAPES, STUDIES, Host, Levels, Measure, figures_of
from tests.support.simulation.windows import Latencies, stock

# The hardest truths: next to the tolerance.
EDGES: dict[str, Levels] = {
    "1 just outside": (-RULE.margin - 0.001, 0.0, 0.0, 0.0, 0.0),
    "1 just inside": (-RULE.margin + 0.001, 0.0, 0.0, 0.0, 0.0),
    "a slope": (-0.08, -RULE.margin - 0.001, -RULE.margin + 0.001, -0.02, 0.0),
    # Where a share of the error is handed on, or several bad values share it (docs/method/error-budget.md).
    "1 hopeless, 4 just outside": (-0.5, -RULE.margin - 0.0005, 0.0, 0.0, 0.0),
    "1 hopeless, 4 just inside": (-0.5, -RULE.margin + 0.0005, 0.0, 0.0, 0.0),
    "all but 32 just outside": (*[-RULE.margin - 0.0005] * 4, 0.0),
}
NEAR_TIE: Levels = (-0.5, math.log(0.97), 0.0, 0.0, 0.0)


def gaussian(levels: Levels, deviation: float | Levels, p99_ms: Levels = (), memory: float = 0.0) -> Truth:
    """Runs that vary by `deviation`, in throughput and p99 each on its own; the host's speed moves both."""
    deviations = deviation if isinstance(deviation, tuple) else (deviation,) * len(levels)

    def truth(rng: np.random.Generator) -> Measure:
        host = Host(rng, memory=memory)

        def measure(position: int, block: int) -> RunFigures:
            speed, s = host.in_block(block), deviations[position]
            rps = math.exp(5 + levels[position] + speed + rng.normal(0, s))
            tail = p99_ms[position] * math.exp(rng.normal(0, s) - speed) if p99_ms else 600.0
            return figures_of(rps, tail)

        return measure

    return truth


@pytest.mark.parametrize("deviation", [0.02, 0.03, 0.05])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_firm_answer_is_the_smallest_acceptable_value(shape: str, deviation: float, table: Table) -> None:
    """Of 1,000 studies (500 where s is 5%): of the firm answers at most 5% are wrong, of all at most 5%
    name a bad value, and of values as good as the best at most 5% are shut out (of identical ones:
    preferred falsely)."""
    levels = SHAPES[shape]
    seed = [round(deviation * 1000), *shape.encode()]
    studies = STUDIES if deviation < 0.05 else STUDIES // 2
    seen = summary(gaussian(levels, deviation), good_enough(levels), studies, seed)
    table.append(seen.row(shape, f"{deviation:.0%}"))
    check(seen)
    if shape == "peak at 8":
        assert seen.firm >= 0.99 * studies
        assert seen.blocks < 4.5
    elif deviation == 0.02:
        assert seen.firm >= 0.95 * studies
        assert seen.blocks < 6.5


@pytest.mark.parametrize("shape", SHAPES)
def test_the_p99_of_correlated_latencies_is_decided_as_truly(shape: str, table: Table) -> None:
    """The objective p99, read from latencies that hang together; slow spells make it far from normal."""
    levels = SHAPES[shape]
    windows = stock(Latencies(restart=0.01, wave=0.03, spells=1.0, spell_factor=1.2), 4000, _rng(shape))
    noise = float(np.log(windows.p99_ms).std())

    def truth(rng: np.random.Generator) -> Measure:
        host = Host(rng)

        def measure(position: int, block: int) -> RunFigures:
            p99_ms = windows.p99_ms[rng.integers(len(windows.p99_ms))]
            return figures_of(140.0, float(p99_ms) * math.exp(-levels[position] - host.in_block(block)))

        return measure

    rule = dataclasses.replace(RULE, objective=Objective.P99)
    seen = summary(truth, good_enough(levels), 400, list(shape.encode()), rule)
    table.append(seen.row(f"p99: {shape}", f"{noise:.1%}"))
    check(seen)
    if shape == "peak at 8":
        assert seen.firm >= 0.99 * seen.studies


@pytest.mark.parametrize("shape", SHAPES)
def test_a_host_that_drifts_slowly_is_taken_out_as_well(shape: str, table: Table) -> None:
    """Blocks in a row are alike (correlation 0.9)."""
    levels = SHAPES[shape]
    seen = summary(gaussian(levels, 0.02, memory=0.9), good_enough(levels), 200, list(shape.encode()))
    table.append(seen.row(f"slow drift: {shape}", "2%"))
    check(seen)
    assert seen.firm >= 0.95 * 200


def test_counts_that_vary_more_than_others(table: Table) -> None:
    """The rule takes one deviation for all, though many threads may well vary more than few."""
    for shape, levels in SHAPES.items():
        truth = gaussian(levels, (0.01, 0.02, 0.02, 0.03, 0.05))
        seen = summary(truth, good_enough(levels), 200, list(shape.encode()))
        table.append(seen.row(f"unequal: {shape}", "1-5%"))
        check(seen)


@pytest.mark.parametrize("shape", EDGES)
def test_at_the_edge_of_the_tolerance_the_error_stays_within_its_budget(shape: str, table: Table) -> None:
    """Here nearly no study settles, so that the few which do are wrong ones: of all studies, not of those."""
    levels = EDGES[shape]
    seen = summary(gaussian(levels, 0.03), good_enough(levels), 300, list(shape.encode()))
    table.append(seen.row(shape, "3%"))
    for errors in (seen.wrong, seen.unfit):
        assert errors <= 0.05 * 300


def test_a_near_tie_is_settled_more_often_than_not(table: Table) -> None:
    """4 workers are 3% behind, at a tolerance of 5%: the usual case of a plateau that is none quite. With the
    looks after blocks 3, 5, 7 and 10 and limits for all values at once it was one study in five."""
    seen = summary(gaussian(NEAR_TIE, 0.018), {1, 2, 3, 4}, 200, [5])
    table.append(seen.row("4 is 3% behind", "1.8%"))
    check(seen)
    assert seen.firm >= 0.45 * 200
    assert seen.blocks < 12


def test_an_slo_just_broken_by_many_does_not_multiply_the_error(table: Table) -> None:
    """Each of the four is one more chance to be let in."""
    truth = gaussian((0.0,) * 5, 0.01, (500.1, 500.1, 500.1, 500.1, 400.0))
    seen = summary(truth, {4}, 300, [1], dataclasses.replace(RULE, slo_p99_ms=500.0))
    table.append(seen.row("SLO just broken by 4", "1%"))
    assert seen.unfit <= 0.05 * 300
    assert seen.wrong <= 0.05 * 300


def test_an_slo_just_broken_by_the_reference(table: Table) -> None:
    """Its two runs in a block share the state of the host: they are no two pieces of evidence."""
    truth = gaussian((-0.4, 0.0, -0.3, -0.3, -0.3), 0.005, (300.0, 500.1, 300.0, 300.0, 300.0))
    seen = summary(truth, {2, 3, 4}, 300, [2], dataclasses.replace(RULE, slo_p99_ms=500.0))
    table.append(seen.row("SLO just broken by 4 workers", "0.5%"))
    assert seen.unfit <= 0.02 * 300


def test_an_slo_clearly_kept_or_broken_is_decided(table: Table) -> None:
    levels = (-0.3, 0.0, 0.0, 0.0, 0.0)
    truth = gaussian(levels, 0.02, (200.0, 900.0, 200.0, 200.0, 1200.0))
    feasible = (True, False, True, True, False)
    rule = dataclasses.replace(RULE, slo_p99_ms=500.0)
    seen = summary(truth, good_enough(levels, feasible), 200, [3], rule)
    table.append(seen.row("SLO clear", "2%"))
    assert seen.firm >= 0.9 * 200
    assert seen.wrong <= 0.05 * 200


def test_suspect_runs_cost_blocks_but_no_truth(table: Table) -> None:
    levels = SHAPES["peak at 8"]
    seen = summary(gaussian(levels, 0.03), good_enough(levels), 200, [4], suspect=0.15)
    table.append(seen.row("15% suspect: peak at 8", "3%"))
    assert seen.wrong <= 0.05 * 200
    assert seen.firm >= 0.95 * 200
    assert seen.blocks < 7.0


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(list(name.encode()))
