"""What a run is for, and which claim it belongs to."""

from __future__ import annotations

import pytest

from sweeper.records.claims import claim_key
from sweeper.records.configuration import Configuration
from sweeper.records.run import Case, RunKind, RunPlan
from sweeper.report.text.live import stage


@pytest.mark.parametrize(
    ("fields", "kind", "number", "words"),
    [
        ({}, RunKind.BLOCK, 3, "block 3"),
        ({"sentinel": True}, RunKind.BLOCK, 3, "block 3"),
        ({"search": True}, RunKind.SEARCH, 3, "search 3"),
        ({"arrivals_per_s": 48.0}, RunKind.OPEN_LOOP, 1, "open loop 3"),  # all its rounds are one claim
        ({"case": Case("stress", "fastapi", 8)}, RunKind.SCENARIO, 3, "stress 3"),
    ],
)
def test_the_kind_of_a_run(fields: dict[str, object], kind: RunKind, number: int, words: str) -> None:
    plan = RunPlan("r", 3, 1, Configuration(4), attempt=2, **fields)  # type: ignore[arg-type]
    assert plan.kind is kind
    assert claim_key(plan) == (kind, number, 2)
    assert stage(plan) == words
