from __future__ import annotations

import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from sweeper.errors import UsageError
from sweeper.records.configuration import Configuration
from sweeper.records.run import Objective
from sweeper.settings.combine import Given, combine, flag
from sweeper.settings.command_settings import COMMANDS, GridSettings
from sweeper.settings.study_settings import QUICK
from sweeper.settings.validate import settings
from sweeper.statistics.criteria import Rule
from sweeper.study.resume import settings_differences as differences


def flags(**values: object) -> Given:
    return combine(values, {}, {})


def chosen(**values: object) -> GridSettings:
    found = settings(flags(**values))
    assert isinstance(found, GridSettings)
    return found


def refusal(given: Given, defaults: dict[str, object] | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        settings(given, defaults)
    message = str(caught.value)
    assert "\n" not in message
    assert "pydantic" not in message
    return message


def test_the_defaults() -> None:
    plain = chosen()
    assert plain.workers == (1, 4, 8, 16, 32)
    assert (plain.users, plain.window, plain.warmup, plain.warmup_cap) == (100, 10.0, 3.0, 20.0)
    assert plain.looks == tuple(range(3, 15))
    assert plain.rule == Rule()
    assert plain.configurations[0] == Configuration(1)


# --- how values are written -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("window", "10s", 10.0),
        ("window", "2500ms", 2.5),
        ("window", "2m", 120.0),
        ("window", "1.5min", 90.0),
        ("window", " 10 s ", 10.0),
        ("window", "10", 10.0),
        ("window", 10, 10.0),
        ("warmup", "0s", 0.0),
        ("slo_p99", "500", 500.0),
        ("slo_p99", "500ms", 500.0),
        ("slo_p99", "0.5s", 0.5e3),
        ("slo_p99", 500, 500.0),
        ("workers", "8,1,4", (1, 4, 8)),
        ("workers", " 1 , 4 ", (1, 4)),
        ("workers", [8, 1], (1, 8)),
        ("server_cpus", "0-3,8", (0, 1, 2, 3, 8)),
        ("server_cpus", "0", (0,)),
        ("server_cpus", "0,0-1", (0, 1)),
        ("server_cpus", [3, 1], (1, 3)),
        ("server_cpus", 2, (2,)),
        ("users", "50", 50),
        ("tolerance", "0.1", 0.1),
        ("objective", "p99", Objective.P99),
        ("quick", "true", True),
    ],
)
def test_values_as_they_may_be_written(name: str, given: object, expected: object) -> None:
    assert getattr(chosen(**{name: given}), name) == expected


BAD: list[tuple[str, object]] = [
    *(("workers", bad) for bad in ("", "4", "1,1", "0,4", "1,2000", "one,two", "1;4", "1,,4", "1.5,2")),
    *(("workers", bad) for bad in ("-1,4", "1_0,2", "1e1,2", ",".join(map(str, range(1, 40))), "٤,8")),
    *(("workers", bad) for bad in ([1, 1], [1, "4"], [[1], [4]], [True, 4], [1.5, 2], {"a": 1}, 4, True, [])),
    *(("users", bad) for bad in ("0", "10001", "many", "1.5", "", "-3", "nan", True, [100], {}, "9" * 5000)),
    *(("window", bad) for bad in ("fast", "-5s", "100ms", "61m", "", "5h", "10 s s", "1e1s", "nan", True)),
    *(("window", bad) for bad in ([10], {"s": 10}, "inf", float("nan"), float("inf"), 1.9, "9" * 400)),
    *(("warmup", bad) for bad in ("-1s", "11m", False)),
    *(("warmup_cap", bad) for bad in ("0s", "31m")),
    *(("drain", bad) for bad in ("0s", "11m", True)),
    *(("start_timeout", bad) for bad in ("0.5s", "2h")),
    *(("min_blocks", bad) for bad in ("1", "101", "x", "2.5", True)),
    *(("max_blocks", bad) for bad in ("1", "101", "")),
    *(("objective", bad) for bad in ("latency", "", 5)),
    *(("slo_p99", bad) for bad in ("0", "-5", "soon", "2h", True, "inf")),
    *(("max_error_rate", bad) for bad in ("-0.1", "1", "nan", "a lot", "1%")),
    *(("tolerance", bad) for bad in ("0", "0.6", "5%", "nan", True)),
    *(("confidence", bad) for bad in ("0.4", "1", "95", "95%", "nan")),
    *(("seed", bad) for bad in ("-1", "x", "2147483648", True)),
    *(("model_threads", bad) for bad in ("0", "257")),
    *(("load_processes", bad) for bad in ("0", "65", "two", True)),
    *(("rate", bad) for bad in ("0", "-5", "100001", "fast", "inf", True)),
    *(("expect_load_workers", bad) for bad in ("0", "1001", "", True)),
    *(("load_master_bind", bad) for bad in ("", "here", "10.0.0", "10.0.0.5:", "::1", 5557)),
    *(("launcher", bad) for bad in ("docker", "", "FastAPI")),
    *(("server_command", bad) for bad in ("", "python server.py", 3)),
    *(("ready_path", bad) for bad in ("ping", "", "/a b", "http://x/")),
    *(("model", bad) for bad in ("", 3)),
    *(("server_cpus", bad) for bad in ("", "9-1", "a", "0-3-5", "-1", "0,", "4096")),
    *(("server_cpus", bad) for bad in ([-1], [5000], [0, 0], [True], True)),
    *(("quick", bad) for bad in ("perhaps", "", 2)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "bad"), BAD, ids=lambda part: str(part)[:20])
