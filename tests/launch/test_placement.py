"""Who gets which cores."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.errors import UsageError
from sweeper.launch import Placement, place_cores

CORES = st.frozensets(st.integers(0, 200), min_size=1, max_size=80)


def cores(*numbers: int) -> frozenset[int]:
    return frozenset(numbers)


@pytest.mark.parametrize(
    ("available", "server", "load", "expected"),
    [
        (range(1), None, None, Placement(None, None)),
        (range(2), None, None, Placement(None, None)),
        (range(3), None, None, Placement(None, None)),
        (range(4), None, None, Placement(cores(0, 1, 2), cores(3))),
        ((1, 3, 5, 7), None, None, Placement(cores(1, 3, 5), cores(7))),
        (range(8), None, None, Placement(frozenset(range(6)), cores(6, 7))),
        (range(64), None, None, Placement(frozenset(range(62)), cores(62, 63))),
        (range(4), {0}, None, Placement(cores(0), cores(1, 2, 3))),
        (range(4), None, {0, 1}, Placement(cores(2, 3), cores(0, 1))),
        (range(2), {0}, None, Placement(cores(0), cores(1))),
        (range(2), {0, 1}, None, Placement(cores(0, 1), None)),
        (range(2), None, {0, 1}, Placement(None, cores(0, 1))),
        (range(2), {0, 1}, {1}, Placement(cores(0, 1), cores(1))),
    ],
)
def test_placement(available, server, load, expected):
    asked = [None if cpus is None else frozenset(cpus) for cpus in (server, load)]
    assert place_cores(frozenset(available), *asked) == expected


@pytest.mark.parametrize(
    ("available", "processes", "load"),
    [(2, 4, None), (4, 1, 1), (4, 2, 2), (4, 9, 2), (8, 1, 2), (8, 3, 3), (16, 12, 8)],
)
def test_each_of_the_loads_processes_gets_a_core_up_to_half_of_them(available, processes, load):
    placement = place_cores(frozenset(range(available)), load_processes=processes)
    assert placement.load == (load and frozenset(range(available - load, available)))
    assert placement.shared == (load is None)


@settings(deadline=None)
@given(CORES)
def test_by_default_all_cores_are_used_once_or_shared_by_both(available):
    placement = place_cores(available)
    assert placement.shared == (len(available) < 4)
    if not placement.shared:
        assert placement.server | placement.load == available
        assert len(placement.server) >= 3 * len(placement.load)


@settings(deadline=None)
@given(CORES, CORES)
def test_what_is_asked_for_holds(available, asked):
    if asked <= available:
        placement = place_cores(available, server_cpus=asked)
        assert placement.server == asked
        assert placement.shared == (asked == available)
    else:
        with pytest.raises(UsageError, match=r"--server-cpus .* are available"):
            place_cores(available, server_cpus=asked)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"load_cpus": cores(0, 9)}, "--load-cpus 0,9: only the cores 0-3 are available"),
        ({"server_cpus": cores()}, "--server-cpus names no core: name some of 0-3"),
    ],
)
def test_cores_that_are_not_there_are_refused(asked, sentence):
    with pytest.raises(UsageError, match=sentence):
        place_cores(cores(0, 1, 2, 3), **asked)
