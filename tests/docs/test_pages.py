"""Documentation and README: short, linked, complete, and true to the code where that can be tested."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sweeper.analysis.comparison.result import Change, Comparison, ConfigurationChange, FigureChange
from sweeper.analysis.fingerprints import Difference
from sweeper.cli import exit_codes
from sweeper.cli.help import finding_sections, pages
from sweeper.records import answer, search
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Effect, FindingCode
from sweeper.records.run import Objective
from sweeper.report.json.comparison import comparison_object
from sweeper.report.json.recommendation import recommendation_object
from sweeper.store.runs_csv import flat
from tests.support.builders import figures, record
from tests.support.command_pages import stale
from tests.support.recommendations import TEN, levels
from tests.support.recommendations import answer as answer_of

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "sweeper" / "docs"
EXAMPLE = ROOT / "studies" / "example-xgboost"
LINK = re.compile(r"\]\(([^)\s]+)\)")
EFFECTS = {
    Effect.FAILING: "The run is failed and has no figures.",
    Effect.SUSPECT: "The run is suspect: it does not decide.",
    Effect.INFORMATION: "It does not change the verdict of a run.",
}


def text(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


def test_the_readme_is_two_screens() -> None:
    readme = README.read_text("utf-8")
    assert len(readme.splitlines()) <= 150
    assert len(readme.split()) <= 1200


def test_what_the_readme_links_to_is_there() -> None:
    targets = [link for link in LINK.findall(README.read_text("utf-8")) if not link.startswith("http")]
    assert len(targets) > 20
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_links_between_pages_hold(tmp_path: Path) -> None:
    build = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--config-file",
        ROOT / ".ci" / "mkdocs.yml",
    ]
    done = subprocess.run(
        [*build, "--site-dir", tmp_path / "site"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "how-to" / "own-model.html").is_file()


def test_every_page_is_in_the_list_and_has_a_name_of_its_own() -> None:
    every = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"index.md"}
    assert every - set(LINK.findall(text("index.md"))) == set()
    names = Counter([*(Path(page).stem for page in every), *(code.value for code in FindingCode)])
    assert [name for name, count in names.items() if count > 1] == []
    assert set(pages()) == {Path(page).stem for page in every} | {"index"}


def test_a_page_begins_with_its_title() -> None:
    first = {page.name: page.read_text("utf-8").splitlines()[0] for page in DOCS.rglob("*.md")}
    assert {name for name, line in first.items() if not re.match(r"# \S", line)} == set()


def test_pages_of_commands_are_fresh() -> None:
    assert stale() == [], "write them anew: make docs"


def test_every_finding_has_its_section_and_its_effect() -> None:
    sections = finding_sections(text("reference/findings.md"))
    assert sections.keys() == {code.value for code in FindingCode}
    for code in FindingCode:
        said = sections[code.value]
        assert f"**Effect:** {EFFECTS[code.effect]}" in said, code
        assert "**Means:** " in said and "**Do:** " in said, code


def test_every_exit_code_is_described() -> None:
    codes = {value for name, value in vars(exit_codes).items() if name.isupper() and type(value) is int}
    rows = set(re.findall(r"^\| (\d+)", text("reference/exit-codes.md"), re.MULTILINE))
    assert rows == {str(code) for code in codes}


def keys(document: Any) -> set[str]:
    """Of all objects in it, but for those whose keys are names of a study's own."""
    if isinstance(document, list):
        return {key for item in document for key in keys(item)}
    if not isinstance(document, Mapping):
        return set()
    own = {"environment", "evidence", "runtime_parameters", "parameters", "constraints", "relative", "trial"}
    below = (keys(value) for name, value in document.items() if name not in own)
    return set(document) | {key for found in below for key in found}


def test_every_key_of_the_json_is_described() -> None:
    page = text("reference/json.md")
    written = keys(json.loads((EXAMPLE / "recommendation.json").read_text("utf-8")))
    written |= keys(recommendation_object(answer_of(levels(TEN))))
    # What the example has not: it is no search.
    records = (search.Search, search.Trial, answer.Confirmed, answer.Confirmation, answer.HostSpeedUse)
    written |= {field.name for record in records for field in dataclasses.fields(record)} - {"configuration"}
    assert {key for key in written if f"`{key}`" not in page} == set()


def test_every_key_of_a_comparison_is_described() -> None:
    page = text("reference/json.md")
    figure = FigureChange(50.0, 49.0, ratio=None, in_these_hours=None, relative=None)
    change = ConfigurationChange(Configuration(4), 3, 3, {"rps": figure}, Change.UNDECIDED)
    differs = (Difference("cores", 4, 8),)
    seen = Comparison(
        "before", "after", same_machine=False, environment=differs, settings=(),
        objective=Objective.THROUGHPUT, tolerance=0.05, confidence=0.95, reference=None,
        configurations=(change,), judged=(), left_out=(), host_a=0.0, host_b=0.0,
    )  # fmt: skip
    described = page[page.index("## `compare`") :]
    written = keys(comparison_object(seen)) | set(comparison_object(seen)["environment"][0])  # type: ignore[index]
    of_a_configuration = {"model_threads", "processes", "parameters", "workers"}
    assert {key for key in written - of_a_configuration if f"`{key}`" not in described} == set()


def test_every_column_of_the_runs_is_described() -> None:
    page = text("reference/files.md")
    assert [column for column in flat(record(4, 1, figures())) if f"`{column}`" not in page] == []


@pytest.mark.parametrize(
    "file", ["README.md", *sorted(str(page.relative_to(ROOT)) for page in DOCS.rglob("*.md"))]
)
def test_no_line_is_too_long_to_read_in_an_editor(file: str) -> None:
    """But for tables and what is made from the command line."""
    if "reference/commands/" not in file:
        lines = (ROOT / file).read_text("utf-8").splitlines()
        assert [line for line in lines if len(line) > 122 and not line.startswith(("|", "!["))] == []
