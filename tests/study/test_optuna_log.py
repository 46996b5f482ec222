"""A search as a study of Optuna's own: what `optuna.load_study` shows, and what is left after a crash."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import optuna
import pytest
from optuna.trial import TrialState

from sweeper.errors import StoreError, UsageError
from sweeper.launch.ports import free_port
from sweeper.records.run import Objective, RunRecord
from sweeper.records.search import Search
from sweeper.statistics.criteria import Rule
from sweeper.study.optimization import OptimizePlan, run_optimization
from sweeper.study.optuna_log import OptunaLog
from tests.support.fakes import Behaviour, MemoryStore, Script, Watching, World
from tests.support.optimizations import FOUR, peak, planned

BOTH = (Objective.THROUGHPUT, Objective.P99)
TRIALS = 7


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'studies.db'}"


def opened(folder: Path, plan: OptimizePlan) -> OptunaLog:
    return OptunaLog(url(folder), "study", plan.search.space, plan.search.objectives)


def logged(
    folder: Path,
    plan: OptimizePlan | None = None,
    store: MemoryStore | None = None,
    script: Script | None = None,
    **options: object,
) -> MemoryStore:
    plan, store = plan or planned(trials=TRIALS), store or MemoryStore()
    log = opened(folder, plan)
    try:
        world = World(script or peak(), **options)  # type: ignore[arg-type]
        run_optimization(plan, world.parts(), store, Watching(), log)
    finally:
        log.close()
    return store


def loaded(folder: Path) -> optuna.Study:
    return optuna.load_study(study_name="study", storage=url(folder))


def kept(study: optuna.Study) -> list[tuple[object, ...]]:
    return [
        (t.number, t.state, t.params, t.values, t.intermediate_values, t.constraints, t.user_attrs)
        for t in study.trials
    ]


def test_one_trial_is_one_configuration_with_all_its_runs(tmp_path: Path) -> None:
    store = logged(tmp_path)
    study = loaded(tmp_path)
    tried = {record.configuration for record in store.saved}
    assert len(study.trials) == len(tried) == TRIALS
    assert study.trials[0].params == {"workers": FOUR.workers}
    assert {t.params["workers"] for t in study.trials} == {c.workers for c in tried}
    for trial in study.trials:
        own = [r for r in store.saved if r.configuration.workers == trial.params["workers"]]
        assert trial.user_attrs["runs"] == [r.plan.run_id for r in own]
        assert trial.user_attrs["verdicts"] == [r.verdict.value for r in own]
        seen = [r.figures.rps for r in own if r.figures is not None]
        assert list(trial.intermediate_values.values()) == pytest.approx(seen)
        assert trial.constraints == {"error_rate": pytest.approx(-0.01)}
        assert {"p50_ms", "p95_ms", "p99_ms", "cpu_cores", "switches_per_request"} <= trial.user_attrs.keys()
    assert {t.state for t in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    best = max((t for t in study.trials if t.state is TrialState.COMPLETE), key=lambda t: t.value or 0)
    assert study.best_trial.number == best.number
    assert study.metric_names == ["requests_per_s"]


def test_the_limits_are_constraints(tmp_path: Path) -> None:
    logged(tmp_path, planned(rule=Rule(slo_p99_ms=900.0), trials=TRIALS), script=peak(best=8))
    trials = loaded(tmp_path).trials
    assert all(set(t.constraints) == {"error_rate", "p99_ms"} for t in trials)
    assert any(t.constraints["p99_ms"] > 0 for t in trials)
    assert loaded(tmp_path).best_trial.constraints["p99_ms"] <= 0


def test_two_objectives_have_a_front(tmp_path: Path) -> None:
    logged(tmp_path, planned(objectives=BOTH, trials=TRIALS))
    study = loaded(tmp_path)
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.best_trials
    assert all(t.values is not None and len(t.values) == 2 for t in study.trials)


def test_servers_that_never_start_are_failed_trials(tmp_path: Path) -> None:
    logged(tmp_path, script=lambda c, block, run_id: Behaviour(dies_at_start=True))
    assert {t.state for t in loaded(tmp_path).trials} == {TrialState.FAIL}


@pytest.mark.parametrize("at", [3, 150, 700, 1200])
def test_after_a_crash_no_trial_is_lost_repeated_or_left_running(tmp_path: Path, at: int) -> None:
    """Interrupted anywhere, gone on with: the study is that of one that was not interrupted."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "half").mkdir()
    logged(tmp_path / "whole")
    store = MemoryStore()
    with pytest.raises(KeyboardInterrupt):
        logged(tmp_path / "half", store=store, interrupt_at=at)
    logged(tmp_path / "half", store=store)
    whole, half = loaded(tmp_path / "whole"), loaded(tmp_path / "half")
    assert [t.params for t in half.trials] == [t.params for t in whole.trials]
    assert [t.user_attrs["runs"] for t in half.trials] == [t.user_attrs["runs"] for t in whole.trials]
    assert {t.state for t in half.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}


