"""What the plan for the FastAPI server expects of it, each as a hypothesis with a verdict.

An expectation is tested at each load by itself, on the ratio of the two servers, all its loads and looks
sharing one error: its limits hold together at the study's confidence (Bonferroni). It is held where it is at
every load, and not held where it is shown not to be at one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sweeper.answers import Interval
from sweeper.records import RunRecord
from sweeper.scenarios.cells import ratio
from sweeper.scenarios.terms import Scenario, ServerKind, Terms, Workload

SIMILAR = 0.10
"""Latencies that differ by no more, either way, are similar."""


class Verdict(StrEnum):
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
    code: str
    claim: str
    figure: str
    direction: Direction
    scenarios: tuple[Scenario, ...]
    workload: Workload | None = None

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
    """An expectation at one load: the ratio and what it shows."""

    __test__ = False  # not pytest's

    scenario: Scenario
    users: int
    ratio: Interval | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Hypothesis:
    expectation: Expectation
    tests: tuple[Test, ...]

    @property
    def verdict(self) -> Verdict:
        seen = {test.verdict for test in self.tests}
        if Verdict.NOT_HELD in seen:
            return Verdict.NOT_HELD
        return Verdict.HELD if seen == {Verdict.HELD} else Verdict.UNDECIDED


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
        error = (1 - terms.confidence) / 2 / len(tests) / len(terms.looks)
        ratios = [ratio(expectation.figure, *test, records, terms, error) for test in tests]
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


def judge(direction: Direction, ratio: Interval | None, tolerance: float) -> Verdict:
    """Lower by no more than the tolerance is not lower, as everywhere in this project."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return Verdict.UNDECIDED
    low, high = ratio.low, ratio.high
    if direction is Direction.SIMILAR:
        if low >= 1 / (1 + SIMILAR) and high <= 1 + SIMILAR:
            return Verdict.HELD
        return Verdict.NOT_HELD if low > 1 + SIMILAR or high < 1 / (1 + SIMILAR) else Verdict.UNDECIDED
    if direction is Direction.HIGHER:
        low, high = 1 / high, 1 / low
    if low > 1 - tolerance:
        return Verdict.NOT_HELD
    return Verdict.HELD if high < 1 else Verdict.UNDECIDED


def settled(scenario: Scenario, records: Sequence[RunRecord], terms: Terms) -> bool:
    """Whether more blocks of a scenario can change no verdict: each test that rests on it has one."""
    return all(
        test.verdict is not Verdict.UNDECIDED
        for hypothesis in hypotheses(records, terms)
        for test in hypothesis.tests
        if test.scenario is scenario
    )