def test_every_bad_value_is_one_sentence_naming_it_and_what_is_right(name: str, bad: object) -> None:
    message = refusal(flags(**{name: bad}))
    right = GridSettings.model_fields[name].description
    text = str(bad) if len(str(bad)) <= 60 else f"{str(bad)[:59]}…"
    shown = f"'{text}'" if isinstance(bad, str) else text
    assert message == f"{flag(name)} {shown}: must be {right}"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (combine({}, {"SWEEPER_USERS": "0"}, {}), ["SWEEPER_USERS '0'", "1 to 10000"]),
        (combine({}, {}, {"users": 0}, "my.toml"), ["users in my.toml 0", "1 to 10000"]),
        (combine({"users": "0"}, {"SWEEPER_USERS": "5"}, {}), ["--users '0'"]),
        (combine({}, {"SWEEPER_MAX_BLOCKS": ""}, {}), ["SWEEPER_MAX_BLOCKS ''", "whole number"]),
        (flags(min_blocks="8", max_blocks="4"), ["--min-blocks 8", "--max-blocks 4"]),
        (flags(max_blocks="2"), ["--min-blocks 3", "--max-blocks 2"]),
        (combine({}, {}, {"min_blocks": 50}, "a.toml"), ["min_blocks in a.toml 50", "--max-blocks 14"]),
        (flags(warmup="30s", warmup_cap="5s"), ["--warmup 30s", "--warmup-cap 5s"]),
        (flags(model="a", code_dir="b"), ["--model 'a'", "--code-dir 'b'", "exclude"]),
        (flags(launcher="command"), ["--launcher command", "--server-command", "{port}"]),
        (flags(server_command="run {port}"), ["--server-command", "--launcher command"]),
        (flags(server_cpus="0-2", load_cpus="2,3"), ["--server-cpus", "--load-cpus", "core 2"]),
        (flags(load_processes="8", users="7"), ["--load-processes 8", "--users 7"]),
        (flags(rate="50"), ["--rate 50", "needs --objective p99"]),
        (flags(rate="50", objective="p99", users="10"), ["--rate 50", "--users 10", "exclude"]),
        (flags(rate="50", objective="p99", locustfile="l.py"), ["--rate 50", "--locustfile 'l.py'"]),
        (flags(objective="capacity"), ["--objective capacity", "needs --slo-p99"]),
        (flags(objective="capacity", slo_p99="200", rate="50"), ["--objective capacity", "--rate 50"]),
        (flags(objective="capacity", slo_p99="200", users="50"), ["--objective capacity", "--users 50"]),
        (flags(objective="capacity", slo_p99="200", locustfile="l.py"), ["--locustfile 'l.py'", "exclude"]),
        (flags(objective="capacity", slo_p99="2s"), ["--slo-p99 2000", "--window 10s", "use --window 20s"]),
        (flags(expect_load_workers="8", users="7"), ["--expect-load-workers 8", "--users 7"]),
        (flags(expect_load_workers=2, load_processes=2), ["--load-processes 2", "--expect-load-workers 2"]),
        (flags(load_master_bind="10.0.0.5"), ["--load-master-bind '10.0.0.5'", "add --expect-load-workers"]),
        (flags(quick=True, window="8s"), ["--window '8s'", "--quick", "two blocks of 5s windows"]),
        (flags(quick="yes", max_blocks="5"), ["--max-blocks '5'", "--quick"]),
        (combine({"window": "8s"}, {}, {"quick": True}, "q.toml"), ["--window '8s'", "quick in q.toml"]),
        (flags(quick=True, window="soon"), ["--window 'soon'"]),
    ],
)
def test_what_does_not_go_together(given: Given, words: list[str]) -> None:
    message = refusal(given)
    for word in words:
        assert word in message


