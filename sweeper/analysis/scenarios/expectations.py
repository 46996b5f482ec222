"""What the plan for the FastAPI server expects of it, each as a hypothesis with a verdict.

An expectation is tested at each load by itself, on the ratio of the two servers, all its loads and looks
sharing one error: its limits hold together at the study's confidence (Bonferroni). It is held where it is at
every load, and not held where it is shown not to be at one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sweeper.analysis.scenarios.case_figures import ratio
from sweeper.records.answer import Interval
from sweeper.records.run import RunRecord
from sweeper.records.scenarios import Scenario, ServerKind, Terms, Workload
from sweeper.statistics.alpha_spending import levels

SIMILAR = 0.10
"""Latencies that differ by no more, either way, are similar."""


class ExpectationVerdict(StrEnum):
    HELD = "held"
    NOT_HELD = "not held"
    UNDECIDED = "undecided"


class Direction(StrEnum):
    """What the ratio FastAPI ÷ Flask is expected to be."""

    LOWER = "lower"
    HIGHER = "higher"
    SIMILAR = "similar"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is claimed of the FastAPI server beside the Flask one."""

    code: str
    claim: str  # in words
    figure: str  # the name of what it is tested on
    direction: Direction
    scenarios: tuple[Scenario, ...]  # in which it is tested
    workload: Workload | None = None  # which it is claimed of; None: of any

    def tests(self, terms: Terms) -> tuple[tuple[Scenario, int], ...]:
        """The loads at which it is tested."""
        return tuple(
            (scenario, users)
            for scenario in self.scenarios
            if scenario in terms.scenarios
            for users in terms.users(scenario)
        )


EXPECTATIONS = (
    Expectation(
        "lower-p99", "lower p99 under concurrency", "p99_ms", Direction.LOWER, (Scenario.CONCURRENT,)
    ),
    Expectation(
        "higher-throughput",
        "higher throughput when I/O-bound",
        "rps",
        Direction.HIGHER,
        (Scenario.CONCURRENT,),
        Workload.IO,
    ),
    Expectation(
        "similar-latency",
        "similar latency when CPU-bound",
        "p50_ms",
        Direction.SIMILAR,
        (Scenario.SINGLE, Scenario.CONCURRENT),
        Workload.CPU,
    ),
)


@dataclass(frozen=True, slots=True)
class Test:
    """An expectation at one load."""

    __test__ = False  # not pytest's

    scenario: Scenario
    users: int
    ratio: Interval | None  # FastAPI ÷ Flask; None: no block has a valid run of both
    verdict: ExpectationVerdict


@dataclass(frozen=True, slots=True)
class Hypothesis:
    expectation: Expectation
    tests: tuple[Test, ...]

    @property
    def verdict(self) -> ExpectationVerdict:
        seen = {test.verdict for test in self.tests}
        if ExpectationVerdict.NOT_HELD in seen:
            return ExpectationVerdict.NOT_HELD
        return ExpectationVerdict.HELD if seen == {ExpectationVerdict.HELD} else ExpectationVerdict.UNDECIDED


def expected(terms: Terms) -> tuple[Expectation, ...]:
    """Those that are of these servers, this workload and these scenarios: FastAPI first, Flask second."""
    first, second = terms.servers
    if first not in (ServerKind.FASTAPI, ServerKind.DRUM_FASTAPI) or second.has_pool:
        return ()
    return tuple(one for one in EXPECTATIONS if one.workload in (None, terms.workload) and one.tests(terms))


def hypotheses(records: Sequence[RunRecord], terms: Terms) -> tuple[Hypothesis, ...]:
    found = []
    for expectation in expected(terms):
        tests = expectation.tests(terms)
        by_look = levels((1 - terms.confidence) / 2 / len(tests), terms.looks)
        ratios = [
            ratio(expectation.figure, *test, records, terms, by_look[_look(test[0], records, terms)])
            for test in tests
        ]
        found.append(
            Hypothesis(
                expectation,
                tuple(
                    Test(*test, seen, judge(expectation.direction, seen, terms.tolerance))
                    for test, seen in zip(tests, ratios, strict=True)
                ),
            )
        )
    return tuple(found)


def _look(scenario: Scenario, records: Sequence[RunRecord], terms: Terms) -> int:
    """At which of the planned looks the scenario is, or the first one where none was reached."""
    after = max((record.plan.block for record in records if record.plan.scenario == scenario), default=0)
    return max(sum(look <= after for look in terms.looks) - 1, 0)


def judge(direction: Direction, ratio: Interval | None, tolerance: float) -> ExpectationVerdict:
    """Lower by no more than the tolerance is not lower, as everywhere in this project."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return ExpectationVerdict.UNDECIDED
    low, high = ratio.low, ratio.high
    if direction is Direction.SIMILAR:
        if low >= 1 / (1 + SIMILAR) and high <= 1 + SIMILAR:
            return ExpectationVerdict.HELD
        return (
            ExpectationVerdict.NOT_HELD
            if low > 1 + SIMILAR or high < 1 / (1 + SIMILAR)
            else ExpectationVerdict.UNDECIDED
        )
    if direction is Direction.HIGHER:
        low, high = 1 / high, 1 / low
    if low > 1 - tolerance:
        return ExpectationVerdict.NOT_HELD
    return ExpectationVerdict.HELD if high < 1 else ExpectationVerdict.UNDECIDED


def settled(scenario: Scenario, records: Sequence[RunRecord], terms: Terms) -> bool:
    """Whether more blocks of a scenario can change no verdict: each test that rests on it has one."""
    return all(
        test.verdict is not ExpectationVerdict.UNDECIDED
        for hypothesis in hypotheses(records, terms)
        for test in hypothesis.tests
        if test.scenario is scenario
    )
