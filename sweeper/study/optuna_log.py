"""A search as a study of Optuna's own, for its dashboard and for `optuna.load_study`.

sweeper writes this copy of the runs and never reads it: it can be made again from them. A trial is running
until no more runs of it can come, because Optuna lets nobody change it afterwards.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import optuna
from optuna.exceptions import ExperimentalWarning, OptunaError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from sweeper.errors import AwayError, StoreError, UsageError
from sweeper.records.configuration import Space
from sweeper.records.run import Objective, RunFigures, RunRecord
from sweeper.records.search import Search, Trial
from sweeper.statistics.criteria import in_unit
from sweeper.store.database import is_away
from sweeper.store.database_url import is_postgres
from sweeper.study.proposer import DIRECTIONS, distributions_of

_OURS = "sweeper"  # user attribute of the studies that are ours to make again
_METRICS = {Objective.THROUGHPUT: "requests_per_s", Objective.P99: "p99_ms", Objective.CAPACITY: "capacity"}


class OptunaLog:
    """`TrialLog` of run/interfaces.py."""

    def __init__(self, url: str, name: str, space: Space, objectives: Sequence[Objective]) -> None:
        """Raises StoreError for a storage that cannot be used, UsageError where the name is taken."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._url = url
        self._name, self._space, self._objectives = name, space, tuple(objectives)
        with self._errors():
            self._storage = RDBStorage(url)
            self._study = self._open()

    def close(self) -> None:
        self._storage.remove_session()
        self._storage.engine.dispose()

    def keep(self, search: Search, runs: Sequence[RunRecord], *, finished: bool) -> None:
        with self._errors():
            self._study = self._open()  # another host may have made it anew
            there = self._study.get_trials(deepcopy=False)
            if not self._fits(there, search):
                optuna.delete_study(study_name=self._name, storage=self._storage)
                self._study, there = self._open(), []
            for trial in search.trials:
                own = [run for run in runs if run.configuration == trial.configuration]
                over = finished or (search.complete and trial.configuration not in search.finalists)
                old = there[trial.number] if trial.number < len(there) else None
                self._show(trial, old, own, over=over)
            self._attribute(self._study, "finalists", [c.label for c in search.finalists])

    def _open(self) -> optuna.Study:
        study = optuna.create_study(
            study_name=self._name,
            storage=self._storage,
            directions=[DIRECTIONS[objective] for objective in self._objectives],
            load_if_exists=True,
        )
        if _OURS not in study.user_attrs:
            if study.get_trials(deepcopy=False):
                raise UsageError(
                    f"--study '{self._name}' is the name of another Optuna study in this database: use "
                    "another name"
                )
            study.set_user_attr(_OURS, True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                study.set_metric_names([_METRICS[objective] for objective in self._objectives])
        return study

    def _fits(self, there: Sequence[FrozenTrial], search: Search) -> bool:
        """Whether what is there can be gone on with: the same trials in the same order, none too many."""
        return len(there) <= len(search.trials) and all(
            old.state is TrialState.WAITING or old.params == self._space.chosen(new.configuration)
            for old, new in zip(there, search.trials, strict=False)
        )

    def _show(self, trial: Trial, old: FrozenTrial | None, runs: Sequence[RunRecord], *, over: bool) -> None:
        """`old` is what Optuna has of it, if anything."""
        if old is None:
            self._study.enqueue_trial(self._space.chosen(trial.configuration))
        if old is None or old.state is TrialState.WAITING:
            live = self._study.ask(distributions_of(self._space))
        elif old.state is TrialState.RUNNING:
            live = optuna.Trial(self._study, old._trial_id)
        else:
            return
        measured = [run.figures for run in runs if run.figures is not None]
        if len(self._objectives) == 1:
            for step, figures in enumerate(measured):
                if old is None or step not in old.intermediate_values:
                    live.report(in_unit(figures, self._objectives[0]), step)
        for name, value in _attributes(trial, runs, measured).items():
            self._attribute(live, name, value)
        if over:
            self._tell(live, trial)

    def _tell(self, live: optuna.Trial, trial: Trial) -> None:
        for name, excess in trial.constraints.items():
            if name not in live.constraints:  # by a sweeper that was killed before it came to tell
                live.set_constraint(name, excess)
        if not trial.values:
            self._study.tell(live, state=TrialState.FAIL)
        elif trial.stopped and len(self._objectives) == 1:
            self._study.tell(live, state=TrialState.PRUNED)
        else:
            self._study.tell(live, list(trial.values))

    @staticmethod
    def _attribute(of: optuna.Study | optuna.Trial, name: str, value: object) -> None:
        if of.user_attrs.get(name) != value:
            of.set_user_attr(name, value)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (OptunaError, SQLAlchemyError) as error:
            cause = " ".join(str(getattr(error, "orig", None) or error).split())
            away = any(is_away(one) for one in (error, error.__cause__, error.__context__) if one is not None)
            kind = AwayError if away and is_postgres(self._url) else StoreError
            raise kind(f"cannot keep the Optuna study '{self._name}': {cause}") from error


def _attributes(
    trial: Trial, runs: Sequence[RunRecord], measured: Sequence[RunFigures]
) -> Mapping[str, object]:
    """Means over the runs that have figures; the rest as it is."""
    found: dict[str, object] = {
        "configuration": trial.configuration.label,
        "runs": [run.plan.run_id for run in runs],
        "verdicts": [run.verdict.value for run in runs],
        "findings": sorted({finding.code for run in runs for finding in run.findings}),
    }
    if trial.stopped:
        found["stopped"] = trial.stopped
    if measured:
        columns: dict[str, list[float | None]] = {
            "rps": [run.rps for run in measured],
            "p50_ms": [run.latency.p50_ms for run in measured],
            "p95_ms": [run.latency.p95_ms for run in measured],
            "p99_ms": [run.latency.p99_ms for run in measured],
            "error_rate": [run.error_rate for run in measured],
            "cpu_cores": [run.cpu_cores for run in measured],
            "cpu_ms_per_request": [run.cpu_ms_per_request for run in measured],
            "switches_per_request": [run.switches_per_request for run in measured],
        }
        known = {name: [v for v in column if v is not None] for name, column in columns.items()}
        found |= {name: statistics.fmean(column) for name, column in known.items() if column}
    return found
