"""How often do the printed 95% intervals hold the truth?

What they are to hold is a configuration's own level: the geometric mean of a window's throughput (or p99)
over fresh servers and over the states the host is in, block by block. Latencies hang together within a run
(windows.py) and the host drifts by 8% from block to block. Run with -s for the table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from sweeper.records.answer import Candidate, Interval
from sweeper.records.run import RunFigures
from sweeper.statistics.candidates import candidate
from sweeper.statistics.criteria import CandidateState
from sweeper.statistics.standing import Standing
from tests.support.simulation.fixtures import Table
from tests.support.simulation.studies import (
    ALL,
    RULE,
    SHAPES,
    STUDIES,
    WORKERS,
    Host,
    Levels,
    Measure,
    block,
    figures_of,
    study,
)
from tests.support.simulation.windows import Latencies, Stock, stock

EQUAL = SHAPES["all equal"]
KINDS = {"a slow wave": Latencies(), "slow spells": Latencies(restart=0.01, wave=0.04, spells=3.0)}
WINDOWS = 5000


@pytest.fixture(scope="module", params=KINDS)
def windows(request: pytest.FixtureRequest) -> tuple[str, Stock]:
    rng = np.random.default_rng(list(request.param.encode()))
    return request.param, stock(KINDS[request.param], WINDOWS, rng)


@dataclass
class Tally:
    """Whether each printed interval held the truth, for each position of WORKERS."""

    rps: list[list[bool]] = field(default_factory=lambda: [[] for _ in WORKERS])
    p99: list[list[bool]] = field(default_factory=lambda: [[] for _ in WORKERS])
    behind: list[bool] = field(default_factory=list)

    def add(
        self, position: int, printed: Candidate, levels: Levels, windows: Stock, host: float = 0.0
    ) -> None:
        """`host` is the log speed of the host that the truth is for."""
        level = math.exp(levels[position] + host)
        assert printed.rps is not None
        self.rps[position].append(_holds(printed.rps, windows.true_rps * level))
        self.p99[position].append(_holds(printed.latency_ms["p99"], windows.true_p99_ms / level))
        if printed.relative_to_best is not None:
            best = max(other for i, other in enumerate(levels) if i != position)
            truth = 1 - math.exp(-max(0.0, best - levels[position]))
            self.behind.append(_holds(printed.relative_to_best, truth))

    def row(self, what: str) -> dict[str, str]:
        return {
            "latencies, studies": what,
            "throughput": f"{np.mean(self.rps):.1%}",
            "p99": f"{np.mean(self.p99):.1%}",
            "worst count": f"{min(np.mean(held) for held in (*self.rps, *self.p99)):.1%}",
            "behind the best": f"{np.mean(self.behind):.1%}" if self.behind else "",
        }

    def check(self, least: float = 0.93) -> None:
        """All counts together are within `least` to 97%; each alone within that and chance (three standard
        errors of 1,000 studies are 2%)."""
        for held in (self.rps, self.p99):
            assert least <= np.mean(held) <= 0.97
            for own in held:
                assert least <= np.mean(own) <= 0.975


def _holds(interval: Interval, truth: float) -> bool:
    slack = 1e-12  # a truth of 0 is on the limit
    low = -math.inf if interval.low is None else interval.low
    high = math.inf if interval.high is None else interval.high
    return low - slack <= truth <= high + slack


def drawn(windows: Stock, levels: Levels, host: Host) -> Measure:
    def measure(position: int, block: int) -> RunFigures:
        window = int(host.rng.integers(len(windows.rps)))
        speed = math.exp(levels[position] + host.in_block(block))
        return figures_of(float(windows.rps[window]) * speed, float(windows.p99_ms[window]) / speed)

    return measure


@dataclass(frozen=True)
class Stopped:
    """`every` candidate that the stopped studies print; the `answers` alone (in the first position); and
    `then`: held against the host as it was on average in the blocks in which that candidate ran."""

    every: Tally
    answers: Tally
    then: Tally


def stopped(
    windows: Stock, levels: Levels, studies: int, seed: int, drift: float = 0.08, memory: float = 0.0
) -> Stopped:
    rng = np.random.default_rng([seed, round(100 * drift), round(100 * memory)])
    seen = Stopped(Tally(), Tally(), Tally())
    for _ in range(studies):
        host = Host(rng, drift, memory)
        printed = study(drawn(windows, levels, host)).recommendation()
        for position, own in enumerate(printed.candidates):
            seen.every.add(position, own, levels, windows)
            seen.then.add(position, own, levels, windows, float(np.mean(host.states[: own.eliminated_after])))
        if printed.workers is not None:
            answer = WORKERS.index(printed.workers)
            seen.answers.add(0, printed.candidates[answer], levels[answer:] + levels[:answer], windows)
    return seen


def test_requests_of_one_run_are_no_independent_sample(windows: tuple[str, Stock], table: Table) -> None:
    """The simulated trouble is there: an interval from the ranks of one run's requests is far too narrow."""
    name, simulated = windows
    table.append(
        {"latencies, studies": f"{name}: ranks of one run's requests", "p99": f"{simulated.naive:.1%}"}
    )
    assert simulated.naive < 0.80
    alike = stock(Latencies(restart=0.0, wave=0.0), 1000, np.random.default_rng(1))
    assert 0.92 < alike.naive < 0.98


