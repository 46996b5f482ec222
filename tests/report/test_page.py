"""The page of a study as text: what it says, what it must never hold. test_in_browser.py looks at it."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs_version

from sweeper.cli.main import main
from sweeper.cli.report import material
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding, Severity, Verdict
from sweeper.records.run import Bound, Objective
from sweeper.report.html.page import LIBRARY, page
from sweeper.report.html.page_data import RecommendationData
from sweeper.settings.command_settings import GridSettings
from sweeper.study.find_study import Where
from sweeper.study.read_study import recorded
from tests.support.builders import failed, finding, record
from tests.support.fakes import Behaviour
from tests.support.page_reading import Page
from tests.support.recorded import drawn, keep
from tests.support.simulated import GRID, script, simulate

ORDER = ["answer", "basis", "picture", "why", "latency", "series", "confirmation", "runs", "environment"]
HOSTILE = '</script><script>alert(1)</script><img src=x onerror=alert(1)> & "quoted" ]]> <!--'
LARGEST = 1_500_000


def made(folder: Path, study: str) -> RecommendationData:
    where = Where.from_flags(study, str(folder), None)
    return material(recorded(where), where)


@pytest.fixture(scope="module")
def read(studies: Path) -> Callable[[str], tuple[RecommendationData, Page, str]]:
    known: dict[str, tuple[RecommendationData, Page, str]] = {}

    def look(study: str) -> tuple[RecommendationData, Page, str]:
        if study not in known:
            found = made(studies, study)
            text = page(found)
            known[study] = found, Page(text), text
        return known[study]

    return look


def test_the_sections_stand_in_order(read: Callable[[str], tuple[RecommendationData, Page, str]]) -> None:
    assert list(read("checkout")[1].sections) == ORDER
    searched = list(read("joint")[1].sections)
    assert searched == [*ORDER[:7], "search", *ORDER[7:]]


def test_the_answer_comes_first_with_the_line_to_paste(
    read: Callable[[str], tuple[RecommendationData, Page, str]],
) -> None:
    found, seen, _ = read("checkout")
    text = seen.sections["answer"]
    assert "Set 8 workers" in text
    assert found.recommendation.reason[1:] in text
    line = """export MLOPS_RUNTIME_PARAM_DRUM_FASTAPI_EXECUTOR_WORKERS='{"type": "numeric", "payload": 8}'"""
    assert line in text
    assert "sweeper recommend checkout --studies-dir" in text
    assert "under way" not in text
    assert found.recommendation.cause is not None
    assert found.recommendation.cause.summary in seen.sections["why"]
    assert found.recommendation.confirmation is not None
    assert found.recommendation.confirmation.sentence in seen.sections["confirmation"]


@pytest.mark.parametrize("study", ["checkout", "joint", "under-way"])
def test_every_run_is_in_the_table(
    study: str, read: Callable[[str], tuple[RecommendationData, Page, str]]
) -> None:
    found, seen, _ = read(study)
    assert seen.column("runs-table", "run") == [r.plan.run_id for r in found.records]
    assert seen.column("runs-table", "verdict") == [r.verdict.value for r in found.records]
    assert seen.column("runs-table", "requests/s") == [
        "-" if r.figures is None else f"{r.figures.rps:.1f}" for r in found.records
    ]
    codes = [" ".join(f.code for f in r.findings) for r in found.records]
    assert seen.column("runs-table", "findings") == codes
    for remark in {code for own in codes for code in own.split()}:
        assert f": {remark}" in seen.sections["runs"]


def test_every_single_run_is_a_point_of_the_picture(
    read: Callable[[str], tuple[RecommendationData, Page, str]],
) -> None:
    found, seen, _ = read("checkout")
    drawing = seen.drawings["throughput"]
    dots = {trace["name"]: trace for trace in drawing["data"] if trace["mode"] == "markers"}
    valid = [r for r in found.decisive if r.verdict is Verdict.VALID]
    suspect = [r for r in found.decisive if r.verdict is Verdict.SUSPECT]
    assert len(suspect) == 1
    assert len(dots["one run"]["y"]) == len(valid)
    assert sorted(dots["one run"]["y"]) == pytest.approx(
        sorted(r.figures.rps for r in valid if r.figures), rel=1e-3
    )
    assert dots["suspect run"]["text"] == ["b01-05-w4, block 1"]
    assert seen.column("gaps-figures", "state").count("the answer") == 1
    shaded = [shape for shape in drawing["layout"]["shapes"] if shape["type"] == "rect"]
    assert len(shaded) == len(found.recommendation.tied) == 1
    assert shaded[0]["x0"] < 3 < shaded[0]["x1"]  # log2 of 8 workers
    limits = [trace["y"] for trace in seen.drawings["p99"]["data"] if trace["name"] == "SLO: 1500 ms"]
    assert limits == [[1500.0, 1500.0]]


def test_what_the_pictures_show_is_there_in_words_and_as_tables(
    read: Callable[[str], tuple[RecommendationData, Page, str]],
) -> None:
    for study in ("checkout", "joint"):
        _, seen, _ = read(study)
        assert set(seen.pictures) == {f"figure-{name}" for name in seen.drawings}
        assert all(len(words) > 40 for words in seen.pictures.values())
        missing = [
            n for n in seen.drawings if f"{n}-figures" not in seen.tables and not n.startswith("slice")
        ]
        assert missing == []
        assert seen.tables["throughput-figures"][1:]
        for axes in (drawing["layout"] for drawing in seen.drawings.values()):
            assert axes["xaxis"]["title"]["text"]
    assert "8 workers" in read("checkout")[1].pictures["figure-throughput"]


def test_the_warm_up_is_marked_and_dropped(
    read: Callable[[str], tuple[RecommendationData, Page, str]],
) -> None:
    found, seen, _ = read("checkout")
    own = [r for r in found.decisive if r.configuration.workers == 8]
    drawing = seen.drawings["series-run-2"]
    lines = [trace for trace in drawing["data"] if trace["yaxis"] == "y"]
    assert len(lines) == len(own)
    assert min(lines[0]["x"]) < 0 < max(lines[0]["x"])
    shade = drawing["layout"]["shapes"][0]
    assert shade["x1"] == 0 and shade["x0"] == -max(r.figures.warmup_s for r in own if r.figures)
    assert "warm-up, dropped" in str(drawing["layout"]["annotations"])


def test_a_search_shows_front_and_importances(
    read: Callable[[str], tuple[RecommendationData, Page, str]],
) -> None:
    found, seen, _ = read("joint")
    searched = found.recommendation.search
    assert searched is not None
    assert {"front", "importances", "slice-workers", "slice-model-threads"} <= set(seen.drawings)
    assert sorted(int(number) for number in seen.column("front-figures", "trial")) == sorted(searched.front)
    assert seen.column("importances-figures", "parameter")[0] == "workers"
    assert seen.column("trials-table", "trial") == [str(t.number) for t in searched.trials]
    assert found.recommendation.cause is not None
    assert "search" not in read("checkout")[1].sections


def test_a_search_for_the_lowest_p99_has_a_front_and_its_throughput(
    read: Callable[[str], tuple[RecommendationData, Page, str]],
) -> None:
    found = read("joint")[0]
    searched = found.recommendation.search
    assert searched is not None
    trials = tuple(dataclasses.replace(t, values=(t.p99_ms,) if t.p99_ms else ()) for t in searched.trials)
    alone = dataclasses.replace(searched, objectives=(Objective.P99,), trials=trials, front=())
    seen = Page(
        page(
            dataclasses.replace(found, recommendation=dataclasses.replace(found.recommendation, search=alone))
        )
    )
    assert sorted(int(number) for number in seen.column("front-figures", "trial")) == sorted(searched.front)
    assert seen.column("trials-table", "requests/s") == [f"{t.rps:,.1f}" for t in searched.trials]


def test_a_study_under_way_says_so(read: Callable[[str], tuple[RecommendationData, Page, str]]) -> None:
    found, seen, _ = read("under-way")
    assert not found.recommendation.complete
    assert "This study is under way" in seen.sections["answer"]
    assert "not finished" in seen.sections["answer"]


def test_nothing_is_fetched_and_nothing_but_our_scripts_may_run(
    read: Callable[[str], tuple[RecommendationData, Page, str]],
) -> None:
    _, seen, text = read("checkout")
    assert all(address.startswith("#") or address == "data:," for address in seen.addresses)
    assert seen.handlers == []
    assert seen.elements.count("script") == 4 and "iframe" not in seen.elements
    assert seen.policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in seen.policy.split("; ")[1]
    assert "@import" not in text.split("</style>")[0] and "url(" not in text.split("</style>")[0]


@pytest.mark.parametrize("study", ["checkout", "joint", "under-way"])
def test_the_page_is_small(study: str, read: Callable[[str], tuple[RecommendationData, Page, str]]) -> None:
    assert len(read(study)[2].encode()) < LARGEST


def test_the_library_is_of_the_version_that_draws() -> None:
    """How it is replaced: docs/developing/tests.md."""
    library = (files("sweeper.report.html") / LIBRARY).read_text("utf-8")
    assert f"plotly.js (basic - minified) v{get_plotlyjs_version()}\n" in library[:200]


def test_every_text_from_outside_is_escaped(
    read: Callable[[str], tuple[RecommendationData, Page, str]],
) -> None:
    found, plain, _ = read("checkout")
    remark = Finding(HOSTILE, Severity.WARNING, HOSTILE)
    recommendation = dataclasses.replace(
        found.recommendation, study=HOSTILE, reason=HOSTILE, findings=(remark,)
    )
    records = tuple(
        dataclasses.replace(r, host=HOSTILE + r.plan.run_id, findings=(remark,)) for r in found.records
    )
    settings = {**found.settings, "server_command": HOSTILE}
    odd = dataclasses.replace(
        found,
        recommendation=recommendation,
        records=records,
        settings=settings,
        environments={HOSTILE: {"cpu_model": HOSTILE, "packages": {HOSTILE: HOSTILE}}},
        absent={records[0].plan.run_id: HOSTILE},
        repeat=HOSTILE,
        paste=HOSTILE,
    )
    seen = Page(page(odd))
    assert seen.elements.count("script") == plain.elements.count("script")
    assert seen.elements.count("img") == 0 and seen.handlers == []
    assert list(seen.sections) == list(plain.sections)
    for name in ("answer", "basis", "latency", "runs", "environment"):
        assert HOSTILE in seen.sections[name]
    assert set(seen.drawings) == set(plain.drawings)


def test_no_run_and_only_failed_runs(tmp_path: Path) -> None:
    keep(tmp_path, "new", [], complete=False)
    seen = Page(page(made(tmp_path, "new")))
    assert "No recommendation" in seen.sections["answer"] and "under way" in seen.sections["answer"]
    assert "No run has been made yet" in seen.sections["runs"] and seen.drawings == {}
    block = [
        dataclasses.replace(r, verdict=Verdict.FAILED, figures=None, findings=failed(4, 1).findings)
        for r in drawn()
        if r.plan.block == 1
    ]
    keep(tmp_path, "dead", block)
    seen = Page(page(made(tmp_path, "dead")))
    assert "every run failed" in seen.sections["answer"].lower()
    assert seen.column("runs-table", "verdict") == ["failed"] * len(block)
    assert "server-did-not-start" in seen.sections["runs"]


def test_an_infeasible_study(tmp_path: Path) -> None:
    settings = GRID.model_copy(update={"slo_p99": 100.0})
    simulate(tmp_path, "slow", settings, script(), "2026-01-01T10:00:00Z")
    seen = Page(page(made(tmp_path, "slow")))
    assert "No configuration keeps the limits" in seen.sections["answer"]
    assert "export MLOPS" not in seen.sections["answer"]
    assert "nothing to confirm" in seen.sections["confirmation"]


def test_the_capacity_is_drawn_with_p99_against_the_rate(tmp_path: Path) -> None:
    settings = GRID.model_copy(update={"objective": Objective.CAPACITY, "slo_p99": 200.0})

    def behave(configuration: Configuration, block: int, run_id: str) -> Behaviour:
        at_once = min(configuration.workers, 8)
        return Behaviour(rps=25.0 * configuration.workers if at_once < 8 else 200.0, alone_ms=40.0)

    simulate(tmp_path, "capacity", settings, behave, "2026-01-01T10:00:00Z")
    found = made(tmp_path, "capacity")
    seen = Page(page(found))
    assert found.recommendation.cause is None
    assert "latency" not in seen.sections
    assert {"capacity", "p99-by-rate"} <= set(seen.drawings)
    assert "throughput" not in seen.drawings
    assert "requests/s within the SLO" in seen.sections["basis"]
    assert "SLO: 200 ms" in str(seen.drawings["p99-by-rate"])
    shown = [r.figures.capacity for r in found.records if r.figures is not None]
    signs = {Bound.EXACT: "", Bound.AT_LEAST: "≥ ", Bound.AT_MOST: "≤ "}
    assert seen.column("runs-table", "capacity") == [
        f"{signs[one.bound]}{one.rps:.1f}" for one in shown if one is not None
    ]
    assert "arrive at random in every run" in seen.sections["confirmation"]


def test_runs_of_other_hosts_are_named_where_their_requests_are_not_here(
    studies: Path, tmp_path: Path
) -> None:
    shutil.copytree(studies / "checkout", tmp_path / "checkout")
    shutil.copy(studies / "studies.db", tmp_path / "studies.db")
    found = made(tmp_path, "checkout")
    away = [r.plan.run_id for r in found.records if r.plan.block == 2]
    for run_id in away:
        shutil.rmtree(tmp_path / "checkout" / "runs" / run_id)
    again = made(tmp_path, "checkout")
    assert set(again.absent) == set(away)
    records = tuple(
        dataclasses.replace(r, host="beta" if r.plan.run_id in away else "alpha") for r in again.records
    )
    two = {"alpha": {"cpu_model": "A"}, "beta": {"cpu_model": "B"}}
    seen = Page(page(dataclasses.replace(again, records=records, environments=two)))
    assert ") (made on beta) are not on this machine" in seen.sections["latency"]
    assert seen.column("runs-table", "host").count("beta") == len(away)
    assert "Host alpha:" in seen.sections["environment"] and "Host beta:" in seen.sections["environment"]
    shutil.rmtree(tmp_path / "checkout" / "runs")
    none = Page(page(made(tmp_path, "checkout")))
    assert f"The raw requests of {len(again.records)} runs (" in none.sections["latency"]
    assert "series" not in none.sections and "throughput" in none.drawings


def test_many_configurations_fold_away(tmp_path: Path) -> None:
    counts = tuple(range(1, 21))
    settings = GridSettings.model_validate({"model": "xgboost", "workers": list(counts)})
    records = [
        record(w, b, position=w, findings=[finding("steal")] if w == 3 else [], verdict=Verdict.VALID)
        for b in (1, 2, 3)
        for w in counts
    ]
    keep(tmp_path, "wide", records, settings)
    seen = Page(page(made(tmp_path, "wide")))
    ticks = seen.drawings["throughput"]["layout"]["xaxis"]["ticktext"]
    assert ticks[0] == "1" and ticks[-1] == "20" and len(ticks) < len(counts)


def test_the_command_writes_it_beside_the_study(studies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--studies-dir", str(studies)]) == 0
    file = studies / "checkout" / "report.html"  # the newest
    assert capsys.readouterr().out == f"{file}\n"
    assert "Set 8 workers" in Page(file.read_text(encoding="utf-8")).sections["answer"]
