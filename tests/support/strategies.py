"""Any record a study may hold, for hypothesis."""

from __future__ import annotations

import types
import typing
from dataclasses import fields

from hypothesis import strategies as st

from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding, Severity, Verdict
from sweeper.records.observations import TelemetrySample
from sweeper.records.run import (
    Bound,
    Capacity,
    Case,
    LatencyFigures,
    RunFigures,
    RunPlan,
    RunRecord,
    StepSeen,
)

numbers = st.floats(-1e18, 1e18)
counts = st.integers(0, 2**53)
text = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=30)
names = st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=40)


def _of(kind: type) -> st.SearchStrategy:
    """A strategy for every field of a record of numbers, by its annotation."""
    hints = typing.get_type_hints(kind)

    def one(hint: object) -> st.SearchStrategy:
        if isinstance(hint, types.UnionType):
            return st.one_of(*(one(part) for part in typing.get_args(hint)))
        if hint == tuple[tuple[int, float], ...]:
            return st.lists(st.tuples(counts, numbers), max_size=3).map(tuple)
        return {
            float: numbers,
            int: counts,
            type(None): st.none(),
            LatencyFigures: latencies,
            Capacity: capacities,
        }[hint]  # type: ignore[index]

    return st.builds(kind, **{field.name: one(hints[field.name]) for field in fields(kind)})


latencies = st.builds(
    LatencyFigures,
    mean_ms=numbers, p50_ms=numbers, p95_ms=numbers, p99_ms=numbers, max_ms=numbers, samples=counts,
    censored=counts,
)  # fmt: skip
capacities = st.builds(
    Capacity,
    rps=st.floats(1e-3, 1e18),
    bound=st.sampled_from(Bound),
    steps=st.lists(
        st.builds(
            StepSeen,
            arrivals_per_s=numbers,
            requests=counts,
            p99_ms=st.one_of(st.none(), numbers),
            broken_share=numbers,
        ),
        max_size=3,
    ).map(tuple),
    luck=numbers,
    rps_without_client=st.one_of(st.none(), numbers),
)
figures = _of(RunFigures)
samples = _of(TelemetrySample)
findings = st.builds(
    Finding,
    code=names,
    severity=st.sampled_from(Severity),
    message=text,
    evidence=st.dictionaries(names, st.one_of(st.none(), st.booleans(), counts, numbers, text), max_size=4),
)
plans = st.builds(
    RunPlan,
    run_id=names.map(lambda name: f"r{name}"),
    block=st.integers(1, 100),
    position=st.integers(1, 40),
    configuration=st.builds(Configuration, st.integers(1, 1024), st.integers(1, 256), st.integers(1, 199)),
    sentinel=st.booleans(),
    arrivals_per_s=st.one_of(st.none(), st.floats(1e-3, 1e5)),
    case=st.one_of(st.none(), st.builds(Case, names, names, st.integers(1, 10_000))),
    expected_rps=st.one_of(st.none(), st.floats(1e-3, 1e5)),
)
records = st.builds(
    RunRecord,
    plan=plans,
    verdict=st.sampled_from(Verdict),
    started_at=st.just("2026-01-01T00:00:00Z"),
    elapsed_s=st.floats(0, 1e6),
    figures=st.one_of(st.none(), figures),
    findings=st.lists(findings, max_size=3).map(tuple),
    fingerprint=st.text("0123456789abcdef", max_size=16),
)
