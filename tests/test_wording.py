"""How a sentence names configurations, and the verbs that go with it."""

from __future__ import annotations

from sweeper.findings.wording import Names
from sweeper.records import Configuration

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
