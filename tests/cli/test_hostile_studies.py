"""A database that somebody else has written to: each row is checked, and the sound ones are there."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from sweeper.cli.main import main
from tests.support.recorded import drawn, keep
from tests.support.several_loads import TWO, chosen, drawn_under

NAMES = ["/tmp/x/deep", "../../../x", "[/nope]", "a\0b", "", ".", "..", "x" * 101, "é", b"\xff\xfe"]
DEEP = "[" * 100_000
RUN = {
    "workers": ["x", 0, 1e300, b"\xff"],
    "processes": ["x", -1],
    "elapsed_s": ["x", -1.0, 9e999],
    "block": ["x", 2.5],
    "attempt": ["x"],
    "position": ["x"],
    "sentinel": ["x"],
    "verdict": ["maybe"],
    "run_id": ["../../b01", "a\0b", b"\xff"],
    "parameters": ["[1]", "x", DEEP, '{"A": [1]}'],
    "figures": ["[]", "x", DEEP, '{"rps": "x"}', '{"rps": NaN}', b"\xff", "5"],
    "findings": ["{}", "x", DEEP, '[{"code": 1}]', "[5]", '[{"code":"\\ud800","severity":"info"}]'],
    "host": ["../x", b"\xff"],
    "scenario": [b"\xff", 5],
}
STUDY = {
    "settings": ["{}", "[]", "x", DEEP, "5", '{"command": "grid"}', '{"command": "fly", "users": 1}',
                 '{"command": [], "users": 1, "window": "10s"}', '{"users": {}, "window": []}', b"\xff"],
    "environment": ["[]", "x", DEEP, "null"],
    "complete": ["x"],
    "created_at": [b"\xff\xfe", 5],
}  # fmt: skip
CASES = [("runs", column, value) for column, values in RUN.items() for value in values] + [
    ("studies", column, value) for column, values in STUDY.items() for value in values
]
IDS = [f"{table}-{column}-{str(value)[:12]!a}" for table, column, value in CASES]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    keep(folder, "good", drawn())
    keep(folder, "bad", drawn()[:3], created_at="2026-02-01T10:00:00Z")
    return folder


@pytest.fixture
def place(kept: Path, tmp_path: Path) -> Path:
    return shutil.copytree(kept, tmp_path / "studies")


def put(place: Path, table: str, column: str, value: object) -> None:
    key = "study" if table == "runs" else "name"
    with sqlite3.connect(place / "studies.db") as raw:
        where = f"{key} = 'bad'" + (" AND position = 1 AND block = 1" if table == "runs" else "")
        text = isinstance(value, bytes)  # TEXT that is no UTF-8, not a BLOB
        given = "CAST(? AS TEXT)" if text else "?"
        raw.execute(f"UPDATE sweeper_{table} SET {column} = {given} WHERE {where}", (value,))
    raw.close()


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    ("table", "column", "value"), CASES, ids=[f"{t}-{c}-{str(v)[:12]!a}" for t, c, v in CASES]
)
def test_a_wrong_value_is_told_and_the_other_study_is_read(
    table: str, column: str, value: object, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(place, table, column, value)
    code, out, _ = said(capsys, "studies", "--studies-dir", place, "--json")
    listed = {study["study"]: study for study in json.loads(out)["studies"]}
    assert code == 0
    assert (listed["good"]["status"], listed["good"]["workers"]) == ("recommended", 8)
    assert listed["bad"]["status"] is None and listed["bad"]["trouble"], listed["bad"]
    some = ("recommend",) if table == "runs" and column != "figures" else ("recommend", "report", "export")
    for command in some:
        code, out, err = said(capsys, command, "bad", "--studies-dir", place)
        if (command, column) == ("export", "settings") and code == 0:
            continue  # the table of its runs does without them
        assert code in (1, 2) and err.count("\n") == 1 and "'bad'" in err, err
    assert said(capsys, "recommend", "good", "--studies-dir", place)[0] == 0
    assert said(capsys, "studies", "--studies-dir", place)[0] == 0


def test_a_figure_too_large_for_any_float_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(place / "studies.db") as raw:
        (figures,) = raw.execute("SELECT figures FROM sweeper_runs WHERE study = 'bad'").fetchone()
    raw.close()
    put(place, "runs", "figures", json.dumps({**json.loads(figures), "max_concurrency": 10**400}))
    for command in ("recommend", "report", "export"):
        code, _, err = said(capsys, command, "bad", "--studies-dir", place)
        assert code == 2 and err.count("\n") == 1 and "finite figures of a possible size" in err, err


@pytest.mark.parametrize("rps", [0.0, -5.0])
def test_a_capacity_that_is_none_is_told(rps: float, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(place / "studies.db") as raw:
        (figures,) = raw.execute("SELECT figures FROM sweeper_runs WHERE study = 'bad'").fetchone()
    raw.close()
    capacity = {"rps": rps, "bound": "exact", "steps": [], "luck": 1.0, "rps_without_client": None}
    put(place, "runs", "figures", json.dumps({**json.loads(figures), "capacity": capacity}))
    code, _, err = said(capsys, "recommend", "bad", "--studies-dir", place)
    assert code == 2 and err.count("\n") == 1 and "figures of capacity.rps" in err, err


@pytest.mark.parametrize("load", [30.0, 0.0, None, 80.0])
def test_a_run_under_another_load_than_was_planned_is_told(
    load: float | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(tmp_path, "both", drawn_under(TWO), chosen())
    assert said(capsys, "recommend", "both", "--studies-dir", tmp_path)[0] == 0
    with sqlite3.connect(tmp_path / "studies.db") as raw:
        raw.execute(
            "UPDATE sweeper_runs SET load = ? WHERE run_id = "
            "(SELECT run_id FROM sweeper_runs WHERE load = 10 AND block = 1 LIMIT 1)",
            (load,),
        )
    raw.close()
    code, _, err = said(capsys, "recommend", "both", "--studies-dir", tmp_path)
    assert code == 2 and err.count("\n") == 1 and f"has load {load} instead of 10.0" in err, err


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_that_is_none_is_left_alone(
    name: object, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(place, "studies", "name", name)
    before = sorted(tmp_path.rglob("*"))
    code, out, _ = said(capsys, "studies", "--studies-dir", place)
    assert code == 0 and "cannot be read" in out and "recommended 8" in out and "\0" not in out
    for command in ("recommend", "report"):
        assert said(capsys, command, "--studies-dir", place)[0] == 0  # the newest that is one
    new = set(tmp_path.rglob("*")) - set(before)
    assert {path.name for path in new} <= {"report.html"}
    assert all(path.parent == place / "good" for path in new)
