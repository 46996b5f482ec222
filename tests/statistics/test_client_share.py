"""What the load generator takes of a figure, and how it widens what is decided."""

from __future__ import annotations

import math

import pytest

from sweeper.records.configuration import Configuration
from sweeper.records.run import Bound, Capacity, Objective
from sweeper.statistics.blocks_needed import foreseen_blocks
from sweeper.statistics.client_share import client_bound, client_share
from sweeper.statistics.criteria import CandidateState, Rule
from sweeper.statistics.decision import Decision, decide
from sweeper.statistics.named_figures import FIGURES
from tests.support.builders import FIGURES as RUN
from tests.support.builders import figures, late, record
from tests.support.decisions import around, exact, standing_of


@pytest.mark.parametrize("name", ["rps", "mean_ms", "p50_ms", "p95_ms", "p99_ms"])
def test_the_share_of_a_figure(name: str) -> None:
    assert client_share(late(0.1), name) == pytest.approx(0.1)
    assert client_bound([late(0.1), late(0.1)], name) == pytest.approx(-math.log(0.9))


@pytest.mark.parametrize("name", sorted(set(FIGURES) - {"rps", "mean_ms", "p50_ms", "p95_ms", "p99_ms"}))
def test_it_takes_nothing_of_what_is_the_servers_alone(name: str) -> None:
    assert client_share(late(0.1), name) == 0.0


def test_what_is_not_known_widens_nothing() -> None:
    assert client_share(RUN, "rps") == client_share(RUN, "p99_ms") == 0.0
    assert client_bound([], "rps") == 0.0


def judged(shares: dict[int, float], levels: dict[int, float], objective: Objective) -> Decision:
    name = "rps" if objective is Objective.THROUGHPUT else "p99_ms"
    records = [
        record(workers, block, late(shares[workers], figures(**{name: value})))
        for workers, level in levels.items()
        for block, value in enumerate(around(level), start=1)
    ]
    return decide(records, [Configuration(w) for w in levels], Rule(objective=objective))


@pytest.mark.parametrize("objective", [Objective.THROUGHPUT, Objective.P99])
def test_a_small_share_widens_the_limits_by_itself_and_no_more(objective: Objective) -> None:
    """4 is 3% behind 8. As far as the load generator goes, 8 may be 1% better still."""
    levels = {4: 97.0, 8: 100.0} if objective is Objective.THROUGHPUT else {4: 100.0, 8: 97.0}
    plain = standing_of(judged({4: 0.0, 8: 0.0}, levels, objective), Configuration(4))
    wider = standing_of(judged({4: 0.0, 8: 0.01}, levels, objective), Configuration(4))
    assert plain.gap_high is not None and wider.gap_high is not None
    assert wider.gap == plain.gap and wider.gap_low == plain.gap_low
    assert wider.gap_high - plain.gap_high == pytest.approx(-math.log(0.99))
    assert wider.state is CandidateState.ACCEPTABLE


def test_a_share_that_could_hide_the_difference_leaves_it_open() -> None:
    """1 is 8% behind 4, but up to 4% of that may be the load generator's: not shown to be over 5%."""
    levels, one = {1: 92.0, 4: 100.0}, Configuration(1)

    def state(shares: dict[int, float]) -> CandidateState:
        return standing_of(judged(shares, levels, Objective.THROUGHPUT), one).state

    assert state({1: 0.0, 4: 0.0}) is CandidateState.EXCLUDED
    assert state({1: 0.04, 4: 0.0}) is CandidateState.UNSETTLED
    assert state({1: 0.0, 4: 0.04}) is CandidateState.EXCLUDED  # 4 may be better than was seen, not worse


def test_a_clear_case_is_decided_whatever_a_light_server_leaves_to_the_client() -> None:
    """p99 of 23 and 160 ms, of which the load generator took 40% and 10%."""
    decision = judged({1: 0.4, 8: 0.1}, {1: 23.0, 8: 160.0}, Objective.P99)
    assert decision.answer == Configuration(1) and decision.settled


def test_no_number_of_blocks_is_promised_that_the_share_makes_impossible() -> None:
    open_cases = decide(exact({4: 97.0, 8: 100.0}, 0.01, 2), [Configuration(4), Configuration(8)], Rule())
    assert foreseen_blocks(open_cases.standings, 0.01, Rule()) is not None
    spoilt = judged({4: 0.03, 8: 0.03}, {4: 97.0, 8: 100.0}, Objective.THROUGHPUT)
    assert spoilt.blocks_needed is None


def test_an_slo_is_broken_only_if_the_server_breaks_it_by_itself() -> None:
    """Both have a p99 of 110 ms at the client, for an SLO of 100 ms; of 4's, 20% are the load generator's."""
    rule = Rule(slo_p99_ms=100.0)
    records = [
        record(workers, block, late(share, figures(rps=100.0, p99_ms=110.0 + block / 10)))
        for workers, share in ((4, 0.2), (8, 0.0))
        for block in range(1, 5)
    ]
    decision = decide(records, [Configuration(4), Configuration(8)], rule)
    assert standing_of(decision, Configuration(8)).state == "excluded"
    assert standing_of(decision, Configuration(4)).state == "unsettled"


def test_the_capacity_is_widened_by_what_it_would_be_without_the_load_generator() -> None:
    found = Capacity(95.0, Bound.EXACT, (), rps_without_client=100.0)
    assert client_share(figures(capacity=found), "capacity_rps") == pytest.approx(0.05)
    unknown = Capacity(95.0, Bound.EXACT, ())
    assert client_share(figures(capacity=unknown), "capacity_rps") == 0.0
    assert client_share(figures(), "capacity_rps") == 0.0
