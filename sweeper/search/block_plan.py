"""Randomised complete blocks: every live configuration once per block, in seeded random order."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from sweeper.records import Configuration, RunPlan

SENTINEL_FROM = 5  # live configurations, from which the reference runs twice a block


def block_plan(
    configurations: Sequence[Configuration],
    eliminated: Collection[Configuration],
    block: int,
    seed: int,
    reference: Configuration,
    attempt: int = 0,
) -> tuple[RunPlan, ...]:
    """The runs of one block (counted from 1), in order.

    Where five or more configurations are live, the reference runs twice: two runs of the same thing,
    apart in time, show what this study calls a difference when there is none (an A/A pair). The same
    arguments always give the same plan, so that a resumed study continues it. Where a host was lost, another
    one makes the block in a further `attempt`.
    """
    live = [c for c in sorted(configurations) if c not in eliminated]
    entries = [(configuration, False) for configuration in live]
    if len(live) >= SENTINEL_FROM:
        entries += [(c, True) for c in live if c == reference]
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
