"""Which part of a configuration moves an objective most, of what a search tried: Optuna's fANOVA."""

from __future__ import annotations

from collections.abc import Mapping

import optuna
from optuna.exceptions import OptunaError
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState, create_trial

from sweeper.answers import Search
from sweeper.records import Objective
from sweeper.search.proposer import distributions_of
from sweeper.space import Space

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
