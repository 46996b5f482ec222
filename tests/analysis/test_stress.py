"""The climb: doubling, the middle, the second run of the last good load, and what ended it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.analysis.scenarios.stress import (
    CLOSE,
    Limit,
    expected_latency_s,
    next_users,
    step_of,
    stress_step,
    stressed,
)
from sweeper.records.finding import Verdict
from sweeper.records.run import RunRecord
from sweeper.records.scenarios import Scenario, ServerKind, Terms
from tests.support.scenario_terms import BOTH, run, terms

FASTAPI = ServerKind.FASTAPI


def climb(bears: Callable[[int], bool], wanted: Terms, **bad: Any) -> tuple[list[RunRecord], list[int]]:
    """Until it is over; the numbers of users that were tried."""
    records: list[RunRecord] = []
    tried: list[int] = []
    while (users := next_users(FASTAPI, records, wanted)) is not None:
        assert len(tried) < 60
        tried.append(users)
        figures = {"rps": float(users)} if bears(users) else {"error_rate": 0.5, **bad}
        records.append(run(Scenario.STRESS, FASTAPI, users, len(tried), **figures))
    return records, tried


def test_twice_as_many_until_it_is_too_many_then_the_middle() -> None:
    records, tried = climb(lambda users: users <= 170, terms(max_users=3200))
    assert tried == [50, 100, 200, 141, 167, 182, 167]
    found = stressed(FASTAPI, records, terms(max_users=3200))
    assert (found.last_good, found.first_bad, found.limit) == (167, 182, Limit.ERRORS)
    assert (found.most_rps, found.why) == (167.0, "50.0% of the requests failed")


@given(knee=st.integers(0, 5000), most=st.integers(2, 4000))
def test_it_ends_close_to_what_the_server_bears(knee: int, most: int) -> None:
    wanted = terms(max_users=most)
    records, tried = climb(lambda users: users <= knee, wanted)
    found = stressed(FASTAPI, records, wanted)
    assert max(tried) <= most and min(tried) >= 1 and len(tried) <= 25
    if knee >= most:
        assert (found.last_good, found.first_bad, found.limit) == (most, None, Limit.USERS)
    else:
        assert found.first_bad is not None and found.first_bad > knee
        last = found.last_good or 0
        assert last <= knee and found.first_bad - last <= max(1, CLOSE * last)
    assert knee == 0 or tried.count(found.last_good or 0) == 2


def test_the_last_good_load_is_run_again_and_may_turn_out_bad() -> None:
    wanted = terms(max_users=100)
    runs = [run(Scenario.STRESS, FASTAPI, users, block) for block, users in ((1, 50), (2, 100))]
    assert next_users(FASTAPI, runs, wanted) == 100
    runs.append(run(Scenario.STRESS, FASTAPI, 100, 3, error_rate=0.02))
    assert next_users(FASTAPI, runs, wanted) == 70
    assert stressed(FASTAPI, runs, wanted).limit is None  # not finished


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({}, None),
        ({"error_rate": 0.01}, None),
        ({"error_rate": 0.011}, Limit.ERRORS),
        ({"p99_ms": 501.0}, Limit.P99),
        ({"codes": ("no-steady-state", "drift")}, None),
        ({"codes": ("client-saturated",), "client_cpu_cores": 0.9}, Limit.CLIENT),
        ({"codes": ("client-saturated",), "client_cpu_cores": 0.1}, None),
        ({"codes": ("client-saturated",), "error_rate": 0.5}, Limit.ERRORS),
        ({"verdict": Verdict.FAILED, "codes": ("server-died",)}, Limit.DIED),
        ({"verdict": Verdict.FAILED, "codes": ("server-did-not-start",)}, Limit.START),
        ({"verdict": Verdict.FAILED, "codes": ("no-requests",)}, Limit.DIED),
        ({"verdict": Verdict.FAILED, "codes": ("load-died",)}, Limit.CLIENT),
    ],
)
def test_what_makes_a_load_bad(changes: dict[str, Any], limit: Limit | None) -> None:
    changes = {"p99_ms": 400.0, **changes}
    step = step_of(run(Scenario.STRESS, FASTAPI, 50, 1, **changes), terms(slo_p99_ms=500.0))
    assert step.limit is limit
    assert bool(step.why) == (limit is not None)


def test_both_servers_take_each_step_until_one_is_done() -> None:
    wanted = terms(max_users=100)
    first = stress_step(wanted, (), 1)
    assert [(plan.case.server, plan.case.users) for plan in first if plan.case] == [
        ("fastapi", 50), ("gunicorn", 50),
    ]  # fmt: skip
    records = [run(Scenario.STRESS, server, 50, 1) for server in BOTH]
    second = stress_step(wanted, records, 2)
    assert [plan.case.server for plan in second if plan.case] == ["gunicorn", "fastapi"]
    records += [run(Scenario.STRESS, server, 100, block) for block in (2, 3) for server in BOTH[:1]]
    records += [run(Scenario.STRESS, BOTH[1], 100, block, error_rate=0.5) for block in (2, 3)]
    fourth = stress_step(wanted, records, 4)
    assert [(plan.case.server, plan.case.users) for plan in fourth if plan.case] == [("gunicorn", 70)]
    assert len({plan.run_id for plan in (*first, *second, *fourth)}) == 5


def test_latency_is_expected_by_the_best_throughput_of_answers() -> None:
    assert expected_latency_s(FASTAPI, 1000, ()) == 0.0
    runs = [
        run(Scenario.STRESS, FASTAPI, 50, 1, rps=80.0),
        run(Scenario.STRESS, FASTAPI, 100, 2, rps=100.0),
        run(Scenario.STRESS, FASTAPI, 200, 3, rps=1000.0, error_rate=0.99),
        run(Scenario.STRESS, ServerKind.GUNICORN, 100, 2, rps=500.0),
    ]
    assert expected_latency_s(FASTAPI, 1000, runs) == pytest.approx(10.0)