@pytest.mark.parametrize("blocks", [3, 10])
def test_after_a_fixed_number_of_blocks(windows: tuple[str, Stock], blocks: int, table: Table) -> None:
    name, simulated = windows
    rng = np.random.default_rng([blocks, *name.encode()])
    seen = Tally()
    for _ in range(STUDIES):
        measure = drawn(simulated, EQUAL, Host(rng))
        records = [record for number in range(1, blocks + 1) for record in block(measure, number, {})]
        for position, configuration in enumerate(ALL):
            standing = Standing(configuration, CandidateState.UNSETTLED)
            printed = candidate(standing, records, None, RULE.confidence)
            seen.add(position, printed, EQUAL, simulated)
    table.append(seen.row(f"{name}: {blocks} blocks"))
    seen.check()


@pytest.mark.parametrize("shape", ["all equal", "peak at 8"])
def test_after_the_planned_looks_have_stopped_it(
    windows: tuple[str, Stock], shape: str, table: Table
) -> None:
    """The looks stop on contrasts, which the host's drift is not in: stopping does not bias the levels.
    The limits of "behind the best" are simultaneous and share the error of all looks: they may hold more
    often than 95%, never less. A value may rest because it looked good in the blocks so far: on a tie its own
    limits, of these blocks, hold a little less often.

    The answer's own limits hold a little less often where runs vary by 6% and several values tie, so that
    the one named is one that looked good: that is the price of choosing, and 89% its bound here.
    """
    name, simulated = windows
    seen = stopped(simulated, SHAPES[shape], STUDIES, len(shape))
    table.append(seen.every.row(f"{name}: {shape}, stopped"))
    own = f"{name}: {shape}, the answer's alone ({len(seen.answers.rps[0])})"
    rps, p99 = float(np.mean(seen.answers.rps[0])), float(np.mean(seen.answers.p99[0]))
    table.append({"latencies, studies": own, "throughput": f"{rps:.1%}", "p99": f"{p99:.1%}"})
    seen.every.check(0.92 if shape == "all equal" else 0.93)
    assert np.mean(seen.every.behind) >= 0.95
    least = 0.93 if shape == "peak at 8" else 0.89 if name == "slow spells" else 0.92
    assert least <= rps <= 0.97
    assert least <= p99 <= 0.97


@pytest.mark.parametrize("memory", [0.5, 0.9])
def test_what_the_intervals_mean_where_the_blocks_are_alike(memory: float, table: Table) -> None:
    """A host that keeps its state from block to block is seen in one state: the printed levels are then those
    of these minutes, which they hold nearly always, and no number of blocks within them says how other hours
    would be. What is compared is not touched: the limits of "behind the best" hold as they say."""
    simulated = stock(KINDS["a slow wave"], WINDOWS, np.random.default_rng(11))
    for shape in ("all equal", "peak at 8"):
        seen = stopped(simulated, SHAPES[shape], 120, 7, memory=memory)
        table.append(seen.every.row(f"drift correlated by {memory:g}: {shape}, stopped"))
        table.append(seen.then.row(f"drift correlated by {memory:g}: {shape}, these minutes"))
        assert np.mean(seen.every.behind) >= 0.95
        assert np.mean(seen.then.rps) >= 0.95
        assert np.mean(seen.then.p99) >= 0.95
        assert np.mean(seen.every.rps) < 0.93  # if it held, the sentence above would be wrong


def test_a_host_that_does_not_drift(table: Table) -> None:
    """Nothing hides what stopping does to the levels then: the answer's are a little too bright on a tie."""
    simulated = stock(KINDS["a slow wave"], WINDOWS, np.random.default_rng(12))
    for shape in ("all equal", "peak at 8"):
        seen = stopped(simulated, SHAPES[shape], 300, 8, drift=0.0)
        table.append(seen.every.row(f"no drift: {shape}, stopped"))
        own = {"latencies, studies": f"no drift: {shape}, the answer's alone"}
        rps, p99 = float(np.mean(seen.answers.rps[0])), float(np.mean(seen.answers.p99[0]))
        table.append({**own, "throughput": f"{rps:.1%}", "p99": f"{p99:.1%}"})
        assert 0.93 <= np.mean(seen.every.rps) <= 0.97
        assert 0.93 <= np.mean(seen.every.p99) <= 0.97
        assert min(rps, p99) >= 0.89
