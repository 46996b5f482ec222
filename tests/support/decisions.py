"""Runs whose figures lie exactly where a decision wants them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from hypothesis import strategies as st

from sweeper.records.configuration import Configuration
from sweeper.records.finding import Verdict
from sweeper.records.run import RunRecord
from sweeper.statistics.decision import Decision
from sweeper.statistics.standing import Standing
from tests.support.builders import figures, finding, record, study

QUIET = (1.0, 1.001, 0.999, 1.0005)  # four blocks, one run varies by 0.1%


def around(level: float, noise: tuple[float, ...] = QUIET) -> list[float]:
    """Four runs around `level`; each level takes the noise in another order, so that it is not a block's."""
    turn = round(level) % len(noise)
    return [level * factor for factor in noise[turn:] + noise[:turn]]


def p99_study(p99: dict[int, float], **changes: float) -> list[RunRecord]:
    return [
        record(w, block, figures(p99_ms=level, max_concurrency=w, pool_workers=w, **changes))
        for w, base in p99.items()
        for block, level in enumerate(around(base), start=1)
    ]


def exact(levels: dict[int, float], deviation: float, blocks: int) -> list[RunRecord]:
    """Runs whose estimates are `levels` and whose residual deviation is `deviation`, exactly."""
    errors = np.random.default_rng(3).normal(0, 1, (len(levels), blocks))
    errors -= errors.mean(axis=1, keepdims=True)
    errors -= errors.mean(axis=0)
    freedom = (len(levels) - 1) * (blocks - 1)
    errors *= deviation / math.sqrt((errors**2).sum() / freedom)
    return study({w: list(level * np.exp(errors[i])) for i, (w, level) in enumerate(levels.items())})


runs = st.builds(
    record,
    workers=st.sampled_from([1, 4, 8]),
    block=st.integers(1, 4),
    run=st.builds(
        lambda rps, p99, bad, censored: dataclasses.replace(
            figures(rps=rps, p99_ms=p99, failed=min(bad, round(rps * 10))),
            latency=dataclasses.replace(figures(p99_ms=p99).latency, censored=censored),
        ),
        st.sampled_from([0.0, 1e-6, 100.0, 140.0, 1e6]),
        st.sampled_from([0.0, 1e-3, 400.0, 1e9]),
        st.integers(0, 3000),
        st.integers(0, 1),
    ),
    verdict=st.sampled_from([Verdict.VALID, Verdict.VALID, Verdict.SUSPECT, Verdict.FAILED]),
    findings=st.lists(
        st.sampled_from([finding("server-died"), finding("steal"), finding("server-did-not-start")]),
        max_size=1,
    ),
)


def standing_of(decision: Decision, configuration: Configuration) -> Standing:
    return next(item for item in decision.standings if item.configuration == configuration)
