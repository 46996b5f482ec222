"""The example study of the repository: its answer, its page and its table of runs say the same."""

from __future__ import annotations

import csv
import json
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "studies" / "example-xgboost"


def test_the_page_says_what_the_record_says() -> None:
    found = json.loads((EXAMPLE / "recommendation.json").read_text())
    assert found["schema_version"] == 1 and found["status"] == "recommended"
    page = (EXAMPLE / "report.html").read_text()
    assert f"Set {found['workers']} workers" in page
    assert found["reason"] in page


def test_every_valid_run_is_in_the_table() -> None:
    found = json.loads((EXAMPLE / "recommendation.json").read_text())
    with (EXAMPLE / "runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    closed = [row for row in rows if row["verdict"] == "valid" and not row["arrivals_per_s"]]
    assert len(closed) == sum(candidate["runs"] for candidate in found["candidates"])
