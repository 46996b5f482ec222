"""`optimize` on two hosts with a real PostgreSQL: our tables and Optuna's, both kept by both."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import optuna

from sweeper.records.answer import Recommendation
from sweeper.store.claims import shared
from sweeper.store.database import Database
from sweeper.store.study_store import SharedStudyStore
from sweeper.study.optimization import answer_of_search, run_shared_optimization
from sweeper.study.optuna_log import OptunaLog
from tests.support.fakes import Watching, World
from tests.support.optimizations import optimized, peak, planned
from tests.support.shared_studies import host
from tests.support.stored import STUDY


def test_two_hosts_search_and_optuna_shows_what_both_tried(postgres_url: str, tmp_path: Path) -> None:
    plan = planned(trials=6)
    Database(postgres_url).create_study(dataclasses.replace(STUDY, name="study"))
    answers: dict[str, Recommendation] = {}
    together = threading.Barrier(2)

    def work(name: str) -> None:
        database = Database(postgres_url)
        store = SharedStudyStore(database, tmp_path / name, "study", name)
        world = World(peak())
        together.wait()
        with store.alone():
            log = OptunaLog(postgres_url, "study", plan.search.space, plan.search.objectives)
        answers[name] = run_shared_optimization(plan, host(name), world.parts(), store, Watching(), log)
        log.close()
        database.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    database = Database(postgres_url, create=False)
    seen = shared(database, "study")
    database.close()
    assert answers["a"] == answers["b"] == answer_of_search(plan, seen)
    assert {record.host for record in seen.records} == {"a", "b"}
    assert len({record.plan.run_id for record in seen.records}) == len(seen.records)

    watched = optuna.load_study(study_name="study", storage=postgres_url)
    search = answers["a"].search
    assert search is not None and len(search.trials) == 6
    assert [t.params["workers"] for t in watched.trials] == [t.configuration.workers for t in search.trials]
    assert all(trial.state.is_finished() for trial in watched.trials)


def test_a_log_that_another_host_made_anew_is_gone_on_with(tmp_path: Path) -> None:
    url, plan = f"sqlite:///{tmp_path / 'studies.db'}", planned(trials=6)
    logs = [OptunaLog(url, "study", plan.search.space, plan.search.objectives) for _ in range(2)]
    optuna.delete_study(study_name="study", storage=url)
    answer, store, _, _ = optimized(peak(), plan)
    assert answer.search is not None
    for log in logs:
        log.keep(answer.search, [r for r in store.saved if r.plan.search], finished=True)
        log.close()
    assert len(optuna.load_study(study_name="study", storage=url).trials) == 6
