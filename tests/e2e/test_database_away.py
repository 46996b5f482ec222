"""PostgreSQL is restarted while a grid runs: nothing is lost, and the study goes on by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import ALONE, left_behind, start, truth
from tests.support.postgres import Postgres, server

pytestmark = pytest.mark.e2e
AWAY_S = 8.0


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with server() as running:
        yield running


def test_a_database_that_is_away_for_eight_seconds(postgres: Postgres, folder: Path) -> None:
    database = postgres.database()
    process = start(
        "grid", *truth("--service-ms", 40, "--shape", "plateau:2"), *ALONE, "--no-confirm",
        "--min-blocks", 3, "--max-blocks", 8, "--workers", "1,2", "--study", "night", "--json",
        "--storage", postgres.url(database), "--host-name", "a", cwd=folder,
    )  # fmt: skip
    deadline_s = time.monotonic() + 120
    while time.monotonic() < deadline_s and not runs(postgres, database):
        time.sleep(0.2)
    before = runs(postgres, database)
    assert before
    postgres.stop()
    time.sleep(AWAY_S)
    postgres.start_again()
    out, err = process.communicate(timeout=240)
    assert "Traceback" not in err, err
    assert process.returncode == 0, err
    answer = json.loads(out.splitlines()[-1])
    assert (answer["status"], answer["workers"]) == ("recommended", 2)
    assert "the database is back" in err or "waiting for it" not in err
    after = runs(postgres, database)
    assert before <= after
    assert after == {path.name for path in (folder / "studies" / "night" / "runs").iterdir()}
    assert left_behind(str(folder)) == []


def runs(postgres: Postgres, database: str) -> set[object]:
    exists = postgres.run("SELECT to_regclass('sweeper_runs')", database=database)[0][0]
    return (
        {row[0] for row in postgres.run("SELECT run_id FROM sweeper_runs", database=database)}
        if exists
        else set()
    )
