"""The example study of the repository: what it says can still be read, and its page says the same."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from sweeper.answers import Status
from sweeper.report.recommendation_json import from_json_dict

EXAMPLE = Path(__file__).parents[2] / "studies" / "example-xgboost"


def test_the_page_says_what_the_record_says() -> None:
    found = from_json_dict(json.loads((EXAMPLE / "recommendation.json").read_text()))
    assert found.status is Status.RECOMMENDED
    page = (EXAMPLE / "report.html").read_text()
    assert f"Set {found.workers} workers" in page
    assert found.reason in page


def test_every_valid_run_is_in_the_table() -> None:
    found = from_json_dict(json.loads((EXAMPLE / "recommendation.json").read_text()))
    with (EXAMPLE / "runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    closed = [row for row in rows if row["verdict"] == "valid" and not row["arrivals_per_s"]]
    assert len(closed) == sum(candidate.runs for candidate in found.candidates)
