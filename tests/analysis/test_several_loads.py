"""The recommendation of a study of several loads: status, answer and the sentence that says why."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from sweeper.analysis.recommendation import StudyFacts
from sweeper.analysis.several_loads import recommend_under_loads
from sweeper.records.answer import Recommendation, Status
from sweeper.records.finding import Finding, FindingCode, Severity
from sweeper.records.run import RunRecord
from sweeper.statistics.criteria import Rule
from tests.support.builders import configurations, failed, figures, record

NOISE = (1.0, 1.004, 0.997, 1.002, 0.999, 1.001)
PLATEAU = {1: 50.0, 4: 100.0, 8: 100.0}
FLAT = {1: 100.0, 4: 100.0, 8: 100.0}


def runs(rps: Mapping[float, Mapping[int, float]], blocks: int = 4, p99_ms: float = 600.0) -> list[RunRecord]:
    """By load and workers, with noise of 0.3%."""
    made = []
    for load, levels in rps.items():
        for block in range(1, blocks + 1):
            for place, (workers, level) in enumerate(levels.items()):
                speed = level * NOISE[(block * 2 + place) % len(NOISE)]
                run = record(
                    workers,
                    block,
                    figures(rps=speed, p99_ms=p99_ms, pool_workers=workers, max_concurrency=workers),
                )
                made.append(dataclasses.replace(run, plan=dataclasses.replace(run.plan, load=load)))
    return made


def answer(records: list[RunRecord], rule: Rule | None = None, **facts: object) -> Recommendation:
    loads = tuple(sorted({r.plan.load for r in records if r.plan.load is not None})) or (10.0, 100.0)
    known = {"complete": True, "users": round(loads[-1]), **facts}
    return recommend_under_loads(
        StudyFacts(
            "s", configurations(1, 4, 8), dataclasses.replace(rule or Rule(), loads=len(loads)), {},
            cores_shared=False, environment={"cores": 2}, loads=loads, **known,  # type: ignore[arg-type]
        ),
        records,
    )  # fmt: skip


def test_one_answer_for_all_loads() -> None:
    found = answer(runs({10: FLAT, 100: PLATEAU}))
    assert (found.status, found.workers, found.tied) == (Status.RECOMMENDED, 4, (4, 8))
    assert found.reason == (
        "4 workers give throughput within 5% of the best under each of 10 and 100 users (95% confidence); "
        "under 100 users, 1 does not; 8 would bring no gain that matters."
    )
    assert [c.state for c in found.candidates] == ["excluded", "acceptable", "acceptable"]
    assert found.loads is not None and not found.loads.disagree
    assert [(one.load, one.configuration and one.configuration.workers) for one in found.loads.under] == [
        (10, 1),
        (100, 4),
    ]
    assert found.loads.under[0].candidates[0].state == "acceptable"
    # Figures, candidates and cause are those of the largest load; the time is that of all runs.
    assert found.candidates[0].rps is not None and found.candidates[0].rps.mean == pytest.approx(50, rel=0.01)
    assert found.elapsed_s == 24 * 20.0
    assert found.users == 100


def test_the_trial_of_turns_may_have_been_under_any_load() -> None:
    first, *rest = runs({10: FLAT, 100: PLATEAU})
    tried = Finding(FindingCode.TURNS_TRIED, Severity.INFO, "tried it", {"in_turns": True})
    made = answer([dataclasses.replace(first, findings=(tried,)), *rest]).blocks_made
    assert made is not None
    assert (made.in_turns, made.why) == (True, "tried it")


def test_loads_that_disagree_are_named_with_both_answers() -> None:
    found = answer(runs({10: {1: 100.0, 4: 80.0, 8: 70.0}, 100: PLATEAU}))
    assert (found.status, found.workers, found.tied) == (Status.INCONCLUSIVE, None, ())
    assert found.reason == (
        "the loads disagree: no count gives throughput within 5% of the best under each of 10 and 100 users; "
        "alone, 10 users need 1 worker and 100 users need 4 workers (95% confidence for each load)."
    )
    assert found.loads is not None and found.loads.disagree


def test_at_random_the_loads_are_requests_per_second() -> None:
    found = answer(runs({20: FLAT, 80: PLATEAU}), users=None, arrivals_per_s=80.0)
    assert "under each of 20 and 80 requests/s at random" in found.reason
    assert found.arrivals_per_s == 80


def test_no_value_keeps_the_limit_under_one_load() -> None:
    slow = [
        dataclasses.replace(
            r,
            figures=dataclasses.replace(
                r.figures, latency=dataclasses.replace(r.figures.latency, p99_ms=2000.0)
            ),
        )
        for r in runs({100: PLATEAU})
        if r.figures is not None
    ]
    found = answer([*runs({10: FLAT}, p99_ms=100.0), *slow], Rule(slo_p99_ms=500.0))
    assert (found.status, found.workers) == (Status.INFEASIBLE, None)
    assert found.reason.startswith("under 100 users, no worker count keeps ")
    assert found.loads is not None and not found.loads.disagree


def test_one_limit_broken_under_one_load_excludes_the_value() -> None:
    records = [
        dataclasses.replace(r, figures=figures(rps=100.0, failed=500, completed=1000, error_rate=0.5))
        if (r.plan.load, r.configuration.workers) == (100, 4)
        else r
        for r in runs({10: FLAT, 100: PLATEAU})
    ]
    found = answer(records)
    assert (found.status, found.workers) == (Status.RECOMMENDED, 8)
    assert "under 100 users, 1 and 4 do not (50.0% of its requests failed (limit 1.0%))" in found.reason or (
        "50.0% of its requests failed" in found.reason
    )
    four = found.candidates[1]
    assert (four.state, four.why) == ("excluded", "50.0% of its requests failed (limit 1.0%) under 100 users")


def test_under_way_and_with_few_blocks() -> None:
    found = answer(runs({10: FLAT, 100: PLATEAU}), complete=False)
    assert found.status is Status.PROVISIONAL
    assert found.reason.endswith("provisional, because the study is not finished.")
    few = answer(runs({10: FLAT, 100: PLATEAU}, blocks=2), Rule(looks=(2,)))
    assert few.status in (Status.PROVISIONAL, Status.INCONCLUSIVE)
    assert few.blocks == 2


def test_what_is_open_names_the_load_that_keeps_it_open() -> None:
    noisy = runs({100: {1: 50.0, 4: 96.0, 8: 100.0}}, blocks=3)
    found = answer([*runs({10: FLAT}), *noisy])
    if found.status is Status.INCONCLUSIVE:
        assert "100 users keep that open" in found.reason
    else:
        assert found.smaller_unsettled == (4,) or found.workers in (4, 8)


def test_without_any_run_that_counts() -> None:
    nothing = [
        dataclasses.replace(r, plan=dataclasses.replace(r.plan, load=load))
        for load in (10.0, 100.0)
        for r in (failed(1, 1), failed(4, 1), failed(8, 1))
    ]
    found = answer(nothing)
    assert (found.status, found.workers) == (Status.INCONCLUSIVE, None)
    assert found.reason.startswith("every run failed")
    assert answer([]).reason == "no run has been made yet."
