"""Nothing is known of a remote server's processes: checks and causes that need them say nothing, and the rest
says what it always says."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from sweeper.analysis.recommendation import StudyFacts, recommend
from sweeper.checks.pool import pool_ignored
from sweeper.checks.run_checks import run_findings
from sweeper.records.configuration import Configuration
from sweeper.records.run import RunFigures, RunRecord, Window
from sweeper.report.text.recommendation import remote_line
from sweeper.statistics.criteria import Rule
from sweeper.statistics.figures import Measurement, run_figures
from tests.support.builders import SAMPLE, configurations, figures, log, record
from tests.support.contexts import CONTEXT

OF_THE_SERVER: dict[str, Any] = dict.fromkeys(
    (
        "cpu_cores", "cpu_user_s", "cpu_system_s", "cpu_ms_per_request", "rss_bytes", "peak_rss_bytes",
        "threads", "processes", "voluntary_switches_per_request", "involuntary_switches_per_request",
        "run_delay_ms_per_request", "host_switches_per_s", "host_steal_share", "host_pressure_share",
        "throttled_periods", "other_cpu_cores",
    )
)  # fmt: skip
CLEAN = dataclasses.replace(figures(rps=140.0, mean_ms=414.0), **OF_THE_SERVER)
UNSEEN = dataclasses.replace(
    SAMPLE,
    **{
        f.name: None for f in dataclasses.fields(SAMPLE) if f.name.startswith(("server_", "host_", "cgroup_"))
    },
)
REQUESTS = log(9.6 + (np.arange(1400) + 0.5) / 140.0, 400.0)


def measured(samples: tuple[Any, ...]) -> Measurement:
    return Measurement(
        requests=REQUESTS, samples=samples, window=Window(10.0, 20.0), users_on_s=7.0, ended_s=21.0,
        ready_s=1.0, pool=None,
    )  # fmt: skip


def test_figures_of_the_server_are_unavailable_and_the_others_are_there() -> None:
    samples = tuple(
        dataclasses.replace(UNSEEN, at_s=at_s, client_cpu_s=at_s / 10) for at_s in (10.0, 15.0, 20.0)
    )
    found = run_figures(measured(samples))
    assert found is not None
    assert {name: getattr(found, name) for name in OF_THE_SERVER} == OF_THE_SERVER
    assert (found.completed, found.client_cpu_cores) == (1400, 0.1)
    # Of 56 requests under way as the window begins half counts; nothing was sent that could cross its end.
    assert found.rps == pytest.approx(140.0 - 28 / 10)
    assert found.switches_per_request is None


def codes(run: RunFigures, **context: Any) -> set[str]:
    samples = tuple(dataclasses.replace(UNSEEN, at_s=10.0 + at_s / 2) for at_s in range(21))
    found = run_findings(measured(samples), run, dataclasses.replace(CONTEXT, **context))
    return {str(finding.code) for finding in found}


def test_a_clean_run_stays_clean_and_a_fault_of_the_load_is_still_found() -> None:
    assert codes(CLEAN) == set()
    assert codes(dataclasses.replace(CLEAN, client_cpu_cores=0.95)) == {"client-saturated"}
    assert codes(dataclasses.replace(CLEAN, pool_workers=2)) == {"pool-size-not-applied"}


def test_a_pool_that_does_not_say_its_size_cannot_be_inferred_from_threads() -> None:
    silent = dataclasses.replace(CLEAN, pool_workers=None, max_concurrency=None)
    samples = (dataclasses.replace(UNSEEN, at_s=10.0), dataclasses.replace(UNSEEN, at_s=20.0))
    found = run_findings(measured(samples), silent, CONTEXT)
    (said,) = [f for f in found if f.code == "pool-size-unverified"]
    assert "sweeper cannot know whether the server uses the worker count" in said.message
    assert pool_ignored([run(workers, 1, 100.0, silent) for workers in (1, 32)]) is None


def run(workers: int, block: int, rps: float, like: RunFigures = CLEAN) -> RunRecord:
    return record(workers, block, dataclasses.replace(like, rps=rps))


def test_an_answer_names_no_cause_that_nobody_could_see() -> None:
    runs = [
        run(workers, block, rps * (1 + 0.002 * (block % 2)))
        for block in range(1, 6)
        for workers, rps in ((1, 25.0), (4, 100.0), (32, 60.0))
    ]
    environment: dict[str, object] = {
        "cores": 2,
        "affinity": [0, 1],
        "remote": {"url": "u", "sets": ["workers"]},
    }
    facts = StudyFacts(
        "s", configurations(1, 4, 32), Rule(), {}, cores_shared=False, complete=True, environment=environment,
        launcher="remote",
    )  # fmt: skip
    found = recommend(facts, runs)
    assert found.configuration == Configuration(4)
    cause = found.cause
    assert cause is not None and cause.server_cores is None
    assert cause.summary.startswith("4 workers; how many cores the server had is not recorded.")
    assert "CPU" not in cause.summary and "thread" not in cause.summary
    assert all(
        f.counted_threads is None and f.cpu_cores is None and f.rss_bytes is None for f in cause.figures
    )
    assert all(c.cpu_cores is None and c.rss_bytes is None for c in found.candidates)
    assert {f.code for f in found.findings} == set()
    assert (found.own_server, found.restart_sets) == (True, frozenset({"workers"}))
    assert remote_line(found) is not None
    alone = recommend(facts, [run(4, block, 100.0) for block in range(1, 4)])
    assert alone.cause is not None
    assert "No other count has runs to compare it with." in alone.cause.summary
