"""`sweeper studies`: what there is, newest first, also where one of them cannot be read."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import sweeper.cli.studies
from sweeper.cli.main import main
from sweeper.records.finding import Verdict
from sweeper.report.text.studies import Listed
from sweeper.settings.command_settings import GridSettings
from sweeper.store import answers_cache
from sweeper.store.database import StoredStudy
from sweeper.study.find_study import Where
from tests.support.builders import failed, record
from tests.support.commands import environment
from tests.support.recorded import drawn, keep


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("studies")
    keep(place, "first", drawn(), created_at="2026-01-01T10:00:00Z")
    under_way = GridSettings.model_validate({"code_dir": "some/where/checkout/"})
    keep(place, "second", drawn()[:7], under_way, created_at="2026-01-03T10:00:00Z", complete=False)
    flat = drawn(dict.fromkeys((1, 4, 8, 16, 32), 100.0), deviation=0.1)
    keep(place, "third", flat, created_at="2026-01-02T10:00:00Z")
    return place


def listed(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert main(["studies", "--studies-dir", str(folder), *more]) == 0
    return capsys.readouterr().out


def test_newest_first_each_with_its_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, *lines = listed(folder, capsys).splitlines()
    assert head.split()[:3] == ["study", "command", "measured"]
    assert [line.split()[:5] for line in lines] == [
        ["second", "grid", "checkout", "2026-01-03", "10:00"],
        ["third", "grid", "xgboost", "2026-01-02", "10:00"],
        ["first", "grid", "xgboost", "2026-01-01", "10:00"],
    ]
    assert "not finished" in lines[0] and "7" in lines[0].split()
    assert "inconclusive" in lines[1]
    assert "recommended 8" in lines[2]
    assert lines[2].rstrip().endswith(("s", "min"))


def test_the_same_for_machines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = listed(folder, capsys, "--json")
    assert out.count("\n") == 1
    second, third, first = json.loads(out)["studies"]
    assert (second["status"], second["workers"], second["complete"]) == ("not finished", None, False)
    assert second["runs"] == {"valid": 7, "suspect": 0, "failed": 0}
    assert (third["status"], third["configuration"]) == ("inconclusive", None)
    assert (first["study"], first["measured"], first["workers"]) == ("first", "xgboost", 8)
    assert first["elapsed_s"] == 20.0 * len(drawn())
    assert first["blocks"] == 3


def test_suspect_and_failed_runs_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = [record(4, 1, verdict=Verdict.SUSPECT), failed(8, 2), failed(8, 3)]
    keep(tmp_path, "odd", odd)
    assert json.loads(listed(tmp_path, capsys, "--json"))["studies"][0]["runs"] == {
        "valid": 0, "suspect": 1, "failed": 2,
    }  # fmt: skip
    assert "0 +1 suspect +2 failed" in listed(tmp_path, capsys)


def test_one_that_cannot_be_read_does_not_hide_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(tmp_path, "good", drawn())
    keep(tmp_path, "bad", drawn()[:3], created_at="2026-02-01T10:00:00Z")
    keep(tmp_path, "newer", [], created_at="2026-03-01T10:00:00Z")
    with sqlite3.connect(tmp_path / "studies.db") as raw:
        raw.execute("UPDATE sweeper_runs SET figures = 'x' WHERE study = 'bad'")
        raw.execute("UPDATE sweeper_studies SET settings = '{\"tomorrow\": 1}' WHERE name = 'newer'")
    raw.close()
    lines = listed(tmp_path, capsys).splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["newer", "bad", "good"]
    assert "cannot be read" in lines[1] and "recommended 8" in lines[3]
    assert lines[4].startswith("newer: ") and "'tomorrow' is not a setting" in lines[4]
    assert lines[5].startswith("bad: run b01-01-w")
    found = json.loads(listed(tmp_path, capsys, "--json"))["studies"]
    assert [study["status"] for study in found] == [None, None, "recommended"]
    assert "damaged" in found[1]["trouble"] and found[2]["trouble"] is None


def test_a_chosen_study_in_the_environment_does_not_matter(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEEPER_STUDY", "first")
    assert len(listed(folder, capsys).splitlines()) == 4


def test_what_was_worked_out_is_not_worked_out_again(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 500 studies that would take ten seconds; a study under way is worked out each time."""
    before = listed(folder, capsys), listed(folder, capsys, "--json")
    worked_out: list[str] = []
    real = sweeper.cli.studies._listed

    def spy(study: StoredStudy, where: Where) -> Listed:
        worked_out.append(study.name)
        return real(study, where)

    monkeypatch.setattr(sweeper.cli.studies, "_listed", spy)
    assert (listed(folder, capsys), listed(folder, capsys, "--json")) == before
    assert worked_out == ["second", "second"]


def test_a_study_that_has_changed_is_worked_out_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(tmp_path, "changed", drawn())
    assert "recommended 8" in listed(tmp_path, capsys)
    with sqlite3.connect(tmp_path / "studies.db") as raw:
        raw.execute("UPDATE sweeper_runs SET workers = 'x' WHERE block = 1")
    raw.close()
    assert "cannot be read" in listed(tmp_path, capsys)


@pytest.mark.parametrize("content", ["", "[]", "x", '{"a": 5}', "{" * 100_000])
def test_a_damaged_cache_only_costs_time(
    content: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    expected = listed(folder, capsys)
    file = answers_cache.file()
    spoilt = content
    if content == '{"a": 5}':
        spoilt = json.dumps({key: {"brief": {"configuration": 5}} for key in json.loads(file.read_text())})
    file.write_text(spoilt)
    assert listed(folder, capsys) == expected


def test_the_list_needs_no_statistics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Their import takes longer than all the rest of a list that was worked out before."""
    keep(tmp_path, "done", drawn())
    listed(tmp_path, capsys)
    code = (
        "import sys; from sweeper.cli.main import main; main(sys.argv[1:]); "
        "sys.exit(str({'scipy', 'pandas', 'optuna'} & set(sys.modules)))"
    )
    argv = [sys.executable, "-c", code, "studies", "--studies-dir", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment(), timeout=120, check=False)
    assert done.stderr.strip() == "set()"
