"""Threads that the model starts by itself are told by what was counted, and said where it is pasted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sweeper.analysis.causes.differences import Cores, differences_between
from sweeper.analysis.causes.summary import cause
from sweeper.records.answer import Cause
from sweeper.records.configuration import Configuration
from sweeper.records.run import RunRecord
from sweeper.report.formats import to_env
from tests.support.builders import figures, record
from tests.support.recommendations import answer

BASE = 4
"""Threads that a server has beside its pool."""


def counted(threads: Mapping[int, int], model_threads: int = 1, **changes: int) -> list[RunRecord]:
    """Three blocks of runs with so many threads by workers."""
    records = []
    for block in (1, 2, 3):
        for place, (workers, number) in enumerate(threads.items(), start=1):
            more = {"threads": number, "max_concurrency": workers, "pool_workers": workers, **changes}
            made = record(workers, block, figures(rps=100.0 + place + 0.1 * block, **more), position=place)
            configuration = Configuration(workers, model_threads)
            records.append(replace(made, plan=replace(made.plan, configuration=configuration)))
    return records


def told(records: list[RunRecord]) -> Cause:
    found = cause(differences_between(records, Cores(2.0, shared=True)), records[0].configuration)
    assert found is not None
    return found


def codes(records: list[RunRecord]) -> list[str]:
    return [clause.code for clause in told(records).clauses]


def test_a_thread_for_each_worker_is_no_thread_of_the_models_own() -> None:
    assert "own-threads" not in codes(counted({1: BASE + 1, 4: BASE + 4, 32: BASE + 32}))
    assert "own-threads" not in codes(counted({1: BASE + 2, 4: BASE + 8}, model_threads=2))


def test_more_for_each_worker_is_said_with_what_binds_it() -> None:
    """joblib: for each call as many threads as there are cores, and three that look after them."""
    found = told(counted({1: BASE + 6, 4: BASE + 24}))
    assert "1 worker x 1 model thread on 2 cores, shared with the load generator (10 threads" in found.summary
    assert "from 1 worker (10 threads) to 4 workers (28 threads) each further worker added 6.0 threads" in (
        found.summary
    )
    assert "they limit only the threads of OpenMP and BLAS" in found.summary and "n_jobs=1" in found.summary
    assert found.figures[-1].counted_threads == 28


def test_where_it_cannot_be_told_nothing_is_said() -> None:
    assert "own-threads" not in codes(counted({4: 40}))
    assert "own-threads" not in codes(counted({1: 10, 2: 16}))
    few, many = (counted({workers: 10 * workers}, processes=workers) for workers in (1, 4))
    assert "own-threads" not in codes([*few, *many])
    busy = counted({1: 10, 4: 40}, max_concurrency=1)
    assert "own-threads" not in codes(busy)


def test_what_is_pasted_says_what_it_does_not_bind() -> None:
    found = replace(answer(counted({1: BASE + 6, 4: BASE + 24})), status="recommended")
    assert found.configuration is not None
    text = " ".join(line.lstrip("# ") for line in to_env(found).splitlines())
    assert "The model starts threads of its own" in text and "export OMP_NUM_THREADS=1" in text
