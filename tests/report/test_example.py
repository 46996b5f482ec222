"""The example study of the repository: its packed runs, its answer and its table of runs say the same."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from sweeper.cli.main import main
from tests.support.example_study import EXAMPLE


def recorded() -> dict[str, object]:
    found: dict[str, object] = json.loads((EXAMPLE / "recommendation.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize("named", ["studies/example-xgboost", "example-xgboost"])
def test_its_answer_is_what_follows_from_its_runs(
    named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By folder and by name, as in a fresh clone."""
    monkeypatch.chdir(EXAMPLE.parents[1])
    assert main(["recommend", named, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == recorded()
    assert recorded()["status"] == "recommended"


def test_its_page_has_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(EXAMPLE.parents[1])
    page = tmp_path / "page.html"
    assert main(["report", "studies/example-xgboost", "--out", str(page)]) == 0, capsys.readouterr().err
    assert f"Set {recorded()['workers']} workers" in page.read_text("utf-8")
    assert str(recorded()["reason"]) in page.read_text("utf-8")


def test_every_valid_run_is_in_the_table() -> None:
    with (EXAMPLE / "runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    closed = [row for row in rows if row["verdict"] == "valid" and not row["arrivals_per_s"]]
    candidates = recorded()["candidates"]
    assert isinstance(candidates, list)
    assert len(closed) == sum(candidate["runs"] for candidate in candidates)