# --- where values come from -----------------------------------------------------------------------------


def test_flags_beat_the_environment_beats_the_file() -> None:
    environment = {"SWEEPER_USERS": "20", "SWEEPER_SEED": "2", "HOME": "/"}
    file = {"users": 30, "seed": 3, "tolerance": 0.3, "command": "grid"}
    given = combine({"users": "10", "seed": None}, environment, file, "f.toml")
    result = settings(given)
    assert (result.users, result.seed, result.tolerance, result.confidence) == (10, 2, 0.3, 0.95)
    assert given.names["users"] == "--users"
    assert given.names["seed"] == "SWEEPER_SEED"
    assert given.names["tolerance"] == "tolerance in f.toml"


def test_names_nobody_knows_are_refused_with_the_nearest() -> None:
    with pytest.raises(
        UsageError, match=r"SWEEPER_USRES is not a setting of sweeper: .*; did you mean SWEEPER_USERS"
    ):
        combine({}, {"SWEEPER_USRES": "5"}, {})
    with pytest.raises(UsageError, match=r"f.toml: 'wokers' is not a setting; did you mean workers\?"):
        combine({}, {}, {"wokers": [1, 2]}, "f.toml")
    with pytest.raises(UsageError, match="SWEEPER_AAA is not"):  # the first, always
        combine({}, {"SWEEPER_ZZZ": "1", "SWEEPER_AAA": "1"}, {})
    combine({}, {"SWEEPER_STUDIES_DIR": "x"}, {}, other_variables=("studies_dir",))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_setting_says_what_is_right(command: str) -> None:
    assert all(field.description for field in COMMANDS[command].model_fields.values())


# --- looks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("least", "most", "looks"),
    [
        (3, 10, (3, 4, 5, 6, 7, 8, 9, 10)),
        (3, 3, (3,)),
        (2, 2, (2,)),
        (4, 6, (4, 5, 6)),
        (3, 4, (3, 4)),
        (6, 12, (6, 7, 8, 9, 10, 11, 12)),
        (3, 100, tuple(range(3, 101))),
        (100, 100, (100,)),
    ],
)
def test_looks_are_planned_from_the_blocks(least: int, most: int, looks: tuple[int, ...]) -> None:
    assert chosen(min_blocks=least, max_blocks=most).looks == looks


# --- quick ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", [True, "true", "True", "1", "yes", "on", 1])
def test_quick_means_the_same_however_it_is_spelled(spelling: object) -> None:
    result = settings(combine({}, {}, {"quick": spelling}, "f.toml"))
    assert (result.quick, result.window, result.min_blocks, result.max_blocks) == (True, 5.0, 2, 2)


@pytest.mark.parametrize("spelling", [False, "false", "0", "no"])
def test_not_quick(spelling: object) -> None:
    result = settings(combine({"window": "8s"}, {}, {"quick": spelling}, "f.toml"))
    assert (result.quick, result.window, result.max_blocks) == (False, 8.0, 14)


def test_quick_may_be_repeated_in_other_words() -> None:
    assert chosen(quick=True, window="5000ms", min_blocks="2", max_blocks=2).quick


# --- a study's own file, and resuming -------------------------------------------------------------------

whole = st.fixed_dictionaries(
    {},
    optional={
        "workers": st.lists(st.integers(1, 1024), min_size=2, max_size=6, unique=True),
        "users": st.integers(1, 10_000),
        "window": st.floats(2, 3600).map(lambda value: round(value, 9)),
        "warmup": st.floats(0, 1).map(lambda value: round(value, 9)),
        "drain": st.floats(0.1, 600).map(lambda value: round(value, 9)),
        "min_blocks": st.integers(2, 9),
        "objective": st.sampled_from(["throughput", "p99"]),
        "slo_p99": st.floats(0.001, 3.6e6),
        "tolerance": st.floats(0.001, 0.5),
        "confidence": st.floats(0.5, 0.999),
        "seed": st.integers(0, 2**31 - 1),
        "server_cpus": st.lists(st.integers(0, 63), min_size=1, max_size=4, unique=True),
        "code_dir": st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()),
        "ready_path": st.just("/health"),
    },
)
quick = st.just({"quick": True})


