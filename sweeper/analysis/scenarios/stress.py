"""The stress: how many users a server bears. Twice as many in each step, then the middle between the last
load that was good and the first that was not, until they are close.

A load is good where errors stay within the limit, p99 within the SLO (where one is set), and the server
alive. Where the load generator is at its own limit, nothing more is learnt of the server, and it says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sweeper.checks.thresholds import Limits
from sweeper.records.finding import FindingCode
from sweeper.records.run import RunFigures, RunPlan, RunRecord
from sweeper.records.scenarios import Scenario, ServerKind, Terms
from sweeper.records.wording import limit_ms

FIRST_USERS = 50
CLOSE = 0.15
"""How far above the last good load the first bad one may be at the end, as a share."""
CONFIRMED = 2
"""Runs in which the last good load must have been good."""


class Limit(StrEnum):
    """What ended the climb."""

    ERRORS = "errors"
    P99 = "p99"
    DIED = "died"
    START = "start"
    """It never got ready."""
    CLIENT = "client"
    USERS = "users"
    """As many as were allowed, and still good."""


@dataclass(frozen=True, slots=True)
class Step:
    """One run of the stress. Without figures the last three are None."""

    users: int
    limit: Limit | None  # None: it was good
    why: str  # why it was not, in words
    rps: float | None  # requests/s
    p99_ms: float | None
    error_rate: float | None  # failed ÷ completed


@dataclass(frozen=True, slots=True)
class Stressed:
    """What a server bears."""

    server: ServerKind
    steps: tuple[Step, ...]  # in the order they were made
    last_good: int | None  # users; None: no load was good
    first_bad: int | None  # users; None: no load was bad
    most_rps: float | None  # requests/s, the highest under a good load; None likewise
    limit: Limit | None  # what ended the climb; None: it is not finished

    @property
    def at_last_good(self) -> Step | None:
        return next((step for step in self.steps if step.users == self.last_good), None)

    @property
    def why(self) -> str:
        """The first bad load, in words."""
        bad = [step for step in self.steps if step.limit is not None and step.users == self.first_bad]
        return bad[-1].why if bad else ""


def step_of(record: RunRecord, terms: Terms) -> Step:
    """What a run of the stress says."""
    case, figures = record.plan.case, record.figures
    assert case is not None
    first = record.findings[0].message if record.findings else ""
    if figures is None:
        return Step(case.users, _why_without_figures(record), first, None, None, None)
    p99_ms = figures.latency.p99_ms
    limit: Limit | None = None
    why = ""
    if figures.error_rate > terms.max_error_rate:
        limit, why = Limit.ERRORS, f"{figures.error_rate:.1%} of the requests failed"
    elif terms.slo_p99_ms is not None and p99_ms > terms.slo_p99_ms:
        limit, why = Limit.P99, f"p99 {p99_ms:,.0f} ms is above {limit_ms(terms.slo_p99_ms)}"
    elif record.has(FindingCode.CLIENT_SATURATED) and _client_is_busy(figures):
        limit = Limit.CLIENT
        why = next(finding.message for finding in record.findings if finding.code == "client-saturated")
    return Step(case.users, limit, why, figures.rps, p99_ms, figures.error_rate)


def _why_without_figures(record: RunRecord) -> Limit:
    if record.has(FindingCode.SERVER_DID_NOT_START):
        return Limit.START
    return Limit.CLIENT if record.has(FindingCode.LOAD_DIED, FindingCode.ACCOUNTING) else Limit.DIED


def _client_is_busy(figures: RunFigures) -> bool:
    """One that is late without doing much was kept from a core, or wakes up slowly: that ends no climb."""
    busy = figures.client_busiest_cores or figures.client_cpu_cores
    return busy is None or busy > Limits().client_busy_cores


def stressed(server: ServerKind, records: Sequence[RunRecord], terms: Terms) -> Stressed:
    """Where the stress of one server stands."""
    steps = _steps(server, records, terms)
    good, first_bad = _good_and_bad(steps)
    rates = [step.rps for step in good if step.rps is not None]
    over = next_users(server, records, terms) is None
    ended_by = next((step.limit for step in steps if step.users == first_bad and step.limit), Limit.USERS)
    return Stressed(
        server=server,
        steps=steps,
        last_good=max((step.users for step in good), default=None),
        first_bad=first_bad,
        most_rps=max(rates, default=None),
        limit=ended_by if over else None,
    )


def next_users(server: ServerKind, records: Sequence[RunRecord], terms: Terms) -> int | None:
    """Under how many users a server is to be run next; None where it is known what it bears."""
    steps = _steps(server, records, terms)
    if len(steps) >= CONFIRMED and all(step.limit is Limit.START for step in steps):
        return None
    good_steps, first_bad = _good_and_bad(steps)
    good = [step.users for step in good_steps]
    last_good = max(good, default=0)
    if first_bad is not None and first_bad - last_good > max(1, CLOSE * last_good):
        return max(last_good + 1, math.isqrt(last_good * first_bad)) if last_good else first_bad // 2
    if first_bad is None and last_good < terms.max_users:
        return min(2 * last_good or FIRST_USERS, terms.max_users)
    return None if last_good == 0 or good.count(last_good) >= CONFIRMED else last_good


def _steps(server: ServerKind, records: Sequence[RunRecord], terms: Terms) -> tuple[Step, ...]:
    return tuple(step_of(record, terms) for record in _of(server, records))


def _good_and_bad(steps: Sequence[Step]) -> tuple[list[Step], int | None]:
    """The good steps below the first bad load, and that load. One bad run of several makes a load bad."""
    first_bad = min((step.users for step in steps if step.limit is not None), default=None)
    return [s for s in steps if s.limit is None and (first_bad is None or s.users < first_bad)], first_bad


def stress_step(terms: Terms, records: Sequence[RunRecord], number: int) -> tuple[RunPlan, ...]:
    """The runs of step `number`, counted from 1, by the records of the steps before: of each server that is
    not finished, the one that goes first changing from step to step. None are left at the end."""
    before = [record for record in records if record.plan.block < number]
    servers = terms.servers if number % 2 else terms.servers[::-1]
    due = [(server, next_users(server, before, terms)) for server in servers]
    return tuple(
        terms.planned(Scenario.STRESS, server, users, number, position)
        for position, (server, users) in enumerate(due, start=1)
        if users is not None
    )


def expected_latency_s(server: ServerKind, users: int, records: Sequence[RunRecord]) -> float:
    """How long a request is likely to take: all users wait for what the server was able to do at most
    (Little's law)."""
    rates = [
        record.figures.rps * (1 - record.figures.error_rate)
        for record in _of(server, records)
        if record.figures is not None
    ]
    most = max(rates, default=0.0)
    return users / most if most > 0 else 0.0


def _of(server: ServerKind, records: Sequence[RunRecord]) -> list[RunRecord]:
    return [
        record
        for record in records
        if record.plan.case is not None
        and record.plan.scenario == Scenario.STRESS
        and record.plan.case.server == server
    ]
