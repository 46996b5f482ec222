"""What a comparison of two servers says, where something is not as usual."""

from __future__ import annotations

import pytest

from sweeper.analysis.scenarios.stress import Limit, Step, Stressed
from sweeper.records.scenarios import Scenario, ServerKind, Workload
from sweeper.report.text.scenarios import no_expectation, stress_line
from tests.support.scenario_terms import terms

GOOD = Step(8, None, "", 140.0, 300.0, 0.0)
BAD = Step(16, Limit.ERRORS, "12.0% of the requests failed", 150.0, 900.0, 0.12)
DOWN = Step(16, Limit.START, "no answer", None, None, None)
LATE = Step(16, Limit.CLIENT, "the load generator used 0.99 of one core", 150.0, 900.0, 0.0)


def stressed(*steps: Step, limit: Limit | None) -> Stressed:
    good = [step.users for step in steps if step.limit is None]
    bad = [step.users for step in steps if step.limit is not None]
    most = max((step.rps or 0.0 for step in steps if step.limit is None), default=None)
    return Stressed(ServerKind.FASTAPI, steps, max(good, default=None), min(bad, default=None), most, limit)


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (stressed(limit=None), "is not finished; so far no load was good."),
        (stressed(GOOD, limit=None), "is not finished; so far it sustains 8 users."),
        (stressed(GOOD, BAD, limit=Limit.ERRORS), ", but not 16 users: 12.0% of the requests failed."),
        (
            stressed(BAD, limit=Limit.ERRORS),
            "sustains no load, not even 16 users: 12.0% of the requests failed.",
        ),
        (
            stressed(LATE, limit=Limit.CLIENT),
            "has an unknown limit: under 16 users the load generator is the limit, not the server: the load "
            "generator used 0.99 of one core.",
        ),
        (stressed(DOWN, limit=Limit.START), "was not measured, because the server did not start: no answer."),
        (stressed(GOOD, limit=Limit.USERS), "; that is all that --max-users allows, so its limit is higher."),
    ],
)
def test_what_a_server_takes(one: Stressed, line: str) -> None:
    said = stress_line(one)
    assert said.startswith("stress: fastapi ") and said.endswith(line)
    if one.last_good is not None and one.limit is not None:
        assert "sustains 8 users at 140.0 requests/s, p99 300 ms" in said


def test_why_no_expectation_is_tested() -> None:
    other = terms(servers=(ServerKind.GUNICORN, ServerKind.FASTAPI))
    assert "--servers fastapi,gunicorn" in no_expectation(other)
    single = terms(scenarios=(Scenario.SINGLE,), workload=Workload.IO)
    assert "add the scenario concurrent" in no_expectation(single)
