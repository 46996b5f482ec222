"""A study of several loads as JSON, on one screen and as a page."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from sweeper.cli import print_answer
from sweeper.cli.report import material
from sweeper.records.answer import Recommendation
from sweeper.report.html.page import page
from sweeper.report.html.page_data import RecommendationData
from sweeper.report.json.recommendation import recommendation_object
from sweeper.store.data_frames import candidates_frame
from sweeper.store.runs_csv import flat
from sweeper.study.find_study import Where
from sweeper.study.read_study import recorded
from tests.support.documents import assert_says
from tests.support.page_reading import Page
from tests.support.recommendations import answer
from tests.support.recorded import keep
from tests.support.several_loads import APART, TWO, chosen, drawn_under
from tests.support.simulation.loads import loads_study

LINES, COLUMNS = 40, 100


def made(folder: Path, truths: dict[float, dict[int, float]]) -> RecommendationData:
    keep(folder, "both", drawn_under(truths), chosen())
    where = Where.from_flags("both", str(folder), None)
    found = material(recorded(where), where)
    assert isinstance(found, RecommendationData)
    return found


def screen(
    recommendation: Recommendation, monkeypatch: pytest.MonkeyPatch, *, verbose: bool = False
) -> list[str]:
    out = Console(file=io.StringIO(), width=COLUMNS, force_terminal=True, color_system=None)
    monkeypatch.setattr(print_answer, "console", lambda: out)
    where = Where("both", Path("studies"), "sqlite:///studies/studies.db")
    print_answer.print_recommendation(recommendation, where, verbose=verbose)
    assert isinstance(out.file, io.StringIO)
    return [line.rstrip() for line in out.file.getvalue().splitlines()]


def test_the_object_has_the_loads_as_its_last_key(tmp_path: Path) -> None:
    found = made(tmp_path, TWO).recommendation
    document = recommendation_object(found)
    assert_says(document["loads"], found.loads)
    assert list(document)[-1] == "loads"
    assert document["loads"]["disagree"] is False
    assert [one["load"] for one in document["loads"]["under"]] == [10.0, 80.0]
    assert (document["workers"], document["users"], document["confirmation"]) == (4, 80, None)


def test_a_study_of_one_load_has_no_such_key() -> None:
    assert "loads" not in recommendation_object(answer([]))


def test_the_table_says_what_each_load_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = screen(made(tmp_path, TWO).recommendation, monkeypatch)
    rows = {words[0] if words[0] != "→" else words[1]: words for words in map(str.split, lines) if words}
    assert any(line.split() == ["workers", "10", "users", "80", "users"] for line in lines)
    assert rows["1"][-4:] == ["dropped", "after", "block", "2"]
    assert rows["1"][2] == "x" and rows["1"][4] == "x"
    assert rows["4"][0] == "→" and rows["4"][-2:] == ["the", "answer"]
    assert {rows["4"][3], rows["8"][2]} <= {"=", "*"}
    assert any(line.startswith("Why under 80 users: ") for line in lines)
    assert "under each of 10 and 80 users" in " ".join(lines)


def test_loads_that_disagree_have_their_own_answers_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made(tmp_path, APART).recommendation
    lines = screen(found, monkeypatch)
    assert lines[0] == "No recommendation"
    assert "10 users need 1 worker and 80 users need 4 workers" in " ".join(lines)
    one = next(line for line in lines if line.split()[:1] == ["1"])
    four = next(line for line in lines if line.split()[:1] == ["4"])
    assert one.split()[1].startswith("→") and not one.split()[3].startswith("→")
    assert four.split()[3].startswith("→") and not four.split()[1].startswith("→")
    assert screen(found, monkeypatch, verbose=True)


def test_the_screen_fits_with_many_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    truths = {float(load): (-0.5, 0.0, 0.0, 0.0, 0.0) for load in (10, 20, 50, 100, 200, 500, 1000, 2000)}
    lines = screen(loads_study(truths, 0.02, np.random.default_rng(0)).found, monkeypatch)
    assert len(lines) <= LINES
    assert [line for line in lines if len(line) > COLUMNS] == []


@pytest.mark.parametrize("truths", [TWO, APART], ids=["two", "apart"])
def test_the_page_has_the_table_and_a_figure(truths: dict[float, dict[int, float]], tmp_path: Path) -> None:
    found = made(tmp_path, truths)
    seen = Page(page(found))
    assert "loads" in seen.sections and "loads" in seen.drawings
    assert [trace["name"] for trace in seen.drawings["loads"]["data"]] == [
        "1 worker",
        "4 workers",
        "8 workers",
    ]
    assert seen.column("loads-table", "workers") == ["1", "4", "8"]
    assert len(seen.column("loads-table", "10 users")) == 3
    assert set(seen.column("runs-table", "load")) == {"10", "80"}
    assert {r.plan.load for r in found.decisive} == {80.0}
    assert len(seen.tables["loads-figures"][1:]) == 6


def test_the_table_of_candidates_has_a_row_for_each_load(tmp_path: Path) -> None:
    found = made(tmp_path, TWO).recommendation
    frame = candidates_frame(found)
    assert [(row.load, row.workers) for row in frame.itertuples()] == [
        (load, workers) for load in (10.0, 80.0) for workers in (1, 4, 8)
    ]
    assert set(frame[frame.answer].workers) == {4}
    under = {load: frame[frame.load == load].set_index("workers").rps for load in (10.0, 80.0)}
    for workers in (1, 4, 8):
        for load, rps in under.items():
            assert rps[workers] == pytest.approx(TWO[load][workers], rel=0.1)


def test_each_run_says_its_load() -> None:
    assert {flat(run)["load"] for run in drawn_under(TWO)} == {10.0, 80.0}
