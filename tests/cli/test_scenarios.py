"""`sweeper scenarios` as it is typed and read again; nothing is started."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sweeper.analysis.scenarios.stress import stress_step
from sweeper.cli.main import main
from sweeper.records.run import RunRecord
from sweeper.records.scenarios import Scenario, ServerKind
from sweeper.settings.scenario_settings import ScenarioSettings
from sweeper.study.block_order import scenario_block
from tests.support.page_reading import Page
from tests.support.recorded import drawn, keep
from tests.support.scenario_terms import run, terms

SETTINGS = ScenarioSettings.model_validate({"concurrency": "10", "max_users": 50, "model": "xgboost"})


def recorded(place: Path, name: str = "both", created_at: str = "2026-02-01T10:00:00Z") -> Path:
    wanted = terms(concurrency=(10,), max_users=50)
    runs: list[RunRecord] = []
    for scenario in (Scenario.SINGLE, Scenario.CONCURRENT):
        for block in range(1, 4):
            for plan in scenario_block(wanted, scenario, block):
                assert plan.case is not None
                own = {"p99_ms": 300.0 + block} if plan.case.server == "fastapi" else {}
                runs.append(replace(run(scenario, ServerKind(plan.case.server), 1, block, **own), plan=plan))
    for step in (1, 2):
        for plan in stress_step(wanted, runs, step):
            runs.append(replace(run(Scenario.STRESS, ServerKind.FASTAPI, 50, step), plan=plan))
    return keep(place, name, runs, SETTINGS, created_at=created_at)


def scenarios(place: Path, *arguments: str) -> int:
    return main(["scenarios", "--studies-dir", str(place), *arguments])


def test_a_recorded_one_is_printed_without_running_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(tmp_path)
    assert scenarios(tmp_path, "--study", "both") == 0
    out = capsys.readouterr().out
    assert "held: lower p99 under concurrency. fastapi ÷ gunicorn of p99: 0.50 (0.5" in out
    assert "held: similar latency when CPU-bound (within 10% either way)" in out
    assert "stress: fastapi sustains 50 users at 140.0 requests/s, p99 600 ms" in out
    assert "that is all that --max-users allows, so its limit is higher." in out
    assert scenarios(tmp_path, "--study", "both", "--json") == 0
    seen = json.loads(capsys.readouterr().out)
    assert (seen["complete"], seen["servers"]) == (True, ["fastapi", "gunicorn"])
    assert [one["verdict"] for one in seen["hypotheses"]] == ["held", "held"]
    assert seen["loads"][0]["ratios"]["p99_ms"]["mean"] == pytest.approx(0.503, abs=0.001)
    assert [one["last_good_users"] for one in seen["stress"]] == [50, 50]


def test_it_recommends_nothing_and_the_others_pass_it_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(tmp_path)
    assert main(["recommend", "--studies-dir", str(tmp_path)]) == 2
    assert "recommends a worker count" in capsys.readouterr().err
    keep(tmp_path, "grid", drawn())
    assert main(["recommend", "--studies-dir", str(tmp_path)]) == 0
    assert "Recommended" in capsys.readouterr().out
    for command in ("recommend both", "export both --what candidates", "compare both grid"):
        assert main([*command.split(), "--studies-dir", str(tmp_path)]) == 2
        error = capsys.readouterr().err
        assert "compares two servers" in error and error.count("\n") == 1


def test_it_is_listed_and_its_runs_are_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(tmp_path)
    assert main(["studies", "--studies-dir", str(tmp_path)]) == 0
    assert "2 held" in capsys.readouterr().out
    assert main(["export", "both", "--studies-dir", str(tmp_path)]) == 0
    header, first, *_ = capsys.readouterr().out.splitlines()
    row = dict(zip(header.split(","), first.split(","), strict=True))
    assert (row["scenario"], row["users"]) == ("single", "1") and row["server"] in ("fastapi", "gunicorn")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with a model that looks trained."""
    model = tmp_path / "models" / "xgboost"
    model.mkdir(parents=True)
    for name, text in (
        ("model.json", '{"made_by": "sweeper train"}'),
        ("model.pkl", "x"),
        ("sample.csv", "a\n1\n"),
    ):
        (model / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_plan(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", "--dry-run", "--slo-p99", "500"]) == 0
    out = capsys.readouterr().out
    assert "fastapi (workers=4) and gunicorn, CPU-bound" in out
    assert "10, 50, 100 users; blocks of 6 runs, in turns of half a second" in out
    assert "or p99 is above 500 ms" in out
    assert "lower p99 under concurrency, similar latency when CPU-bound" in out
    assert main(["scenarios", "concurrent", "--dry-run", "--workload", "io", "--model", "xgboost"]) == 0
    out = capsys.readouterr().out
    assert "one after another" in out and "higher throughput when I/O-bound" in out and "stress" not in out
    assert main(["scenarios", "tuning", "--workers", "1,4", "--dry-run"]) == 0
    assert "compares     workers 1, 4" in capsys.readouterr().out
    assert not (home / "studies").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["doubled"], ["the scenario 'doubled'", "single, concurrent and stress"]),
        (["--servers", "fastapi"], ["--servers 'fastapi'", "two different ones"]),
        (["--servers", "fastapi,fastapi"], ["--servers 'fastapi,fastapi'"]),
        (["--servers", "fastapi,flask"], ["--servers 'fastapi,flask'", "gunicorn"]),
        (["--servers", "fastapi,command"], ["--servers", "--server-command"]),
        (
            ["--servers", "drum-fastapi,gunicorn"],
            ["--servers drum-fastapi", "name fastapi in --servers instead"],
        ),
        (["--server-command", "x {port}"], ["--server-command", "--servers"]),
        (["--workload", "disk"], ["--workload 'disk'", "cpu or io"]),
        (["--workload", "io", "--dry-run"], ["sweeper train --model io-bound"]),
        (["--concurrency", "0"], ["--concurrency '0'"]),
        (["--concurrency", "10,10"], ["--concurrency '10,10'"]),
        (["--max-users", "1"], ["--max-users '1'"]),
        (["--storage", "postgresql://localhost/x"], ["one host"]),
        (["tuning", "--max-users", "9"], ["--max-users", "tuning"]),
    ],
)
def test_wrong_use(
    arguments: list[str], words: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scenarios", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    for word in words:
        assert word in printed.err
    assert not (home / "studies").exists()


def test_settings_of_other_commands_are_none_here(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "own.toml").write_text('command = "scenarios"\nusers = 50\n')
    assert main(["scenarios", "--config", "own.toml", "--dry-run"]) == 2
    assert "'users' is not a setting of sweeper scenarios" in capsys.readouterr().err
    (home / "own.toml").write_text('command = "scenarios"\nconcurrency = [5]\nscenarios = "concurrent"\n')
    assert main(["scenarios", "--config", "own.toml", "--dry-run"]) == 0
    assert "5 users" in capsys.readouterr().out


def test_its_page_shows_what_held_and_both_servers(tmp_path: Path) -> None:
    recorded(tmp_path)
    assert main(["report", "both", "--studies-dir", str(tmp_path)]) == 0
    page = Page((tmp_path / "both" / "report.html").read_text())
    assert list(page.sections) == ["answer", "loads", "stress", "runs", "environment"]
    assert page.column("hypotheses", "verdict") == ["held", "held", ""]
    assert page.column("p99-ms-table", "fastapi ÷ gunicorn")[0].startswith("0.50 (0.5")
    assert set(page.column("steps", "users")) == {"50"} and set(page.column("steps", "within limits")) == {
        "yes"
    }
    assert set(page.column("runs-table", "server")) == {"fastapi", "gunicorn"}
    assert {"p50-ms", "p99-ms", "rps", "stress-rps"} <= page.drawings.keys()
    assert "under 10 users fastapi 302, gunicorn 600" in page.pictures["figure-p99-ms"]
