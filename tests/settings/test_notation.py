"""Values as people write them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sweeper.settings.notation import cpu_set, format_cpu_list


@given(st.sets(st.integers(0, 300), min_size=1))
def test_lists_of_cores_are_read_back(cores: set[int]) -> None:
    assert cpu_set(format_cpu_list(cores)) == tuple(sorted(cores))


def test_lists_of_cores_are_written_short() -> None:
    assert format_cpu_list([8, 3, 2, 1, 0, 5]) == "0-3,5,8"
