"""A study is measured, packed and handed over: whoever gets the file reads all of the study from it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.support.commands import ALONE, run_rows, sweeper, truth

pytestmark = pytest.mark.e2e

SERVER = ("--service-ms", 40, "--shape", "plateau:2")
BLOCKS = ("--users", "20", "--min-blocks", "3", "--max-blocks", "3", "--no-confirm")
MADE = re.compile(r"reported [0-9: -]+ UTC|sweeper (?:recommend|grid)[^<\n]*")
"""What two pages of one study differ in: when they were made, and by which name the study is found."""


def grid(study: str, workers: str, cwd: Path) -> bool:
    """Whether its runs count: on a busy machine they are suspect, and then there may be no answer."""
    done = sweeper(
        "grid", *truth(*SERVER), *ALONE, *BLOCKS, "--workers", workers, "--study", study, "--json", cwd=cwd
    )
    rows = run_rows(cwd / "studies" / study)
    assert len(rows) > 2 * len(workers.split(","))  # what is hopeless is dropped after two blocks
    if all(row["verdict"] == "valid" for row in rows):
        assert (done.code, done.json["workers"]) == (0, 2), done.err
    return done.json["workers"] == 2


def page(path: Path) -> str:
    return MADE.sub("", path.read_text("utf-8"))


def test_a_study_is_read_elsewhere_as_where_it_was_made(folder: Path) -> None:
    counts = grid("own", "1,2,4", folder)
    packed = sweeper("pack", "own", "--out", "own.zip", cwd=folder)
    assert (packed.code, packed.out) == (0, "own.zip\n")
    size = (folder / "own.zip").stat().st_size
    assert f"{size:,} bytes, without every request" in packed.err and size < 60_000
    assert sweeper("pack", "own", "--raw", "--out", "raw.zip", cwd=folder).code == 0
    assert sweeper("report", "own", cwd=folder).code == 0

    clone = folder / "clone"
    (clone / "studies" / "own").mkdir(parents=True)
    shutil.copy(folder / "own.zip", clone / "studies" / "own" / "study.zip")
    shutil.copy(folder / "raw.zip", clone)
    shutil.copy(folder / "rows.csv", clone)
    here = sweeper("recommend", "own", "--format", "json", cwd=folder)
    here_workers = json.loads(here.out)["workers"]
    for given in ("own", "studies/own", "studies/own/study.zip", "raw.zip"):
        there = sweeper("recommend", given, "--format", "json", cwd=clone)
        assert (there.code, there.out) == (here.code, here.out)
    report = sweeper("report", "studies/own", cwd=clone)
    assert (report.code, report.out) == (0, "report-own.html\n")
    assert page(clone / "report-own.html") == page(folder / "studies" / "own" / "report.html")
    assert "Every run over time" in page(clone / "report-own.html")
    table = (folder / "studies" / "own" / "runs.csv").read_text()
    assert sweeper("export", "own", cwd=clone).out == table
    for what in ("requests", "telemetry"):
        wanted = sweeper("export", "own", "--what", what, cwd=folder).out
        assert sweeper("export", "raw.zip", "--what", what, cwd=clone).out == wanted
    listed = sweeper("studies", "--json", cwd=clone).json["studies"]
    assert [(one["study"], one["workers"], one["packed"]) for one in listed] == [
        ("own", here_workers, "studies/own/study.zip")
    ]
    plan = sweeper("grid", "--config", "raw.zip", "--dry-run", cwd=clone)
    assert plan.code == 0 and "compares     workers 1, 2, 4 (launcher command, 20 users)" in plan.out

    # A study of one's own and the one handed over.
    counts = grid("mine", "1,2", clone) and counts
    compared = sweeper("compare", "mine", "raw.zip", "--tolerance", "0.5", "--json", cwd=clone)
    assert not (clone / "studies" / "own" / "report.html").exists()
    if not counts:
        assert compared.code in (0, 2), compared.err
        return
    assert compared.code == 0, compared.err
    assert (compared.json["a"], compared.json["b"], compared.json["worse"]) == ("mine", "own", False)
    assert 2 in [one["workers"] for one in compared.json["configurations"]]
