"""The space of a search: how it is written, what it holds, what comes closest to DRUM's default."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.errors import UsageError
from sweeper.records.configuration import Choices, Configuration, Space
from sweeper.records.run import Objective
from sweeper.settings.combine import Given, combine
from sweeper.settings.command_settings import OptimizeSettings
from sweeper.settings.notation import choices
from sweeper.settings.validate import settings


def optimize(**values: object) -> OptimizeSettings:
    chosen = settings(combine(values, {}, {}, command="optimize"))
    assert isinstance(chosen, OptimizeSettings)
    return chosen


def refusal(given: Given) -> str:
    with pytest.raises(UsageError) as caught:
        settings(given)
    return str(caught.value)


def space(**values: object) -> Space:
    return optimize(**values).space


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1..4", Choices((1, 2, 3, 4), is_range=True)),
        (" 1 .. 3 ", Choices((1, 2, 3), is_range=True)),
        ("4..4", Choices((4,))),
        ("4", Choices((4,))),
        ("16,4,8", Choices((4, 8, 16))),
        ("auto,uvloop", Choices(("auto", "uvloop"))),
        ([8, 4], Choices((4, 8))),
        (4, Choices((4,))),
    ],
)
def test_what_is_written_is_what_is_meant(text: object, expected: Choices) -> None:
    assert choices(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "..", "1..", "..4", "4..1", "1...4", "1..4..8", "4,4", "1,,4", "-1..4", "1.5..4", "a..b", "1,auto",
     "auto,auto", "x y", "../x", [], [1.5], [True], [[1]], {}, None, 0.5, "0..999999999"],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(text: object) -> None:
    with pytest.raises(ValueError):
        choices(text)


@given(low=st.integers(1, 300), more=st.integers(0, 300))
def test_a_range_is_read_back_as_it_is_written(low: int, more: int) -> None:
    meant = Choices.between(low, low + more)
    assert choices(meant.text) == meant


def test_the_defaults_search_workers_alone() -> None:
    plain = optimize()
    assert plain.workers.text == "1..64"
    assert (plain.space.size, plain.trials, plain.search_window) == (64, 20, 5.0)
    assert plain.reference == Configuration(4)
    assert plain.objectives == (Objective.THROUGHPUT,)


def test_a_joint_space_holds_every_combination_once() -> None:
    joint = space(workers="1..8", model_threads="1..4", processes="1,2", tune=["B=1..3", "A=x,y"])
    assert joint.size == 8 * 4 * 2 * 3 * 2 == len(set(joint))
    assert [d.name for d in joint.dimensions] == ["workers", "model_threads", "processes", "A", "B"]
    assert Configuration(8, 4, 2, (("A", "y"), ("B", 3))) in set(joint)


def test_what_is_chosen_leads_back_to_the_configuration() -> None:
    joint = space(workers="1..8", model_threads="2", tune=["A=1..3"])
    assert [d.name for d in joint.open] == ["workers", "A"]
    for configuration in joint:
        assert joint.configuration(joint.chosen(configuration)) == configuration


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ({"workers": "1..64"}, Configuration(4)),
        ({"workers": "8..64"}, Configuration(8)),
        ({"workers": "1,3,6"}, Configuration(3)),
        ({"workers": "1..2", "model_threads": "2..4"}, Configuration(2, 2)),
        ({"processes": "2..3"}, Configuration(4, 1, 2)),
        ({"tune": ["A=10,20", "B=x,y"]}, Configuration(4, 1, 1, (("A", 10), ("B", "x")))),
    ],
)
def test_the_reference_is_what_comes_closest_to_the_default(
    spans: dict[str, object], expected: Configuration
) -> None:
    chosen = optimize(**spans)
    assert chosen.reference == expected
    assert expected in set(chosen.space)


def test_settings_come_back_from_the_file_they_are_kept_in() -> None:
    chosen = optimize(workers="1..32", tune=["B=1..3", "A=x,y"], objective="throughput,p99", trials="7")
    plain = chosen.plain()
    assert plain["command"] == "optimize"
    assert plain["workers"] == "1..32"
    again = settings(combine({}, {}, plain, "study.toml", command="optimize"))
    assert again == chosen


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"workers": "64..1"}, ["--workers '64..1'", "1..64"]),
        ({"workers": "0..4"}, ["--workers '0..4'", "1 to 1024"]),
        ({"workers": "1..2000"}, ["--workers", "1024"]),
        ({"workers": "auto"}, ["--workers 'auto'"]),
        ({"model_threads": "0"}, ["--model-threads '0'", "1..4"]),
        ({"processes": "1..500"}, ["--processes", "199"]),
        ({"trials": "0"}, ["--trials '0'", "1 to 1000"]),
        ({"trials": "many"}, ["--trials 'many'"]),
        ({"tune": ["A"]}, ["--tune", "NAME=8,32,128"]),
        ({"tune": ["A=1", "A=2"]}, ["--tune"]),
        ({"tune": ["A="]}, ["--tune"]),
        ({"tune": ["A=4..1"]}, ["--tune"]),
        ({"objective": "latency"}, ["--objective 'latency'", "throughput,p99"]),
        ({"objective": "p99,p99"}, ["--objective"]),
        ({"search_window": "1s"}, ["--search-window '1s'", "2s to 60m"]),
    ],
)
def test_wrong_spans_are_one_sentence(values: dict[str, object], words: list[str]) -> None:
    message = refusal(combine(values, {}, {}, command="optimize"))
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_file_of_another_command_is_named() -> None:
    with pytest.raises(UsageError, match=r"my.toml has settings of sweeper optimize, not of sweeper grid"):
        combine({}, {}, {"command": "optimize"}, "my.toml", command="grid")
    with pytest.raises(UsageError, match="'trials' is not a setting of sweeper grid"):
        combine({}, {}, {"trials": 5}, "my.toml", command="grid")


def test_variables_of_another_command_are_passed_over() -> None:
    environment = {"SWEEPER_TRIALS": "5", "SWEEPER_USERS": "30"}
    assert combine({}, environment, {}, command="grid").values == {"users": "30"}
    assert combine({}, environment, {}, command="optimize").values == {"users": "30", "trials": "5"}


def test_fewer_processes_then_fewer_threads_come_first() -> None:
    ordered = [
        Configuration(1),
        Configuration(1, 2),  # as many threads as the next one, fewer workers
        Configuration(2),
        Configuration(8),
        Configuration(4, 4),
        Configuration(64),
        Configuration(1, 1, 2),
        Configuration(4, 1, 2, (("A", 1),)),
        Configuration(4, 1, 2, (("A", 2),)),
    ]
    assert sorted(random.Random(0).sample(ordered, len(ordered))) == ordered
