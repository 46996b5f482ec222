"""`sweeper export`: every table in every format, and what does not fit together."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import sweeper
from sweeper.cli.main import main
from sweeper.report.text.tables import markdown
from sweeper.settings.command_settings import OptimizeSettings
from tests.support.builders import failed
from tests.support.fakes import MemoryStore
from tests.support.optimizations import optimized, peak
from tests.support.recorded import drawn, keep

FIRST = drawn()[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grid with a failed run, and an older search."""
    place = tmp_path_factory.mktemp("studies")
    store = MemoryStore()
    optimized(peak(), store=store)
    settings = OptimizeSettings.model_validate({"trials": 12})
    keep(place, "search", store.saved, settings, created_at="2025-01-01T00:00:00Z")
    keep(place, "grid", [*drawn(), failed(4, 99)])
    return place


def export(folder: Path, *arguments: str) -> int:
    return main(["export", "--studies-dir", str(folder), *arguments])


def test_runs_as_csv_are_runs_csv(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--out", "-"]):
        assert export(folder, *arguments) == 0
        assert capsys.readouterr().out == (folder / "grid" / "runs.csv").read_text()


def test_json_has_null_for_what_is_unavailable(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(folder, "grid", "--format", "json") == 0
    text = capsys.readouterr().out
    rows = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert FIRST.figures is not None
    assert rows[0]["rps"] == FIRST.figures.rps
    assert rows[0]["host_pressure_share"] is None
    assert rows[0]["sentinel"] is False
    assert rows[-1]["started_at"] == "2026-01-01T00:00:00Z"
    assert rows[-1]["verdict"] == "failed" and rows[-1]["rps"] is None


@pytest.mark.parametrize("what", ["requests", "telemetry"])
def test_the_files_of_all_runs_together(what: str, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / f"{what}.parquet"
    assert export(folder, "--what", what, "--out", str(out)) == 0
    frame = pd.read_parquet(out)
    assert list(dict.fromkeys(frame["run_id"])) == [run.plan.run_id for run in drawn()]
    own = getattr(sweeper.load_study(folder / "grid"), what)(FIRST.plan.run_id)
    assert len(frame) == len(drawn()) * len(own)
    pd.testing.assert_frame_equal(frame.iloc[: len(own)].drop(columns="run_id"), own, check_dtype=False)


def test_the_ending_says_the_format(folder: Path, tmp_path: Path) -> None:
    for name in ("t.csv", "t.json", "t.md", "t.parquet", "t.txt"):
        assert export(folder, "search", "--what", "trials", "--out", str(tmp_path / name)) == 0
    trials = sweeper.load_study(folder / "search").trials
    assert pd.read_csv(tmp_path / "t.csv")["workers"].tolist() == trials["workers"].tolist()
    assert [row["number"] for row in json.loads((tmp_path / "t.json").read_text())] == list(
        range(len(trials))
    )
    assert (tmp_path / "t.md").read_text().startswith("| number | workers |")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), trials)
    assert (tmp_path / "t.txt").read_text() == (tmp_path / "t.csv").read_text()
    assert export(folder, "search", "--format", "json", "--out", str(tmp_path / "t.csv")) == 0
    assert (tmp_path / "t.csv").read_text().startswith("[")


def test_markdown_is_of_the_candidates(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(folder, "--format", "markdown") == 0
    head, rule, *rows = capsys.readouterr().out.splitlines()
    names = [name.strip() for name in head.strip("|").split("|")]
    assert names[:5] == ["workers", "model_threads", "processes", "answer", "state"]
    assert "latency_p99_ms" in names and "latency_p99_ms_low" not in names
    assert len({len(line) for line in (head, rule, *rows)}) == 1
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == ["1", "4", "8", "16", "32"]
    assert [row[3] for row in cells] == ["no", "no", "yes", "no", "no"]
    assert rule.startswith("| ------: |")


def test_markdown_cells() -> None:
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None], "Int64"),
            "x": pd.array([123456.7, 0.0123456], "Float64"),
            "t": pd.array(["a|b\nc", None], "string"),
            "b": pd.array([True, None], "boolean"),
        }
    )
    assert markdown(frame) == (
        "|   n |       x | t      | b   |\n"
        "| --: | ------: | ------ | --- |\n"
        "|   1 |  123457 | a\\|b c | yes |\n"
        "|   - | 0.01235 | -      | -   |\n"
    )


def test_csv_reads_back_into_the_same_candidates(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(folder, "--what", "candidates") == 0
    again = pd.read_csv(io.StringIO(capsys.readouterr().out))
    candidates = sweeper.load_study(folder / "grid").candidates
    assert list(again.columns) == list(candidates.columns)
    assert again["rps_low"].tolist() == candidates["rps_low"].tolist()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["grid", "--what", "trials"], ["'grid'", "search"]),
        (["grid", "--format", "parquet"], ["--out"]),
        (["grid", "--out", "absent/x.csv"], ["--out 'absent/x.csv'", "no folder absent"]),
        (["grid", "--out", "."], ["--out '.'", "must be a file"]),
        (["grid", "--out", ""], ["--out ''", "must be a file"]),
        (["grid", "--format", "xlsx"], ["--format 'xlsx'", "csv, parquet, json, markdown"]),
        (
            ["grid", "--what", "answers"],
            ["--what 'answers'", "runs, candidates, requests, telemetry, trials"],
        ),
        (["nobody"], ["'nobody'", "search, grid"]),
    ],
)
def test_wrong_use(
    arguments: list[str],
    words: list[str],
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert export(folder, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    for word in words:
        assert word in printed.err
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_export_and_what_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(tmp_path, "new", [], created_at="2026-01-01T00:00:00Z", complete=False)
    assert export(tmp_path) == 2
    assert "no finished run yet" in capsys.readouterr().err
    keep(tmp_path, "failed", [failed(4, 1)], created_at="2026-01-02T00:00:00Z")
    assert export(tmp_path, "--what", "requests") == 2
    assert "only failed runs" in capsys.readouterr().err
    gone = keep(tmp_path, "gone", drawn()[:1], created_at="2026-01-03T00:00:00Z")
    (gone / "runs" / FIRST.plan.run_id / "telemetry.parquet").unlink()
    assert export(tmp_path, "--what", "telemetry") == 2
    error = capsys.readouterr().err
    assert "telemetry.parquet" in error and error.count("\n") == 1


def test_the_files_of_another_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [replace(record, host=host) for record, host in zip(drawn()[:2], ("here", "there"), strict=True)]
    place = keep(tmp_path, "shared", runs)
    assert export(tmp_path, "--what", "requests") == 0
    capsys.readouterr()
    shutil.rmtree(place / "runs" / runs[1].plan.run_id)
    assert export(tmp_path, "--what", "requests") == 2
    error = capsys.readouterr().err
    assert "made on there" in error and str(place / "runs") in error and error.count("\n") == 1
