"""Which runs a block has, in seeded random order: of a grid, of the confirmation, of a scenario."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from sweeper.records.configuration import Configuration
from sweeper.records.run import RunPlan
from sweeper.records.scenarios import Scenario, Terms

SENTINEL_FROM = 5  # live configurations, from which the reference runs twice a block


def block_plan(
    configurations: Sequence[Configuration],
    eliminated: Collection[Configuration],
    block: int,
    seed: int,
    reference: Configuration,
    attempt: int = 0,
    twice: Collection[Configuration] = (),
) -> tuple[RunPlan, ...]:
    """The runs of one block (counted from 1), in order.

    Where five or more configurations are live, the reference runs twice: two runs of the same thing,
    apart in time, show what this study calls a difference when there is none (an A/A pair). So do those in
    `twice`, where the runs of others would settle nothing (statistics/interim_looks.py). The same
    arguments always give the same plan, so that a resumed study continues it. Where a host was lost, another
    one makes the block in a further `attempt`.
    """
    live = [c for c in sorted(configurations) if c not in eliminated]
    entries = [(configuration, False) for configuration in live]
    again = set(twice) | ({reference} if len(live) >= SENTINEL_FROM else set())
    entries += [(c, True) for c in live if c in again]
    random.Random(f"{seed}:{block}" + (f":{attempt}" if attempt else "")).shuffle(entries)
    return tuple(
        RunPlan(
            run_id("b", block, position, configuration, attempt),
            block,
            position,
            configuration,
            sentinel,
            attempt=attempt,
        )
        for position, (configuration, sentinel) in enumerate(entries, start=1)
    )


def block_under_loads(
    configurations: Sequence[Configuration],
    gone: Mapping[float | None, Collection[Configuration]],
    block: int,
    seed: int,
    reference: Configuration,
    attempt: int = 0,
    twice: Mapping[float | None, Collection[Configuration]] | None = None,
) -> tuple[RunPlan, ...]:
    """The runs of `block_plan` for each load, one load after another in seeded random order. sweeper compares
    values under the same load only. `gone` says for each load, in order, what has no run under it."""
    loads = list(gone)
    order = loads.copy()
    random.Random(f"{seed}:{block}:loads" + (f":{attempt}" if attempt else "")).shuffle(order)
    runs = [
        replace(run, load=load)
        for load in order
        for run in block_plan(
            configurations, gone[load], block, seed + loads.index(load), reference, attempt,
            (twice or {}).get(load, ()),
        )
    ]  # fmt: skip
    return tuple(
        replace(run, position=position, run_id=run_id("b", block, position, run.configuration, attempt))
        for position, run in enumerate(runs, start=1)
    )


def run_id(kind: str, block: int, position: int, configuration: Configuration, attempt: int = 0) -> str:
    """`b03-02-w8`: the second run of the third block; `kind` is s for the search, b for blocks, c for the
    confirmation. `b03a1-02-w8`: the same after the host that had begun the block was lost."""
    again = f"a{attempt}" if attempt else ""
    name = f"{kind}{block:02d}{again}-{position:02d}-w{configuration.workers}"
    if configuration.model_threads != 1:
        name += f"-t{configuration.model_threads}"
    if configuration.processes != 1:
        name += f"-p{configuration.processes}"
    return "".join([name, *(f"-{value}" for _, value in configuration.parameters)])


ROUNDS = 2


def confirmation_plan(
    answer: Configuration, default: Configuration, arrivals_per_s: float, attempt: int = 0
) -> tuple[RunPlan, ...]:
    """Each configuration runs once a round, in reversed order every second round. So a host that steadily
    gets slower or faster affects both alike. If `answer` is `default`, a round has one run."""
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
