"""Why the answer wins: each situation gets its own clauses, and none that its figures do not show."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.analysis.causes.differences import Cores, differences_between, idle_cores, server_cores
from sweeper.analysis.causes.summary import cause
from sweeper.analysis.recommendation import StudyFacts, recommend
from sweeper.checks.thresholds import Limits
from sweeper.cli.print_answer import print_recommendation
from sweeper.records.answer import Cause, Recommendation, Status
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Severity, Verdict
from sweeper.records.run import Objective, RunRecord
from sweeper.report.json.recommendation import recommendation_object
from sweeper.report.text.recommendation import why
from sweeper.statistics.criteria import Rule
from sweeper.study.find_study import Where
from tests.support.builders import configurations, failed, figures, finding, record
from tests.support.documents import assert_says

USERS, THINK_S = 100, 0.3
TWO_SHARED = {"cores": 2, "affinity": [0, 1], "placement": {"server_cpus": None, "shared": True}}
SIXTEEN = {"cores": 18, "placement": {"server_cpus": list(range(16)), "shared": False}}


def run(rps: float, cpu_ms: float, delay_ms: float | None = 0.1, voluntary: float = 8.0, **more: Any) -> Any:
    """The levels of one count. CPU in cores and the latencies follow from them, unless given."""
    return {
        "rps": rps,
        "cpu_ms_per_request": cpu_ms,
        "run_delay_ms_per_request": delay_ms,
        "voluntary_switches_per_request": voluntary,
        "client_cpu_cores": 0.04,
        "other_cpu_cores": 0.01,
        **more,
    }


def study(
    levels: Mapping[int, Any], blocks: int = 4, noise: float = 0.02, seed: int = 5, host: float = 0.05
) -> list[RunRecord]:
    """Runs around those levels; a fast block is fast for all, a run that is slow costs more CPU."""
    rng = np.random.default_rng(seed)
    records = []
    for block in range(1, blocks + 1):
        block_speed = float(np.exp(rng.normal(0, host)))
        for position, (workers, level) in enumerate(levels.items(), 1):
            speed = block_speed * float(np.exp(rng.normal(0, noise)))
            chance = {name: float(np.exp(rng.normal(0, noise))) for name in sorted(level)}
            seen = {
                name: None
                if value is None
                else value * chance[name]
                if name not in ("rps",)
                else value * speed
                for name, value in level.items()
            }
            if seen["cpu_ms_per_request"] is not None:
                seen["cpu_ms_per_request"] = level["cpu_ms_per_request"] / speed
            mean_ms = max(1000.0 * (USERS / seen["rps"] - THINK_S), 1.0)
            seen.setdefault("cpu_cores", level["rps"] * level["cpu_ms_per_request"] / 1000.0)
            seen.setdefault("mean_ms", mean_ms)
            seen.setdefault("p99_ms", mean_ms * 1.4)
            seen.setdefault("max_concurrency", workers)
            seen["max_concurrency"] = (
                None if seen["max_concurrency"] is None else round(seen["max_concurrency"])
            )
            if "peak_rss_bytes" in seen:
                seen["peak_rss_bytes"] = round(seen["peak_rss_bytes"])
            records.append(record(workers, block, figures(pool_workers=workers, **seen), position=position))
    return records


def answer(
    records: Sequence[RunRecord],
    environment: Mapping[str, object] = TWO_SHARED,
    rule: Rule | None = None,
    *,
    complete: bool = True,
) -> Recommendation:
    counts = sorted({r.configuration.workers for r in records})
    shared = environment is not SIXTEEN
    facts = StudyFacts(
        "s", configurations(*counts), rule or Rule(tolerance=0.1), {}, shared, complete, dict(environment)
    )
    return recommend(facts, records)


def codes(found: Cause | None) -> dict[str, tuple[int, ...]]:
    assert found is not None
    return {clause.code: clause.workers for clause in found.clauses if clause.code != "native-threads"}


# The study of docs/results/default-studies.md: workers 1 to 32 of the XGBoost model on two shared cores.
CPU_BOUND = {
    1: run(33, 31, 0.2, p99_ms=2930, peak_rss_bytes=425e6, involuntary_switches_per_request=0.2),
    4: run(65, 29.5, 32, 12, p99_ms=1340, peak_rss_bytes=425e6, involuntary_switches_per_request=16.0),
    8: run(65, 29.5, 88, 20, p99_ms=1440, peak_rss_bytes=425e6, involuntary_switches_per_request=17.6),
    16: run(65, 29.5, 167, 31, p99_ms=1550, peak_rss_bytes=429e6, involuntary_switches_per_request=15.9),
    32: run(65, 29.5, 252, 40, p99_ms=1880, peak_rss_bytes=520e6, involuntary_switches_per_request=14.0),
}
IO_BOUND = {w: run(25.0 * w, 0.3, 0.1, 2.0) for w in (1, 2, 4, 8)}
FLAT = {w: run(50.0, 0.3, 0.1, 2.0) for w in (1, 4, 16)}
# traps.md: a forest that predicts through joblib, 500 trees, here on 16 cores.
GIL = {
    1: run(12.9, 77, 0.2, 11),
    2: run(17.0, 116, 2.0, 481),
    4: run(14.0, 134, 4.0, 708),
    32: run(9.0, 175, 9.0, 1859),
}
CLIFF = {2: run(50, 0.3), 4: run(100, 0.3), 8: run(101, 0.3), 16: run(60, 0.3)}
OVERSUBSCRIBED = {
    1: run(33, 30, 0.2),
    2: run(62, 30, 2.0),
    8: run(50, 37, 120, 9, involuntary_switches_per_request=60.0),
}


def without(levels: Mapping[int, Any], **changes: Any) -> dict[int, Any]:
    return {workers: {**level, **changes} for workers, level in levels.items()}


@dataclass(frozen=True)
class Situation:
    levels: Mapping[int, Any]
    workers: int | None
    clauses: dict[str, tuple[int, ...]]
    environment: Mapping[str, object] = field(default_factory=lambda: TWO_SHARED)
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    rule: Rule = field(default_factory=lambda: Rule(tolerance=0.1, looks=(3, 4)))


SITUATIONS = {
    "cpu-bound on two shared cores": Situation(
        CPU_BOUND, 4, {"idle-cores": (1,), "saturated": (8, 16, 32)},
        says=("x 1 model thread on 2 cores", "1 worker", "p99 is 1.8", "for a core instead of", "memory is"),
        never=("GIL", "not show", "lock"),
    ),
    "cpu-bound where run delay is not available": Situation(
        without(CPU_BOUND, run_delay_ms_per_request=None), 4, {"idle-cores": (1,), "saturated": (8, 16, 32)},
        says=("p99 is 1.8",), never=("for a core", "GIL"),
    ),
    "cpu-bound where nothing is known of the cores": Situation(
        CPU_BOUND, 4, {"unexplained-below": (1,), "no-more": (8, 16, 32)}, {},
        says=("not recorded",), never=("busy", "Fewer workers leave cores idle", "GIL"),
    ),
    "io-bound": Situation(
        IO_BOUND, 8, {"workers-wait": (1, 2, 4)},
        says=("number of workers is the limit, not the cores", "workers ÷ that time", "its worker for 40"),
        never=("Fewer workers leave cores idle", "GIL", "for a core"),
    ),
    "io-bound without known cores": Situation(
        IO_BOUND, 8, {"workers-limit": (1, 2, 4)}, {}, says=("grows with it",), never=("idle",),
    ),
    "flat": Situation(
        FLAT, 1, {"limited-elsewhere": (4, 16)},
        says=("neither workers nor cores", "do not show"), never=("GIL", "queue", "Below"),
    ),
    "a lock": Situation(
        GIL, 2, {"idle-cores": (1,), "gil-handoffs": (4, 32)}, SIXTEEN,
        says=("the GIL", "voluntary switches instead of 4", "although a request then costs"),
        never=("apart", "no core is left", "for a core"), rule=Rule(),
    ),
    "a lock that costs nothing but CPU": Situation(
        {1: run(14, 77, 0.2, 11), 4: run(14.1, 134, 1.0, 708)}, 1, {"gil-handoffs": (4,)}, SIXTEEN,
        says=("no higher although 14.",),
    ),
    "a lock on cores that are busy": Situation(
        {1: run(33, 30, 0.2, 10), 2: run(62, 30, 2.0, 12), 8: run(50, 38, 120, 200)}, 2,
        {"idle-cores": (1,), "gil-handoffs": (8,)},
        says=("the GIL", "the figures cannot separate the two", "for a core instead of"), rule=Rule(),
    ),
    "cliff": Situation(
        CLIFF, 4, {"workers-wait": (2,), "limited-elsewhere": (8,), "waits-elsewhere": (16,)},
        says=("not a core",), never=("GIL", "more threads than cores"),
    ),
    "more threads than cores": Situation(
        OVERSUBSCRIBED, 2, {"idle-cores": (1,), "oversubscription": (8,)},
        says=("more threads than cores", "wait for a core 7"), never=("GIL",), rule=Rule(),
    ),
    "more threads than cores, seen by switches alone": Situation(
        without(OVERSUBSCRIBED, run_delay_ms_per_request=None), 2,
        {"idle-cores": (1,), "oversubscription": (8,)},
        says=("lose their core 60", "more threads than cores"), never=("GIL", "wait for a core"), rule=Rule(),
    ),
    "more threads than cores, unseen": Situation(
        without(OVERSUBSCRIBED, run_delay_ms_per_request=None, involuntary_switches_per_request=1.0), 2,
        {"idle-cores": (1,), "dearer-above": (8,)},
        says=("cannot be seen",), never=("more threads than cores", "GIL"), rule=Rule(),
    ),
    "workers that the load never fills": Situation(
        {4: run(100, 0.3), 64: run(100, 0.3, max_concurrency=20)}, 4, {"unused-workers": (64,)},
        says=("at most 2",), never=("GIL",),
    ),
    "voluntary switches alone": Situation(
        {4: run(65, 29.5, 30, 10), 32: run(65, 29.5, 31, 80)}, 4, {"saturated": (32,)}, never=("GIL", "lock"),
    ),
    "one count": Situation(
        {4: run(65, 29.5)}, 4, {"alone": (4,)}, says=("No other count",), never=("Below", "busy", "idle"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SITUATIONS)
def test_each_situation_has_its_clauses_and_no_other(name: str) -> None:
    case = SITUATIONS[name]
    seen = answer(study(case.levels), case.environment, case.rule)
    assert seen.workers == case.workers, seen.reason
    found = seen.cause
    assert found is not None
    assert codes(found) == case.clauses, found.summary
    for words in case.says:
        assert words in found.summary
    for words in case.never:
        assert words not in found.summary
    assert found.summary.endswith(".") and ".." not in found.summary and "  " not in found.summary
    assert "None" not in found.summary and "nan" not in found.summary
    assert why(seen) == f"Why: {found.summary}"


@pytest.mark.parametrize("name", SITUATIONS)
def test_no_clause_survives_noise_that_hides_it(name: str) -> None:
    """The same means, runs that differ by a factor of three: nothing may be called a cause."""
    case = SITUATIONS[name]
    seen = differences_between(study(case.levels, blocks=3, noise=1.2), Cores(2.0))
    found = cause(seen, Configuration(case.workers or 1))
    told = {"gil-handoffs", "oversubscription", "dearer-above", "waits-elsewhere", "dearer-below"}
    assert not told & set(codes(found)), found and found.summary


# --- the words ------------------------------------------------------------------------------------------


def exactly(levels: Mapping[int, Any]) -> list[RunRecord]:
    """Runs whose means are the levels, so that the words do not hang on chance."""
    return study(levels, blocks=3, noise=0.0, host=0.0)


def test_the_paragraph_of_a_saturated_machine() -> None:
    assert why(answer(exactly(CPU_BOUND))) == (
        "Why: 4 workers x 1 model thread on 2 cores, shared with the load generator (20 threads counted in "
        "the server). "
        "Fewer workers leave cores idle: 1 worker, busy all the time, keeps 1.0 of 2 cores busy and leaves "
        "0.9 idle (33 requests/s); with 4 the server uses 1.9 (65 requests/s). With 4 no core is left idle "
        "(the server uses 1.9 of 2 cores), so 8, 16 and 32 give no more throughput (65 requests/s) and only "
        "queue requests inside the server instead of outside; with 32 a request's threads "
        "wait 252 ms for a core instead of 32 ms, p99 is 1.88 s instead of 1.34 s and memory is 520 MB "
        "instead of 425 MB."
    )


def test_the_paragraph_of_a_server_that_waits() -> None:
    assert why(answer(exactly(IO_BOUND))) == (
        "Why: 8 workers x 1 model thread on 2 cores, shared with the load generator (20 threads counted in "
        "the server). "
        "With fewer workers, the number of workers is the limit, not the cores: 4 workers are always taken "
        "while 1.9 of 2 cores are "
        "idle, and a request occupies its worker for 40 ms, of which 0.3 ms is CPU, so throughput is the "
        "number of workers ÷ that time: 100 requests/s become 200 requests/s with 8; 1 and 2 leave cores "
        "idle too (25 to 50 requests/s)."
    )


def under_quota(records: Sequence[RunRecord], lasts_ms: Mapping[int, float | None]) -> list[RunRecord]:
    """The same under a quota of 1 core, which lasts so long in each period; None: it never ran out."""
    found = []
    for one in records:
        assert one.figures is not None
        lasts = lasts_ms[one.configuration.workers]
        out = {} if lasts is None else {"quota_lasts_ms": lasts, "throttled_periods": 90}
        share, stood_ms = (0.0, 0.0) if lasts is None else (0.9, 1000.0 / lasts)
        figures = dataclasses.replace(
            one.figures, quota_cores=1.0, quota_period_ms=100.0, throttled_share=share,
            throttled_ms_per_request=stood_ms, **out,
        )  # fmt: skip
        found.append(dataclasses.replace(one, figures=figures))
    return found


def test_a_quota_that_is_used_up_is_part_of_the_cause() -> None:
    levels = {1: run(33, 30, 0.2, 8), 4: run(32.5, 30, 40, 9), 8: run(32, 30, 90, 9)}
    records = under_quota(study(levels), {1: None, 4: 55.0, 8: 50.0})
    found = answer(records, {**TWO_SHARED, "server_limits": {"cpu_cores": 1.0, "memory_bytes": None}})
    assert found.configuration is not None
    assert found.configuration.workers == 1
    assert found.cause is not None
    assert found.cause.server_cores == 1.0
    clause = next(clause for clause in found.cause.clauses if clause.code == "quota-used-up")
    assert clause.workers == (4, 8)
    assert clause.text == (
        "With 8 workers, the CPU quota of 1 core (100 ms of CPU in each period of 100 ms) runs out after 50 "
        "ms in 90% of the periods, and the server waits for the next period (20 ms per request, summed over "
        "the cores); with 1 worker, it rarely runs out."
    )
    assert clause.text in found.cause.summary
    by_workers = {figures.configuration.workers: figures for figures in found.cause.figures}
    assert by_workers[8].throttled_share == pytest.approx(0.9)
    assert recommendation_object(found)["candidates"][2]["throttled_ms_per_request"] == pytest.approx(20.0)


def test_a_quota_that_nobody_uses_up_is_no_cause() -> None:
    levels = {1: run(33, 30, 0.2, 8), 4: run(32.5, 30, 40, 9)}
    assert "quota-used-up" not in codes(answer(under_quota(study(levels), {1: None, 4: None})).cause)


def test_the_paragraph_is_printed_after_the_reason(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    seen = answer(exactly(CPU_BOUND))
    print_recommendation(seen, Where("s", tmp_path, f"sqlite:///{tmp_path / 'studies.db'}"), verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[lines.index(seen.reason) + 1] == why(seen)


# --- without an answer ----------------------------------------------------------------------------------


def test_an_inconclusive_study_shows_its_picture_and_names_no_winner() -> None:
    seen = answer(study(CPU_BOUND, noise=0.1), rule=Rule(tolerance=0.02))
    assert (seen.status, seen.workers) == (Status.INCONCLUSIVE, None)
    assert seen.cause is not None and not seen.cause.answered
    text = why(seen)
    assert text is not None
    assert text.startswith(
        "The picture: No worker count is recommended, so this text only compares the runs with those of 4"
    )
    assert "so far no more throughput" in text
    assert "Why" not in text


def test_an_infeasible_study_shows_its_picture() -> None:
    seen = answer(study(CPU_BOUND), rule=Rule(tolerance=0.1, slo_p99_ms=10.0))
    assert seen.status is Status.INFEASIBLE
    assert codes(seen.cause) == {"idle-cores": (1,), "saturated": (8, 16, 32)}
    assert seen.cause is not None and not seen.cause.answered


def test_of_counts_whose_requests_fail_nothing_is_said() -> None:
    """Failing fast looks quick: 8 gives 400 requests/s of which half are errors."""
    fast = {8: run(400, 2, 0.1)}
    fails = study({1: CPU_BOUND[1], 4: CPU_BOUND[4], 8: fast[8]})
    failing = [
        dataclasses.replace(r, figures=dataclasses.replace(r.figures, failed=r.figures.completed // 2))
        if r.configuration.workers == 8 and r.figures
        else r
        for r in fails
    ]
    seen = answer(failing)
    assert seen.workers == 4
    assert codes(seen.cause) == {"idle-cores": (1,), "failing": (8,)}
    assert why(seen) is not None and "8 mean nothing, because too many requests fail" in str(why(seen))


def test_where_all_requests_fail_that_is_all_there_is_to_say() -> None:
    seen = answer(
        [
            dataclasses.replace(r, figures=dataclasses.replace(r.figures, failed=r.figures.completed))
            for r in study(CPU_BOUND)
            if r.figures
        ]
    )
    assert seen.status is Status.INFEASIBLE
    assert codes(seen.cause) == {"failing": (1, 4, 8, 16, 32)}


def test_one_run_each_has_no_spread_to_hold_a_difference_against() -> None:
    seen = answer(study(CPU_BOUND, blocks=1), complete=False)
    assert seen.status is Status.INCONCLUSIVE
    assert codes(seen.cause) == {"no-spread": (4, 8, 16, 32)}
    assert "sweeper cannot yet say what causes the differences between counts" in str(why(seen))


@pytest.mark.parametrize(
    "records",
    [
        [],
        [failed(1, 1), failed(4, 1)],
        [record(4, 1, verdict=Verdict.SUSPECT, findings=[finding("steal")])],
        [record(1, 1), record(4, 1, findings=[finding("pool-size-not-applied", Severity.ERROR)])],
    ],
)
def test_without_a_run_that_counts_there_is_no_cause(records: list[RunRecord]) -> None:
    seen = answer(records or [failed(1, 1)])
    assert seen.cause is None
    assert why(seen) is None
    assert_says(json.loads(json.dumps(recommendation_object(seen))), seen)


def test_more_throughput_at_a_worse_p99_is_no_contradiction() -> None:
    levels = {4: run(100, 5, p99_ms=500, mean_ms=400), 8: run(140, 5, p99_ms=900, mean_ms=414)}
    seen = answer(study(levels), rule=Rule(objective=Objective.P99, tolerance=0.1))
    assert seen.workers == 4
    assert codes(seen.cause) == {"more-throughput": (8,)}
    assert "is no reason to use fewer workers; with 8 p99 is" in str(why(seen))


def test_a_smaller_count_that_only_p99_speaks_against() -> None:
    levels = {1: run(100, 5, p99_ms=900, mean_ms=700), 4: run(100, 5, p99_ms=500, mean_ms=700)}
    seen = answer(study(levels), rule=Rule(objective=Objective.P99, tolerance=0.1))
    assert seen.workers == 4
    assert codes(seen.cause) == {"no-less": (1,)}
    assert "by no more than noise, but p99 is " in str(why(seen))


def test_of_identical_counts_hardly_ever_anything_is_called_a_cause() -> None:
    """All pairs at once at 95%: at most one study in twenty tells two of five equal counts apart."""
    same = run(65, 29.5, 30, 12, involuntary_switches_per_request=16.0, peak_rss_bytes=4e8)
    told = 0
    for seed in range(100):
        records = study(dict.fromkeys((1, 4, 8, 16, 32), same), 3 + seed % 3, 0.05 + 0.05 * (seed % 2), seed)
        seen = answer(records)
        told += not set(codes(seen.cause)) <= {"saturated", "no-less"}
        assert not {"gil-bound", "oversubscribed"} & {f.code for f in seen.findings}
    assert told <= 100 * 0.05


def test_where_the_hosts_speed_is_taken_out_smaller_differences_are_told() -> None:
    """Within a block the host is 30% faster or slower, from run to run; the probe sees it."""
    rng = np.random.default_rng(2)
    records = []
    for r in study({1: CPU_BOUND[1], 4: run(65, 29.5, 2), 8: run(65, 36.0, 2)}, blocks=4, noise=0.01):
        assert r.figures is not None
        speed = float(np.exp(rng.normal(0, 0.3)))
        slowed = dataclasses.replace(
            r.figures,
            cpu_ms_per_request=r.figures.cpu_ms_per_request / speed,
            rps=r.figures.rps * speed,
            host_speed=1000.0 * speed,
        )
        records.append(dataclasses.replace(r, figures=slowed))
    four, eight = Configuration(4), Configuration(8)
    assert not differences_between(records).rises("cpu_ms_per_request", four, eight, 1.1)
    assert differences_between(records, host_speed=True).rises("cpu_ms_per_request", four, eight, 1.1)
    blind = [dataclasses.replace(r, figures=dataclasses.replace(r.figures, host_speed=None)) for r in records
             if r.figures is not None]  # fmt: skip
    assert not differences_between(blind, host_speed=True).rises("cpu_ms_per_request", four, eight, 1.1)


# --- the figures behind it ------------------------------------------------------------------------------


def test_the_figures_are_in_the_json() -> None:
    seen = answer(study(CPU_BOUND))
    document = json.loads(json.dumps(recommendation_object(seen), allow_nan=False))
    behind = document["cause"]
    assert behind["compared_with"] == {
        "workers": 4,
        "model_threads": 1,
        "processes": 1,
        "parameters": {},
    }
    assert (behind["server_cores"], behind["cores_shared"], behind["answered"]) == (2.0, True, True)
    assert [row["workers"] for row in behind["figures"]] == [1, 4, 8, 16, 32]
    assert [row["native_threads"] for row in behind["figures"]] == [1, 4, 8, 16, 32]
    last = behind["figures"][-1]
    assert last["run_delay_ms_per_request"] == pytest.approx(252, rel=0.05)
    assert last["waiting_share"] == pytest.approx(252 / 281, rel=0.05)
    ratio = last["relative"]["run_delay_ms_per_request"]
    assert ratio["low"] < 252 / 32 < ratio["high"] and ratio["low"] > 5
    assert_says(behind, seen.cause)


def test_native_threads_are_those_of_all_processes_and_of_the_model() -> None:
    configuration = Configuration(8, model_threads=2, processes=3)
    records = [
        dataclasses.replace(r, plan=dataclasses.replace(r.plan, configuration=configuration))
        for r in study({8: run(65, 29.5)})
    ]
    found = cause(differences_between(records, Cores(2.0, shared=False)), configuration)
    assert found is not None
    assert found.summary.startswith(
        "3 processes x 8 workers x 2 model threads on 2 cores (20 threads counted in the server). "
    )
    assert found.figures[0].native_threads == 48


@pytest.mark.parametrize(
    ("environment", "count"),
    [
        ({"cores": 2}, 2.0),
        ({"cores": 8, "affinity": [0, 1, 2]}, 3.0),
        ({"cores": 8, "affinity": [0, 1, 2, 3], "placement": {"server_cpus": [0, 1]}}, 2.0),
        ({"cores": 8, "cpu_quota_cores": 1.5}, 1.5),
        ({"cores": 1, "cpu_quota_cores": 1.5}, 1.0),
        ({"cores": 4, "placement": {"server_cpus": None}, "affinity": []}, 4.0),
        ({}, None),
        ({"cores": "many", "affinity": "0-3", "placement": 7, "cpu_quota_cores": None}, None),
    ],
)
def test_cores_of_the_server(environment: dict[str, object], count: float | None) -> None:
    assert server_cores(environment, True) == Cores(count, True)


def test_the_cores_of_a_limit_are_the_servers_alone() -> None:
    """The load generator is outside of it, so that what that uses is not used of the limit."""
    cores = server_cores({"cores": 2, "server_limits": {"cpu_cores": 1.5, "memory_bytes": None}}, True)
    assert cores == Cores(1.5, shared=True, own_quota=True)
    busy = figures(cpu_cores=1.0, client_cpu_cores=0.4, other_cpu_cores=0.1)
    assert idle_cores(busy, cores, Limits().cores_contended) == pytest.approx(0.5)
    assert server_cores({"cores": 2, "server_limits": {"cpu_cores": 4.0}}, True) == Cores(2.0, shared=True)
    assert server_cores({"cores": 2, "server_limits": {"cpu_cores": None}}, True) == Cores(2.0, shared=True)


@pytest.mark.parametrize(
    ("changes", "cores", "idle"),
    [
        ({"cpu_cores": 1.0, "client_cpu_cores": 0.2, "other_cpu_cores": 0.1}, Cores(2.0), 0.7),
        ({"cpu_cores": 1.0, "client_cpu_cores": 0.2, "other_cpu_cores": 0.1}, Cores(2.0, False), 0.9),
        ({"cpu_cores": 1.0, "client_cpu_cores": 0.2, "probe_cpu_cores": 0.05}, Cores(2.0), 0.75),
        ({"cpu_cores": 3.0, "client_cpu_cores": 0.2, "other_cpu_cores": 0.1}, Cores(2.0), 0.0),
        ({"cpu_cores": 1.0, "client_cpu_cores": None, "other_cpu_cores": None}, Cores(2.0), None),
        ({"cpu_cores": 1.9, "client_cpu_cores": None, "other_cpu_cores": None}, Cores(2.0), 0.1),
        ({"cpu_cores": 1.0, "client_cpu_cores": None, "other_cpu_cores": None}, Cores(2.0, False), 1.0),
        ({"cpu_cores": 1.0}, Cores(None), None),
    ],
)
def test_idle_cores(changes: dict[str, Any], cores: Cores, idle: float | None) -> None:
    seen = idle_cores(figures(**changes), cores, Limits().cores_contended)
    assert seen == (None if idle is None else pytest.approx(idle))


# --- whatever the records -------------------------------------------------------------------------------

levels_of_a_run = st.sampled_from([0.0, 1e-9, 0.3, 1.0, 30.0, 140.0, 1e9])
maybe_level = st.none() | levels_of_a_run
any_run = st.builds(
    lambda workers, block, verdict, at_once, **changes: record(
        workers, block, figures(max_concurrency=at_once, **changes), verdict=verdict
    ),
    workers=st.sampled_from([1, 4, 32]),
    block=st.integers(1, 3),
    verdict=st.sampled_from([Verdict.VALID, Verdict.VALID, Verdict.VALID, Verdict.SUSPECT, Verdict.FAILED]),
    at_once=st.sampled_from([None, 0, 1, 4, 32]),
    rps=levels_of_a_run,
    completed=st.integers(0, 2000),
    failed=st.integers(0, 3),
    mean_ms=levels_of_a_run,
    p99_ms=levels_of_a_run,
    cpu_cores=levels_of_a_run,
    cpu_ms_per_request=levels_of_a_run,
    voluntary_switches_per_request=levels_of_a_run,
    involuntary_switches_per_request=levels_of_a_run,
    run_delay_ms_per_request=maybe_level,
    client_cpu_cores=maybe_level,
    other_cpu_cores=maybe_level,
    probe_cpu_cores=maybe_level,
    peak_rss_bytes=st.sampled_from([0, 1, 10**9]),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(any_run, max_size=14),
    st.sampled_from([Cores(), Cores(2.0), Cores(16.0, shared=False), Cores(0.5)]),
    st.sampled_from([None, Configuration(1), Configuration(4)]),
    st.booleans(),
)
def test_there_is_always_a_sentence_or_nothing(
    records: list[RunRecord], cores: Cores, answered: Configuration | None, failing: bool
) -> None:
    found = cause(differences_between(records, cores), answered, [Configuration(32)] if failing else ())
    valid = [r for r in records if r.verdict is Verdict.VALID]
    if found is None:
        assert all((r.figures is not None and r.figures.rps == 0) or failing for r in valid) or len(valid) > 1
        return
    assert found.summary.endswith(".")
    for word in ("None", "nan", "inf ", "  ", ".."):
        assert word not in found.summary
    assert not found.answered or found.compared_with == answered
    assert {f.configuration for f in found.figures} == {r.configuration for r in valid}
    seen = dataclasses.replace(answer([record(4, 1)]), cause=found)
    text = json.dumps(recommendation_object(seen), allow_nan=False)
    assert_says(json.loads(text)["cause"], found)
