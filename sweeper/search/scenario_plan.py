"""The runs of a scenario's block: each server under each load, both servers of a load next to each other."""

from __future__ import annotations

import random

from sweeper.records import RunPlan
from sweeper.scenarios.terms import Scenario, Terms


def scenario_block(terms: Terms, scenario: Scenario, block: int) -> tuple[RunPlan, ...]:
    """In seeded random order, the same for the same arguments, so that a resumed study continues it."""
    order = random.Random(f"{terms.seed}:{scenario}:{block}")
    loads = list(terms.users(scenario))
    order.shuffle(loads)
    pairs = [(server, users) for users in loads for server in order.sample(terms.servers, 2)]
    return tuple(
        terms.planned(scenario, server, users, block, position)
        for position, (server, users) in enumerate(pairs, start=1)
    )
