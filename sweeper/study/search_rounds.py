"""The rounds of a search: blocks of the reference, of new configurations, and of those that are due again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from sweeper.records.configuration import Configuration, Space
from sweeper.records.run import Objective, RunPlan
from sweeper.records.search import Trial
from sweeper.study.block_order import run_id
from sweeper.study.proposer import propose

NEW = 3  # configurations a round tries for the first time
RUNS = 2  # of each trial that is not given up after the first, in different rounds
RUNS_AT_MOST = 4  # of one that the sampler proposes again and again
AGAIN = 2  # of those in a round


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """What is searched, and how far."""

    space: Space
    reference: Configuration  # runs in every round
    objectives: tuple[Objective, ...]  # what is aimed at first comes first
    trials: int  # as asked for
    seed: int  # of the proposals, and of the order of runs within rounds

    @property
    def wanted(self) -> int:
        """Trials to make: a small space has no more than its configurations."""
        return min(self.trials, self.space.size)


def round_plan(search: SearchSpace, found: Sequence[Trial], number: int) -> tuple[RunPlan, ...]:
    """The runs of round `number` (from 1), in order; none when the search is over.

    `found` are the trials of the rounds before. The same arguments always give the same plan, so that a
    resumed search continues it.
    """
    due = [t.configuration for t in found if is_due(t, search.reference)]
    missing = search.wanted - len(found)
    new: Sequence[Configuration] = ()
    again: list[Configuration] = []
    if not found:
        new = _first(search)
    elif missing > 0:
        seed = f"{search.seed}:{number}"
        new, proposed = propose(search.space, found, search.objectives, min(NEW, missing), seed)
        known = {trial.configuration: trial for trial in found}
        again = [c for c in proposed if c != search.reference and c not in due and _worth_it(known.get(c))]
    if not new and not due:
        return ()
    entries = [*dict.fromkeys([search.reference, *due, *again[:AGAIN], *new])]
    random.Random(f"{search.seed}:search:{number}").shuffle(entries)
    return tuple(
        RunPlan(run_id("s", number, position, configuration), number, position, configuration, search=True)
        for position, configuration in enumerate(entries, start=1)
    )


def first_round_size(search: SearchSpace) -> int:
    """How many runs the first round has."""
    return min(NEW + 1, search.wanted)


def is_due(trial: Trial, reference: Configuration) -> bool:
    """Whether it has runs to come; the reference runs in every round anyhow."""
    return trial.configuration != reference and trial.runs < RUNS and not trial.stopped


def rounds_left(search: SearchSpace, found: Sequence[Trial]) -> int:
    """About how many rounds, including this one, if no trial is given up."""
    to_start = -(-(search.wanted - len(found)) // NEW)
    return to_start + 1 if to_start or any(is_due(t, search.reference) for t in found) else 0


def _worth_it(trial: Trial | None) -> bool:
    return trial is not None and not trial.stopped and trial.runs < RUNS_AT_MOST


def _first(search: SearchSpace) -> list[Configuration]:
    """The reference, the ends of the grid, and what else a round has room for, at random."""
    first = list(dict.fromkeys([search.reference, *search.space.ends(search.reference)]))
    room = first_round_size(search)
    if len(first) < room:
        new, _ = propose(search.space, (), search.objectives, room, f"{search.seed}:1")
        first += [configuration for configuration in new if configuration not in first]
    return first[:room]