@given(st.one_of(whole, quick))
def test_a_studys_own_file_repeats_it(values: dict[str, Any]) -> None:
    first = chosen(**values)
    text = tomli_w.dumps(first.plain())
    again = settings(combine({}, {}, tomllib.loads(text), "study.toml"))
    assert again == first
    assert differences(first, combine({}, {}, tomllib.loads(text), "study.toml")) == ()


def test_nothing_given_is_no_difference() -> None:
    for stored in (chosen(), chosen(quick=True), chosen(users=7, slo_p99="500ms", server_cpus="0")):
        assert differences(stored, flags()) == ()


def test_the_same_in_other_words_is_no_difference() -> None:
    stored = chosen(window="8s", workers="1,4,8", slo_p99="500")
    assert differences(stored, flags(window="8000ms", workers="8,4,1", slo_p99="0.5s")) == ()
    assert differences(chosen(quick=True), flags(quick=True)) == ()


def test_differences_are_named() -> None:
    stored = chosen(users=100, workers="1,4")
    assert differences(stored, flags(users="50")) == ("users is 100 in the study, 50 now",)
    assert differences(stored, flags(workers="1,4,8")) == ("workers is 1,4 in the study, 1,4,8 now",)
    assert differences(stored, flags(slo_p99="500")) == ("slo_p99 is not set in the study, 500.0 now",)
    assert differences(stored, flags(window="12s")) == ("window is 10s in the study, 12s now",)


def test_quick_and_its_parts_are_differences() -> None:
    assert differences(chosen(quick=True), flags(max_blocks="5")) == ("max_blocks is 2 in the study, 5 now",)
    changed = differences(chosen(), flags(quick=True))
    assert [phrase.split()[0] for phrase in changed] == [*QUICK, "quick"]


def test_a_bad_value_for_an_existing_study_is_still_a_bad_value() -> None:
    with pytest.raises(UsageError, match="--users '0': must be a whole number"):
        differences(chosen(), flags(users="0"))


# --- confirming -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, True),
        ({"confirm": False}, False),
        ({"confirm": "no"}, False),
        ({"confirm": "true"}, True),
        ({"quick": True}, False),
        ({"quick": "yes", "confirm": "1"}, True),
        ({"quick": True, "confirm": False}, False),
        ({"quick": False}, True),
    ],
)
def test_an_answer_is_confirmed_but_for_a_quick_one(given: dict[str, Any], expected: bool) -> None:
    plain = chosen(**given)
    assert plain.confirm is expected
    # What was chosen is stored, and reads back as chosen.
    assert settings(Given(tomllib.loads(tomli_w.dumps(plain.plain())), {})) == plain


def test_confirm_may_stand_in_the_environment_and_in_a_file() -> None:
    assert settings(combine({}, {"SWEEPER_CONFIRM": "off"}, {})).confirm is False
    assert settings(combine({}, {"SWEEPER_CONFIRM": "off"}, {"confirm": True})).confirm is False
    assert settings(combine({"confirm": True}, {"SWEEPER_CONFIRM": "off"}, {})).confirm is True
    assert "SWEEPER_CONFIRM 'maybe': must be true or false" in refusal(
        combine({}, {"SWEEPER_CONFIRM": "maybe"}, {})
    )


def test_resuming_with_another_confirm_is_a_difference() -> None:
    assert differences(chosen(), flags(confirm=False)) == ("confirm is True in the study, False now",)
    assert differences(chosen(confirm=False), flags(confirm=True)) == (
        "confirm is False in the study, True now",
    )
    assert differences(chosen(confirm=False), flags(users="100")) == ()
    assert differences(chosen(quick=True), flags()) == ()
    assert differences(chosen(quick=True), flags(quick=True)) == ()
    # A study of before there was a confirmation goes on with one.
    before = {name: value for name, value in chosen().plain().items() if name != "confirm"}
    assert settings(Given(before, {})).confirm
