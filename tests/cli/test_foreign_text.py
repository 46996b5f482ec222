"""What others have written (a server's answer, a folder's name) does nothing to the terminal."""

from __future__ import annotations

import dataclasses
import io
import json
import unicodedata
from pathlib import Path

import pytest
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from sweeper.cli import console as consoles
from sweeper.cli.main import main
from sweeper.records.finding import Finding, FindingCode, Severity
from sweeper.settings.command_settings import GridSettings
from tests.support.recorded import drawn, keep

EVIL = "\x1b]52;c;eA==\x07\x1b[2J[/nope]\u202egnp\x9b31m"
SHOWN = "\\x1b]52;c;eA==\\x07\\x1b[2J[/nope]\\u202egnp\\x9b31m"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of a code folder with such a name, in which every run failed in such words."""
    place = tmp_path_factory.mktemp("foreign")
    finding = Finding(FindingCode.ERRORS, Severity.WARNING, f"failed: {EVIL}", {"body": EVIL})
    records = [dataclasses.replace(record, findings=(finding,)) for record in drawn()]
    settings = GridSettings.model_validate({"code_dir": f"/models/{EVIL}", "target_type": "regression"})
    keep(place, "s", records, settings)
    keep(place, "t", records, settings)
    return place


@pytest.mark.parametrize(
    "arguments",
    [
        ["recommend", "s"],
        ["recommend", "s", "--format", "json"],
        ["recommend", "s", "--format", "env"],
        ["recommend", "s", "--format", "drum-yaml"],
        ["studies"],
        ["studies", "--json"],
        ["compare", "s", "t", "--json"],
        ["compare", "s", "t"],
        ["export", "s"],
        ["export", "s", "--format", "json"],
        ["export", "s", "--format", "markdown"],
        ["recommend", EVIL],
        ["grid", "--code-dir", EVIL],
        ["grid", f"--{EVIL}"],
        [EVIL],
    ],
)
def test_no_command_passes_it_on(
    arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = [] if arguments[0] in ("grid", EVIL) else ["--studies-dir", str(folder)]
    main([*arguments, *where])
    printed = capsys.readouterr()
    assert harmful(printed.out + printed.err) == set()
    if arguments in (["recommend", "s"], ["recommend", EVIL]):
        assert SHOWN in printed.out + printed.err
    if "json" in arguments or "--json" in arguments:
        document = json.loads(printed.out)
        assert arguments[0] != "recommend" or document["findings"][-1]["evidence"]["body"] == EVIL


def test_nor_does_the_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "s", "--studies-dir", str(folder)]) == 0
    page = (folder / "s" / "report.html").read_text(encoding="utf-8")
    body = page[page.index("<main") : page.index("</main>")]
    assert harmful(body) == set()
    assert "\\u202egnp" in body


def test_styles_stay_where_they_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = consoles.console()
    table = Table(escape(EVIL))
    table.add_row(Text(EVIL, style="bold red"))
    out.print(table)
    printed = stream.getvalue()
    assert "\x1b[" in printed
    assert "\x1b]52" not in printed and "\x1b[2J" not in printed and "\u202e" not in printed


def harmful(text: str) -> set[str]:
    return {c for c in text if c not in "\n\t" and (unicodedata.category(c) == "Cc" or c == "\u202e")}
