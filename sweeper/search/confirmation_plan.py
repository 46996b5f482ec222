"""The runs of the open-loop confirmation: the answer and DRUM's default, in turn."""

from __future__ import annotations

from sweeper.records import Configuration, RunPlan
from sweeper.search.block_plan import run_id

ROUNDS = 2


def confirmation_plan(
    answer: Configuration, default: Configuration, arrivals_per_s: float, attempt: int = 0
) -> tuple[RunPlan, ...]:
    """Each once a round, the order turned round from one round to the next: a host that gets slower or
    faster all the while does so for both alike. Only one where they are the same."""
    once = [answer] if answer == default else [answer, default]
    plans: list[RunPlan] = []
    for number in range(1, ROUNDS + 1):
        order = once if number % 2 else once[::-1]
        plans += [
            RunPlan(
                run_id("c", number, position, configuration, attempt),
                number,
                position,
                configuration,
                arrivals_per_s=arrivals_per_s,
                attempt=attempt,
            )
            for position, configuration in enumerate(order, start=1)
        ]
    return tuple(plans)
