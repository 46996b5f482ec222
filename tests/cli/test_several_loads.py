"""Several loads on the command line: the plan, wrong use, reading again, comparing."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from sweeper.cli.main import main
from tests.support.recorded import MACHINE, PEAK, drawn, keep
from tests.support.several_loads import APART, TWO, chosen, drawn_under

COMMAND = ("--launcher", "command", "--server-command", "sleep {port}", "--data", "rows.csv")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")


def test_the_plan_says_loads_runs_and_that_nothing_confirms(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grid", *COMMAND, "--users", "80,10", "--workers", "1,4,8", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "launcher command, 10 and 80 users" in out
    assert out.count("(load 10)") == out.count("(load 80)") == 3
    assert "under every load" in out
    assert "then         nothing: the answer is not confirmed" in out
    assert "a study of several loads has no confirmation run" in out
    assert "(18 to 84 runs)" in out
    assert not Path("studies").exists()


def test_the_plan_of_several_rates(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grid", *COMMAND, "--rate", "20,50", "--objective", "p99", "--dry-run"]) == 0
    assert "20 and 50 requests/s at random" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("grid", "--users", "10,10"), ("--users '10,10'", "different")),
        (("grid", "--users", "1,10"), ("--users '1,10'", "from 2 to 10000")),
        (("grid", "--rate", "20,50"), ("--rate 20,50", "--objective p99")),
        (("optimize", "--users", "10,50"), ("--users 10,50", "only sweeper grid takes several loads")),
        (("optimize", "--rate", "10,50", "--objective", "p99"), ("--rate 10,50", "only sweeper grid")),
        (("scenarios", "--users", "10,50"), ("--users",)),
        (("grid", "--users", "2,50", "--load-processes", "4"), ("--load-processes 4", "--users 2")),
    ],
)
def test_wrong_use(
    arguments: tuple[str, ...], words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    command, *rest = arguments
    given = [command, *(COMMAND if command != "scenarios" else ()), *rest]
    assert main(given) == 2
    said = capsys.readouterr()
    assert said.out == ""
    for word in words:
        assert word in said.err
    assert not Path("studies").exists()


def test_a_recorded_study_is_read_again(capsys: pytest.CaptureFixture[str]) -> None:
    keep(Path("studies"), "both", drawn_under(TWO), chosen())
    keep(Path("studies"), "apart", drawn_under(APART), chosen())
    assert main(["recommend", "both", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["status"], document["workers"], document["loads"]["disagree"]) == (
        "recommended",
        4,
        False,
    )
    assert main(["recommend", "apart", "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    own = [one["configuration"]["workers"] for one in document["loads"]["under"]]
    assert (document["status"], document["workers"], own) == ("inconclusive", None, [1, 4])
    assert document["loads"]["disagree"] is True
    assert main(["export", "both", "--out", "-"]) == 0
    assert "load" in capsys.readouterr().out.splitlines()[0].split(",")
    assert main(["studies"]) == 0


def test_a_database_without_the_column_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    keep(Path("studies"), "old", drawn())
    assert main(["recommend", "old", "--format", "json"]) == 0
    before = capsys.readouterr().out
    with sqlite3.connect("studies/studies.db") as connection:
        connection.execute("ALTER TABLE sweeper_runs DROP COLUMN load")
    assert main(["recommend", "old", "--format", "json"]) == 0
    assert capsys.readouterr().out == before
    assert "loads" not in json.loads(before)


def test_a_packed_study_keeps_its_loads(capsys: pytest.CaptureFixture[str]) -> None:
    keep(Path("studies"), "both", drawn_under(TWO), chosen())
    assert main(["recommend", "both", "--format", "json"]) == 0
    before = json.loads(capsys.readouterr().out)
    assert main(["pack", "both", "--out", "both.zip"]) == 0
    capsys.readouterr()
    assert main(["recommend", "both.zip", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == before


def test_two_studies_are_compared_under_each_load_that_both_have(capsys: pytest.CaptureFixture[str]) -> None:
    slower = {10.0: TWO[10.0], 80.0: {workers: 0.7 * rps for workers, rps in TWO[80.0].items()}}
    keep(Path("studies"), "before", drawn_under(TWO, seed=1), chosen())
    keep(Path("studies"), "same", drawn_under(TWO, seed=2), chosen())
    keep(Path("studies"), "slower", drawn_under(slower, seed=3), chosen())
    keep(Path("studies"), "one", drawn(PEAK), environment=MACHINE)
    assert main(["compare", "before", "same", "--tolerance", "0.1"]) == 0
    out = capsys.readouterr().out
    assert out.index("Load: 10") < out.index("Load: 80")
    assert main(["compare", "before", "slower", "--tolerance", "0.1", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["worse"] is True
    assert [(one["load"], one["worse"]) for one in document["loads"]] == [(10.0, False), (80.0, True)]
    assert main(["compare", "before", "one"]) == 2
    assert "have no load in common" in capsys.readouterr().err
