"""Words and figures: how many, how long, and how a sentence names configurations."""

from __future__ import annotations

import pytest

from sweeper.records.configuration import Configuration
from sweeper.records.wording import (
    Names,
    and_join,
    counted,
    duration,
    percent,
    rounded,
    significant,
    tally,
    three_digits,
)

ONE, FOUR = Configuration(1), Configuration(4)


def said(names: Names, *configurations: Configuration) -> str:
    return f"{names.all(configurations)} {names.verb_of_all(configurations, 'gives', 'give')}"


def test_counts_where_only_they_differ() -> None:
    names = Names([ONE, FOUR])
    assert names.kind == "count"
    assert [names.full(c) for c in (ONE, FOUR)] == ["1 worker", "4 workers"]
    assert [names.verb(c, "gives", "give") for c in (ONE, FOUR)] == ["gives", "give"]
    assert [said(names, FOUR), said(names, ONE, FOUR)] == ["4 gives", "1 and 4 give"]


def test_what_is_the_same_for_all_is_not_said() -> None:
    shared = {"model_threads": 2, "processes": 3, "parameters": (("batch", 8),)}
    names = Names([Configuration(1, **shared), Configuration(4, **shared)])
    assert names.full(Configuration(4, **shared)) == "4 workers"


def test_whatever_they_differ_in_is_said_of_each() -> None:
    joint = Configuration(1, model_threads=3, processes=2)
    names = Names([ONE, joint])
    assert names.kind == "configuration"
    assert said(names, ONE) == "1 process x 1 worker x 1 model thread give"
    assert said(names, joint) == "2 processes x 1 worker x 3 model threads give"


def test_tuned_parameters_are_named_with_their_values() -> None:
    tuned = Configuration(1, parameters=(("batch", 8), ("same", 1), ("wait_ms", 5)))
    names = Names([Configuration(4, parameters=(("batch", 2), ("same", 1), ("wait_ms", 1))), tuned])
    assert said(names, tuned) == "1 worker with batch=8 and wait_ms=5 gives"


def test_how_many() -> None:
    assert [counted(number, "run") for number in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
    assert counted(2, "process", "processes") == "2 processes"
    assert tally({"valid": 3, "suspect": 0, "failed": 1}) == "3 valid, 1 failed"
    assert [and_join(texts) for texts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "", "a", "a and b", "a, b and c",
    ]  # fmt: skip


@pytest.mark.parametrize(("share", "text"), [(0.05, "5%"), (0.995, "99.5%"), (0.07, "7%"), (0.0, "0%")])
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("value", "all_before_the_point", "three"),
    [(0.84, "0.84", "0.84"), (12.34, "12.3", "12.3"), (412.4, "412", "412"), (1859.0, "1,859", "1,860")],
)
def test_figures_in_sentences(value: float, all_before_the_point: str, three: str) -> None:
    assert (significant(value), rounded(value)) == (all_before_the_point, three)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.84, "0.840"), (0.0841, "0.0841"), (9.994, "9.99"), (12.34, "12.3"), (412.4, "412"),
     (999.6, "1,000"), (1234.0, "1,230"), (float("nan"), "0"), (-1.0, "0")],
)  # fmt: skip
def test_three_digits(value: float, text: str) -> None:
    assert three_digits(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (18.2, "18 s"), (59.6, "1 min"), (60, "1 min"), (312, "5 min 12 s"), (3599.7, "1 h"),
     (7300, "2 h 2 min")],
)  # fmt: skip
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
