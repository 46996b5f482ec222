"""Several loads as settings: how they are written, what is refused, and that one load is as it was."""

from __future__ import annotations

import pytest

from sweeper.errors import UsageError
from sweeper.settings.combine import combine
from sweeper.settings.command_settings import GridSettings
from sweeper.settings.study_settings import StudySettings
from sweeper.settings.validate import settings
from sweeper.study.resume import settings_differences as differences

P99 = {"objective": "p99"}


def chosen(command: str = "grid", **values: object) -> StudySettings:
    return settings(combine(values, {}, {}, command=command))


@pytest.mark.parametrize("given", ["10,50,100", "100, 10,50", [50, 10, 100], (10, 50, 100)])
def test_several_numbers_of_users_are_sorted(given: object) -> None:
    found = chosen(users=given)
    assert found.loads == (10.0, 50.0, 100.0)
    assert (found.most_users, found.fewest_users) == (100, 10)
    assert found.plain()["users"] == [10, 50, 100]
    assert found.rule.loads == 3


def test_several_rates() -> None:
    found = chosen(rate="80,20.5", **P99)
    assert (found.loads, found.largest_rate) == ((20.5, 80.0), 80.0)
    assert found.plain()["rate"] == [20.5, 80.0]


@pytest.mark.parametrize(("users", "rate"), [("50", None), (50, None), (None, "40"), (None, None)])
def test_one_load_is_as_it_was(users: object, rate: object) -> None:
    given = {name: value for name, value in (("users", users), ("rate", rate)) if value is not None}
    found = chosen(**given, **(P99 if rate else {}))
    assert found.loads == ()
    assert found.rule.loads == 1
    assert found.plain()["users"] == (int(str(users)) if users else 100)
    assert found.plain().get("rate") == (40.0 if rate else None)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"users": "10,10"}, ["--users '10,10'", "different"]),
        ({"users": "10,"}, ["--users '10,'", "10,50,100"]),
        ({"users": "10,many"}, ["--users '10,many'"]),
        ({"users": "1,10"}, ["--users '1,10'", "from 2"]),
        ({"users": "10,20000"}, ["--users '10,20000'", "10000"]),
        ({"users": "2,3,4,5,6,7,8,9,10"}, ["--users", "2 to 8"]),
        ({"users": "10.5,20"}, ["--users '10.5,20'", "whole number"]),
        ({"rate": "20,20", **P99}, ["--rate '20,20'", "different"]),
        ({"rate": "0,20", **P99}, ["--rate '0,20'", "above 0"]),
        ({"rate": "20,50"}, ["--rate 20,50 needs --objective p99"]),
        ({"rate": "20,50", "users": "10,20", **P99}, ["--rate 20,50 and --users 10,20 exclude each other"]),
        ({"rate": "20,50", "locustfile": "a.py", **P99}, ["--rate 20,50 and --locustfile 'a.py'"]),
        (
            {"rate": "0.5,20", **P99},
            ["--rate 0.5,20 is too low for --window 10s: about 5 requests", "--window 40s"],
        ),
        ({"rate": "20", "expect_load_workers": "101", **P99}, ["--expect-load-workers 101", "at most 100"]),
        ({"users": "3,50", "load_processes": "4"}, ["--load-processes 4 is above --users 3"]),
    ],
)
def test_what_is_refused(values: dict[str, object], words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(**values)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("users", "10,50"), ("rate", "20,50")])
def test_a_search_takes_one_load(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"--{name} {value}: only sweeper grid takes several loads"):
        chosen("optimize", **{name: value, **(P99 if name == "rate" else {})})


def test_a_locust_file_may_be_combined_with_several_users() -> None:
    assert chosen(users="10,50", locustfile="a.py").loads == (10.0, 50.0)


def test_what_differs_from_a_study_is_named() -> None:
    one = GridSettings.model_validate({"users": 100})
    assert differences(one, combine({"users": "100"}, {}, {})) == ()
    assert differences(one, combine({"users": "10,100"}, {}, {})) == (
        "users is 100 in the study, 10,100 now",
    )
    several = chosen(users="10,100")
    assert differences(several, combine({"users": "100,10"}, {}, {})) == ()
    assert differences(several, combine({}, {}, {})) == ()
