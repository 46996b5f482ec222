"""`sweeper compare`: what it prints, its exit codes, and what cannot be compared."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sweeper.cli.main import main
from sweeper.records.finding import Verdict
from sweeper.settings.command_settings import GridSettings
from sweeper.study.planning import plan_of
from tests.support.builders import record
from tests.support.recorded import MACHINE, PEAK, drawn, keep

QUIET = {"drift": 0.002}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("studies")
    packages = {**MACHINE, "packages": {**MACHINE["packages"], "numpy": "2.5.0"}}
    slower = {workers: 0.8 * rps for workers, rps in PEAK.items()}
    fifty = GridSettings.model_validate({"model": "forest", "users": 50})
    keep(place, "before", drawn(**QUIET, seed=1))
    keep(place, "same", drawn(**QUIET, seed=2), environment=packages)
    keep(place, "slower", drawn(slower, **QUIET, seed=3))
    keep(place, "lost", drawn({**PEAK, 1: 30.0}, **QUIET, seed=4))
    keep(place, "load", drawn(**QUIET, seed=5), fifty)
    keep(place, "bigger", drawn(slower, **QUIET, seed=6), environment={**MACHINE, "cores": 64})
    keep(place, "restless", drawn(drift=0.1, seed=8))
    keep(place, "unfinished", drawn()[:6], complete=False)
    first_block = drawn()[:6]
    keep(place, "failed", [dataclasses.replace(r, verdict=Verdict.FAILED, figures=None) for r in first_block])
    return place


def compare(folder: Path, *arguments: str) -> int:
    return main(["compare", *arguments, "--studies-dir", str(folder)])


def test_nothing_worse(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(folder, "before", "same") == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith(
        "A  before: grid of xgboost, 2026-01-01 10:00 UTC, 3 valid blocks, recommended 8"
    )
    assert "Machine: the same" in lines
    assert "Software, model and data: packages.numpy 2.4.6 → 2.5.0" in lines
    assert "Settings: the same" in lines
    table = [line.split() for line in lines if "requests/s" in line]
    assert [row[:2] for row in table][2] == ["→", "8"]
    assert table[2][-2:] == ["not", "worse"]
    assert sum("p99 ms" in line for line in lines) == 5
    assert all(len(line) <= 130 for line in lines if "ms" in line or "requests/s" in line)
    assert lines[-1].startswith("Not worse: B's throughput with 8 workers is ")
    assert "different hours" in out


def test_worse(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(folder, "before", "slower") == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("Worse: B's throughput with 8 workers is 0.8")
    assert compare(folder, "before", "slower", "--tolerance", "0.3") == 0
    assert "tolerance of 30%" in capsys.readouterr().out
    assert compare(folder, "slower", "before") == 0
    assert "Better: B's throughput with 8 workers is 1.2" in capsys.readouterr().out


def test_all_are_judged_where_that_is_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(folder, "before", "lost") == 0
    assert compare(folder, "before", "lost", "--all") == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("Worse: B's throughput with 1 worker is 0.5")
    assert compare(folder, "before", "same", "--all") == 0
    assert "None is shown to be worse by more than the tolerance of 5%." in capsys.readouterr().out


def test_another_load_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(folder, "before", "load") == 0
    out = capsys.readouterr().out
    assert "Settings: measured xgboost → forest; users 100 → 50" in out
    assert "The load is not the same (users)" in out


def test_another_machine_is_compared_by_ratios(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(folder, "before", "bigger") == 0
    out = capsys.readouterr().out
    assert "Machine: cores 4 → 64" in out
    assert "of different machines" in out and "different hours" not in out
    head = next(line for line in out.splitlines() if line.startswith("workers"))
    assert "beside 4" in head and "B ÷ A" not in head
    assert "the reference" in out
    assert "Not worse: relative to 4 workers, B's throughput with 8 workers is " in out


def test_what_it_would_take_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(folder, "restless", "before") == 0
    out = capsys.readouterr().out
    assert "Undecided: B's throughput with 8 workers is " in out
    assert "a quieter host" in out
    assert "Relative to 4 workers, B's throughput is " in out


def test_for_machines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(folder, "before", "slower", "--json") == 1
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    seen: dict[str, Any] = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert (seen["a"], seen["b"], seen["worse"], seen["same_machine"]) == ("before", "slower", True, True)
    assert [one["workers"] for one in seen["configurations"]] == [1, 4, 8, 16, 32]
    eight = seen["configurations"][2]
    assert (eight["change"], eight["by_reference"], eight["limit"]) == ("worse", False, None)
    rps = eight["figures"]["rps"]
    assert rps["ratio"]["low"] < rps["ratio"]["mean"] < rps["ratio"]["high"] < 0.95
    assert rps["relative"]["mean"] == pytest.approx(1, abs=0.05)
    assert seen["judged"][0]["workers"] == 8
    assert seen["reference"]["workers"] == 4


def test_studies_may_lie_in_different_places(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path, "before", drawn({w: 0.8 * rps for w, rps in PEAK.items()}, **QUIET))
    assert compare(folder, "before", str(tmp_path / "before")) == 1
    monkeypatch.chdir(tmp_path)
    assert compare(folder, "./before", "before") == 0
    assert "Better" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["before", "nobody"], ["no study 'nobody'", "before"]),
        (["before", "before"], ["both study 'before'"]),
        (["before", "{folder}/before"], ["both study 'before'"]),
        (["before", "unfinished"], ["'unfinished' is not finished", "sweeper grid --study unfinished"]),
        (["unfinished", "before"], ["'unfinished' is not finished"]),
        (["before", "failed"], ["'failed' has no valid run"]),
        (["failed", "before"], ["'failed' has no valid run"]),
        (["before", "same", "--tolerance", "0"], ["--tolerance '0'", "0.05"]),
    ],
)
def test_what_cannot_be_compared(
    arguments: list[str], words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = compare(folder, *(argument.replace("{folder}", str(folder)) for argument in arguments))
    said(code, capsys, words)


def said(code: int, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    """One sentence, and not the exit code that means worse."""
    printed = capsys.readouterr()
    assert code == 2
    assert printed.out == "" and printed.err.count("\n") == 1
    assert "Traceback" not in printed.err
    for word in words:
        assert word in printed.err


def test_nothing_in_common(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, workers in (("few", [1, 2]), ("many", [16, 32]), ("partly", [2, 16])):
        settings = GridSettings.model_validate({"workers": workers, "seed": 0, "max_blocks": 3})
        records = [record(w, block) for block in (1, 2, 3) for w in workers]
        keep(tmp_path, name, _as_planned(records, settings), settings)
    said(compare(tmp_path, "few", "many"), capsys, ["no configuration", "in common"])
    said(compare(tmp_path, "few", "partly"), capsys, ["'partly' has no valid run of workers=1", "--all"])


def _as_planned(records: list[Any], settings: GridSettings) -> list[Any]:
    """With the run ids that a study of these settings gives them."""
    plan = plan_of("s", settings, MACHINE)
    by_place = {(r.configuration.workers, r.plan.block): r for r in records}
    return [
        dataclasses.replace(by_place[run.configuration.workers, block], plan=run)
        for block in (1, 2, 3)
        for run in plan.block(block, {})  # type: ignore[union-attr]
    ]


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("UPDATE sweeper_schema SET version = 99", "schema version 99"),
        ("UPDATE sweeper_runs SET figures = '{'", "is damaged"),
        ("UPDATE sweeper_studies SET settings = '{\"tomorrow\": 1}'", "'tomorrow' is not a setting"),
    ],
)
def test_what_cannot_be_read_is_not_called_worse(
    statement: str, word: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(folder / "studies.db", tmp_path)
    with sqlite3.connect(tmp_path / "studies.db") as raw:
        raw.execute(statement)
    raw.close()
    said(compare(tmp_path, "before", "same"), capsys, [word])


def test_runs_that_are_not_valid_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = GridSettings.model_validate({"workers": [1, 4, 8], "seed": 0, "max_blocks": 3})
    valid = [record(w, block) for block in (1, 2, 3) for w in (1, 4, 8)]
    suspect = [
        dataclasses.replace(r, verdict=Verdict.SUSPECT) if r.configuration.workers == 1 else r for r in valid
    ]
    keep(tmp_path, "a", _as_planned(valid, settings), settings)
    keep(tmp_path, "b", _as_planned(suspect, settings), settings)
    assert compare(tmp_path, "a", "b", "--all") == 0
    assert "Not compared, because a valid run in one study is missing: 1." in capsys.readouterr().out
