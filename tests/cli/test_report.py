"""`sweeper report`: where it writes, what it opens, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeper.cli.main import main
from tests.support.recorded import drawn, keep


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("studies")
    keep(place, "older", drawn(), created_at="2025-01-01T00:00:00Z")
    keep(place, "newer", drawn())
    return place


def report(folder: Path, *arguments: str) -> int:
    return main(["report", "--studies-dir", str(folder), *arguments])


def test_a_named_study_and_another_file(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page.html"
    assert report(folder, "older", "--out", str(out)) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert "<title>older: sweeper report</title>" in out.read_text(encoding="utf-8")
    assert not (folder / "older" / "report.html").exists()
    first = out.read_bytes()
    assert report(folder, "older", "--out", str(out)) == 0
    assert len(out.read_bytes()) == len(first)
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_open_hands_it_to_the_users_browser(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    assert report(folder, "--open") == 0
    assert opened.read_text() == (folder / "newer" / "report.html").resolve().as_uri()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody"], ["'nobody'", "older, newer"]),
        (["older", "extra"], ["extra"]),
        (["--out", "absent/x.html"], ["--out 'absent/x.html'", "no folder absent"]),
        (["--out", "."], ["--out '.'", "must be a file, such as report.html"]),
        (["--out", ""], ["--out ''", "must be a file"]),
        (["--out", "-"], ["--out '-'", "must be a file"]),
        (["--out", "/proc/x.html"], ["/proc/x.html", "cannot write"]),
        (["--opne"], ["--opne", "--open"]),
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
    assert report(folder, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    for word in words:
        assert word in printed.err
    assert list(tmp_path.iterdir()) == []


def test_no_study_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(tmp_path) == 2
    assert "there is no study yet" in capsys.readouterr().err


def test_the_files_of_a_study_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of the example in a fresh clone; and where other studies are recorded."""
    monkeypatch.chdir(tmp_path)
    Path("studies/example").mkdir(parents=True)
    Path("studies/example/study.toml").write_text('command = "grid"\n')
    for command in ("report", "recommend"):
        assert main([command, "example"]) == 2
    said = capsys.readouterr().err
    assert (
        said.count("studies/studies.db does not have its runs: name the database that has them (--storage)")
        == 2
    )
    assert "settings in studies/example/study.toml" in said
    Path("studies/example/report.html").write_text("<html>")
    assert main(["compare", "example", "other"]) == 2
    assert "runs: open studies/example/report.html in a browser, name" in capsys.readouterr().err


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--help"]) == 0
    assert "sweeper report checkout --open" in " ".join(capsys.readouterr().out.split())
