"""How often does `sweeper compare` raise a false alarm, and what does it find?

Pairs of studies with the real blocks, looks and limits; a run is drawn: log throughput = level + host in
these hours + host in this block + error (sd 2%). Run with -s for the table.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.support.simulation.comparisons import Machine, Pairs, lowered, one_pair, pairs
from tests.support.simulation.fixtures import Table
from tests.support.simulation.studies import SHAPES

PEAK, EQUAL, PLATEAU = SHAPES["peak at 8"], SHAPES["all equal"], SHAPES["plateau from 4"]
EIGHT = 2  # its position
DRIFT = Machine(drift=0.08)
HOURS = Machine(drift=0.06, hours=0.06)  # as measured on a shared host over one night
SLOW = Machine(drift=0.08, memory=0.9)


def row(name: str, seen: Pairs) -> dict[str, str]:
    counts = {change.value: str(count) for change, count in seen.changes.items()}
    return {"truth": name, "pairs": str(seen.made), "exit 1": f"{seen.share:.0%}", **counts}


@pytest.mark.parametrize(
    ("name", "levels", "machine", "judge_all"),
    [
        ("alike, drift 8%", PEAK, DRIFT, False),
        ("alike, drift 8%, all judged", EQUAL, DRIFT, True),
        ("alike, other hours", PEAK, HOURS, False),
        ("alike, other hours, all judged", EQUAL, HOURS, True),
        ("alike, slow drift", PEAK, SLOW, False),
    ],
)
def test_false_alarms(name: str, levels: tuple, machine: Machine, judge_all: bool, table: Table) -> None:
    seen = pairs(levels, levels, machine, 80, 1, judge_all=judge_all)
    table.append(row(name, seen))
    assert seen.share <= 0.05


def test_a_loss_of_the_answer_alone_is_found_through_any_drift(table: Table) -> None:
    seen = pairs(PEAK, lowered(PEAK, 0.15, EIGHT), DRIFT, 60, 2)
    table.append(row("8 workers lose 15%, drift 8%", seen))
    assert seen.share >= 0.95


@pytest.mark.parametrize("shape", ["peak", "plateau"])
def test_a_loss_of_all_is_found_on_a_quiet_host(shape: str, table: Table) -> None:
    levels = {"peak": PEAK, "plateau": PLATEAU}[shape]
    seen = pairs(levels, lowered(levels, 0.15), Machine(drift=0.002), 60, 3)
    table.append(row(f"{shape}: all lose 15%, quiet host", seen))
    assert seen.share >= 0.9


def test_another_machine_is_compared_by_ratios(table: Table) -> None:
    """Twice as fast as a whole is no change, 15% less beside the others is."""
    faster = tuple(level + np.log(2) for level in PEAK)
    alike = pairs(PEAK, faster, DRIFT, 60, 4, judge_all=True, cores_b=4)
    table.append(row("another machine, twice as fast", alike))
    assert alike.share <= 0.05
    lost = pairs(PEAK, lowered(faster, 0.15, EIGHT), DRIFT, 60, 5, cores_b=4)
    table.append(row("the same, 8 workers lose 15%", lost))
    assert lost.share >= 0.95


def test_without_an_allowance_for_other_hours_the_alarms_were_false() -> None:
    """Welch's limits hold for the hours that were measured, and are not what is decided by. The steadier
    the host is within a study, the narrower they are."""
    steady = dataclasses.replace(HOURS, drift=0.02)
    rng, alarms, made = np.random.default_rng(6), 0, 60
    for _ in range(made):
        seen = one_pair(EQUAL, EQUAL, steady, rng, True, 2)
        hours = [one.figures["rps"].in_these_hours for one in seen.configurations]
        alarms += any(found is not None and (found.high or 1) < 1 - seen.tolerance for found in hours)
    assert alarms > 0.05 * made