class Crash(Exception):
    pass


@pytest.mark.parametrize("step", ["enqueue_trial", "ask", "tell"])
def test_a_crash_within_optuna_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Before and after each of Optuna's own steps, the second time it is taken."""
    original = getattr(optuna.Study, step)
    for moment in ("before", "after"):
        folder = tmp_path / moment
        folder.mkdir()
        taken = []

        def crash(
            *arguments: object, moment: str = moment, taken: list[int] = taken, **options: object
        ) -> object:
            taken.append(1)
            if len(taken) == 2 and moment == "before":
                raise Crash
            result = original(*arguments, **options)
            if len(taken) == 2:
                raise Crash
            return result

        store = MemoryStore()
        monkeypatch.setattr(optuna.Study, step, crash)
        with pytest.raises(Crash):
            logged(folder, store=store)
        monkeypatch.setattr(optuna.Study, step, original)
        logged(folder, store=store)
        study = loaded(folder)
        assert len(study.trials) == TRIALS
        assert {t.state for t in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}


def test_it_can_be_made_again_from_the_runs_alone(tmp_path: Path) -> None:
    store = logged(tmp_path)
    before = kept(loaded(tmp_path))
    optuna.delete_study(study_name="study", storage=url(tmp_path))
    logged(tmp_path, store=store)
    after = kept(loaded(tmp_path))
    assert [t[:3] for t in after] == [t[:3] for t in before]
    assert [t[3] for t in after] == [pytest.approx(t[3]) if t[3] else t[3] for t in before]


def test_what_somebody_else_put_into_it_is_put_right(tmp_path: Path) -> None:
    store = logged(tmp_path)
    before = kept(loaded(tmp_path))
    loaded(tmp_path).ask({"workers": optuna.distributions.IntDistribution(1, 64, log=True)})
    logged(tmp_path, store=store)
    assert [t[:3] for t in kept(loaded(tmp_path))] == [t[:3] for t in before]


def test_a_study_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    other = optuna.create_study(study_name="study", storage=url(tmp_path), direction="maximize")
    other.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(UsageError, match="another Optuna study"):
        opened(tmp_path, planned())
    assert len(loaded(tmp_path).trials) == 1


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "studies.db").write_text("this is no database, but it is long enough to look like one" * 20)
    with pytest.raises(StoreError, match="cannot keep the Optuna study 'study'") as caught:
        opened(tmp_path, planned())
    assert "\n" not in str(caught.value)


def test_it_lives_beside_the_tables_of_sweeper(tmp_path: Path) -> None:
    logged(tmp_path)
    with sqlite3.connect(tmp_path / "studies.db") as connection:
        tables = {name for (name,) in connection.execute("select name from sqlite_master")}
    assert {"studies", "trials"} <= tables


def test_nothing_is_kept_twice(tmp_path: Path) -> None:
    """The same state told again changes nothing."""
    plan, store, seen = planned(trials=TRIALS), MemoryStore(), []

    class Twice(OptunaLog):
        def keep(self, search: Search, runs: Sequence[RunRecord], *, finished: bool) -> None:
            super().keep(search, runs, finished=finished)
            once = kept(self._study)
            super().keep(search, runs, finished=finished)
            seen.append(kept(self._study) == once)

    log = Twice(url(tmp_path), "study", plan.search.space, plan.search.objectives)
    run_optimization(plan, World(peak()).parts(), store, Watching(), log)
    log.close()
    assert seen
    assert all(seen)


def test_optuna_dashboard_shows_it(tmp_path: Path) -> None:
    """The real dashboard, asked by its own API."""
    logged(tmp_path, planned(objectives=BOTH, trials=5))
    port = free_port()
    program = Path(sys.executable).with_name("optuna-dashboard")
    process = subprocess.Popen(
        [program, url(tmp_path), "--host", "127.0.0.1", "--port", str(port), "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        (study,) = asked(port, "/api/studies")["study_summaries"]
        assert (study["study_name"], study["directions"]) == ("study", ["maximize", "minimize"])
        detail = asked(port, f"/api/studies/{study['study_id']}")
    finally:
        process.kill()
        process.wait()
    assert detail["objective_names"] == ["requests_per_s", "p99_ms"]
    assert len(detail["trials"]) == 5
    for trial in detail["trials"]:
        assert trial["state"] == "Complete"
        assert [param["name"] for param in trial["params"]] == ["workers"]
        assert len(trial["values"]) == 2
        assert {"p99_ms", "cpu_cores", "verdicts"} <= {attribute["key"] for attribute in trial["user_attrs"]}


def asked(port: int, path: str, timeout_s: float = 60.0) -> dict[str, Any]:
    """The answer of a server that may still be starting."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=10.0)
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
            continue
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found
