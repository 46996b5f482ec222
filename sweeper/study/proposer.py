"""What Optuna says of a search: which configurations to try next, and which parameter matters most."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.exceptions import OptunaError
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from sweeper.records.configuration import Configuration, Dimension, Space, Value
from sweeper.records.run import Objective
from sweeper.records.search import Search, Trial

START_UP = 4  # trials at random before the sampler models anything
_ASKED_AT_MOST = 20  # times as often as there are configurations to find
DIRECTIONS = {
    Objective.THROUGHPUT: StudyDirection.MAXIMIZE,
    Objective.P99: StudyDirection.MINIMIZE,
    Objective.CAPACITY: StudyDirection.MAXIMIZE,
}


def propose(
    space: Space, found: Sequence[Trial], objectives: Sequence[Objective], wanted: int, seed: str
) -> tuple[tuple[Configuration, ...], tuple[Configuration, ...]]:
    """`wanted` configurations that were not tried yet, and those tried ones that were proposed once more.

    There must be as many left in `space`. The same arguments always give the same answer, also after a
    resume: the sampler remembers nothing but the trials it is given here.
    """
    study = _study(space, found, objectives, seed)
    distributions = distributions_of(space)
    tried = {trial.configuration for trial in found}
    new: list[Configuration] = []
    again: list[Configuration] = []
    for _ in range(wanted * _ASKED_AT_MOST):
        if len(new) == wanted:
            break
        # A trial without a result counts as running: the next proposals keep away from it.
        asked: Mapping[str, Value] = study.ask(dict(distributions)).params
        configuration = space.configuration(asked)
        if configuration not in tried:
            new.append(configuration)
            tried.add(configuration)
        elif configuration not in new and configuration not in again:
            again.append(configuration)
    new += _untried(space, tried, wanted - len(new), seed)
    return tuple(new), tuple(again)


def distributions_of(space: Space) -> dict[str, BaseDistribution]:
    """What of a configuration is open, as Optuna knows it."""
    return {dimension.name: _distribution(dimension) for dimension in space.open}


def _distribution(dimension: Dimension) -> BaseDistribution:
    values = dimension.choices.values
    low, high = values[0], values[-1]
    if dimension.choices.is_range and isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=low >= 1)
    return CategoricalDistribution(values)


def _study(space: Space, found: Sequence[Trial], objectives: Sequence[Objective], seed: str) -> optuna.Study:
    """In memory, made anew each time."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(n_startup_trials=START_UP, seed=random.Random(seed).randrange(2**32))
    study = optuna.create_study(sampler=sampler, directions=[DIRECTIONS[o] for o in objectives])
    distributions = distributions_of(space)
    study.add_trials(
        [
            create_trial(
                state=TrialState.COMPLETE,
                values=trial.values,
                params=space.chosen(trial.configuration),
                distributions=distributions,
                constraints=trial.constraints,
            )
            for trial in found
            if trial.values
        ]
    )
    return study


def _untried(space: Space, tried: Collection[Configuration], wanted: int, seed: str) -> list[Configuration]:
    """Where the sampler keeps to what it knows: some others, at random."""
    if wanted <= 0:
        return []
    left = [configuration for configuration in space if configuration not in tried]
    return random.Random(f"{seed}:untried").sample(left, wanted)


FEWEST_TRIALS = 4


def importances(space: Space, search: Search) -> Mapping[Objective, Mapping[str, float]]:
    """For each objective the share of its variation over the space that each open dimension explains, largest
    first; nothing where one dimension or less is open, or where too few trials have figures.

    Hutter, Hoos & Leyton-Brown, "An efficient approach for assessing hyperparameter importance" (ICML 2014).
    """
    measured = [trial for trial in search.trials if trial.values]
    if len(space.open) < 2 or len(measured) < FEWEST_TRIALS:
        return {}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = distributions_of(space)
    found: dict[Objective, Mapping[str, float]] = {}
    for place, objective in enumerate(search.objectives):
        study = optuna.create_study()
        study.add_trials(
            [
                create_trial(
                    state=TrialState.COMPLETE,
                    value=trial.values[place],
                    params=space.chosen(trial.configuration),
                    distributions=distributions,
                )
                for trial in measured
            ]
        )
        try:
            found[objective] = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
        except (OptunaError, ValueError, RuntimeError):  # all values alike: there is nothing to share out
            continue
    return found
