"""What a search's runs show of each configuration, which ones it gives up, and which ones are finalists.

Every round of a search is a block with the reference in it, so that the two-way model of blocks.py takes the
host's changes out and early and late trials can be compared. What it says serves to propose and to choose the
finalists: the best of many noisy values looks better than it is, so that it never decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sweeper.records import wording
from sweeper.records.configuration import Configuration
from sweeper.records.run import Objective, RunFigures, RunKind, RunPlan, RunRecord, valid_runs
from sweeper.records.search import Trial
from sweeper.statistics.blocks import BlockModel, Observation, fit
from sweeper.statistics.criteria import SIGN, CandidateState, Rule, far_behind, metric
from sweeper.statistics.feasibility import error_rate, feasibility
from sweeper.statistics.intervals import contrast_quantile

FALSE_STOPS = 0.05
"""How often a search may give up a configuration that is within the tolerance of the best one."""
_GAP_ERROR = FALSE_STOPS / 3
BEST = 3  # of them go on to the final blocks
_AFTER_THE_SEARCH = 1_000_000  # blocks of the final part are numbered from here


def trials(
    records: Sequence[RunRecord],
    reference: Configuration,
    rule: Rule,
    objectives: Sequence[Objective],
    wanted: int,
    planned: Sequence[RunPlan] = (),
) -> tuple[Trial, ...]:
    """One trial for each configuration in closed-loop `records` and in the round that is `planned`: the
    reference, then the others in the order of their first run.

    `wanted` is how many trials there will be: what the search may err is shared among them. A round that was
    made again for a lost host has the same configurations in the same places, and changes no numbers.
    """
    plans = [record.plan for record in records if record.plan.kind is not RunKind.OPEN_LOOP]
    made = {record.plan.run_id: record for record in records}
    runs: dict[Configuration, list[RunRecord]] = {reference: []} if plans or planned else {}
    planned_order = sorted([*plans, *planned], key=_planned_order)
    for plan in planned_order:
        own = runs.setdefault(plan.configuration, [])
        record = made.pop(plan.run_id, None)
        if record is not None:
            own.append(record)
    seen = _Seen(runs, reference, rule, tuple(objectives), wanted)
    # By the runs of the search alone: what the final blocks say of a finalist does not give it up.
    searched = {
        c: [record for record in own if record.plan.kind is RunKind.SEARCH] for c, own in runs.items()
    }
    given_up = _Seen(searched, reference, rule, tuple(objectives), wanted).given_up()
    return tuple(
        seen.trial(number, configuration, given_up.get(configuration, ""))
        for number, configuration in enumerate(runs)
    )


def _planned_order(plan: RunPlan) -> tuple[bool, int, int, int]:
    return plan.kind is not RunKind.SEARCH, plan.block, plan.position, plan.attempt


class _Seen:
    """The runs of a search by configuration, and what the model makes of them."""

    def __init__(
        self,
        runs: Mapping[Configuration, Sequence[RunRecord]],
        reference: Configuration,
        rule: Rule,
        objectives: tuple[Objective, ...],
        wanted: int,
    ) -> None:
        self._runs, self._reference, self._rule = runs, reference, rule
        self._objectives, self._wanted = objectives, wanted
        self._models = {objective: _fit(runs, objective) for objective in Objective}

    def trial(self, number: int, configuration: Configuration, stopped: str) -> Trial:
        own = self._runs[configuration]
        figures = [one.figures for one in _usable(own)]
        seen = {objective: self._value(configuration, objective) for objective in Objective}
        values = [value for objective in self._objectives if (value := seen[objective]) is not None]
        p99_ms = seen[Objective.P99]
        errors = error_rate(figures) if figures else None
        return Trial(
            number=number,
            configuration=configuration,
            runs=len(own),
            measured_runs=len(figures),
            values=tuple(values) if len(values) == len(self._objectives) else (),
            p99_ms=p99_ms,
            error_rate=errors,
            constraints=_constraints(p99_ms, errors, self._rule),
            stopped=stopped,
            rps=seen[Objective.THROUGHPUT],
        )

    def _value(self, configuration: Configuration, objective: Objective) -> float | None:
        """In the objective's own unit, as on an average day of the search: what the reference gave there,
        times how much better this one is in the same rounds."""
        model = self._models[objective]
        if model is None or configuration not in model.configurations:
            return None
        this = model.configurations.index(configuration)
        searched = [
            one for one in _usable(self._runs[self._reference]) if one.record.plan.kind is RunKind.SEARCH
        ]
        logs = [value for one in searched if (value := metric(one.figures, objective)) is not None]
        if logs:
            anchor = model.configurations.index(self._reference)
            log = model.contrast(anchor, this).estimate + math.fsum(logs) / len(logs)
        else:
            log = model.means[this]
        return math.exp(SIGN[objective] * log)

    def given_up(self) -> dict[Configuration, str]:
        """The hopeless configurations, and why: each broke a limit, or is further behind in every objective
        than tolerance and noise explain.

        The limits of one trial's gaps hold over all others at once (Bonferroni). That it is looked at after
        every round, and in every trial, is what `_GAP_ERROR` has room for (tests/simulation/test_search.py).
        """
        error = FALSE_STOPS / max(self._wanted, 1)
        found: dict[Configuration, str] = {}
        for configuration, own in self._runs.items():
            limits = feasibility(own, self._rule, error)
            if own and limits.state is CandidateState.EXCLUDED:
                found[configuration] = limits.why
            elif (slow := self._breaks_slo(configuration, error)) is not None:
                found[configuration] = slow
        allowed = [configuration for configuration in self._runs if configuration not in found]
        for configuration in allowed:
            behind = [self._behind(configuration, allowed, aim) for aim in self._objectives]
            if min(behind) > self._rule.margin:
                found[configuration] = far_behind(min(behind), self._objectives)
        return found

    def _breaks_slo(self, configuration: Configuration, error: float) -> str | None:
        """The p99 of its runs against the limit, by the noise of all runs."""
        model, limit_ms = self._models[Objective.P99], self._rule.limit_p99_ms
        if limit_ms is None or model is None or configuration not in model.configurations:
            return None
        if model.residual_deviation is None:
            return None
        log_p99 = -model.means[model.configurations.index(configuration)]
        reach = contrast_quantile(error, 1, model.degrees_of_freedom) * model.residual_deviation
        if log_p99 - reach <= math.log(limit_ms):
            return None
        return f"its p99 of {math.exp(log_p99):.0f} ms is above {wording.limit_ms(limit_ms)}"

    def _behind(
        self, configuration: Configuration, allowed: Sequence[Configuration], aim: Objective
    ) -> float:
        """How far behind the best of the `allowed` it is at least, as a log ratio; 0 where that is not
        known."""
        model = self._models[aim]
        if model is None or model.residual_deviation is None or configuration not in model.configurations:
            return 0.0
        this = model.configurations.index(configuration)
        quantile = contrast_quantile(_GAP_ERROR, self._wanted - 1, model.degrees_of_freedom)
        lows = [0.0]
        for other in allowed:
            if other != configuration and other in model.configurations:
                contrast = model.contrast(this, model.configurations.index(other))
                reach = contrast.standard_error
                if math.isfinite(reach) and math.isfinite(quantile):
                    lows.append(contrast.estimate - quantile * reach)
        return max(lows)


def _constraints(p99_ms: float | None, errors: float | None, rule: Rule) -> dict[str, float]:
    """How far above its limit each figure is; kept at 0 and below (Optuna's convention)."""
    found = {} if errors is None else {"error_rate": errors - rule.max_error_rate}
    if rule.limit_p99_ms is not None and p99_ms is not None:
        found["p99_ms"] = p99_ms - rule.limit_p99_ms
    return found


def _usable(runs: Sequence[RunRecord]) -> list[_Measured]:
    """Valid runs or, where there is none, the suspect ones: better than nothing to propose by."""
    valid = [_Measured(record, figures) for record, figures in valid_runs(runs)]
    return valid or [_Measured(record, record.figures) for record in runs if record.figures is not None]


class _Measured:
    """A run that has figures."""

    __slots__ = ("block", "figures", "record")

    def __init__(self, record: RunRecord, figures: RunFigures) -> None:
        self.record, self.figures = record, figures
        block, attempt = record.plan.block_key
        self.block = (block + (0 if record.plan.kind is RunKind.SEARCH else _AFTER_THE_SEARCH), attempt)


def _fit(runs: Mapping[Configuration, Sequence[RunRecord]], objective: Objective) -> BlockModel | None:
    observations = [
        Observation(configuration, one.block, value)
        for configuration, own in runs.items()
        for one in _usable(own)
        if (value := metric(one.figures, objective)) is not None
    ]
    return fit(observations) if observations else None


def front(found: Sequence[Trial], objectives: Sequence[Objective]) -> tuple[int, ...]:
    """Numbers of the trials that keep the limits and that no other such trial beats in every objective."""
    candidates = [t for t in found if t.values and t.keeps_limits]

    def beaten(one: Trial, by: Trial) -> bool:
        gains = [SIGN[o] * (b - a) for o, a, b in zip(objectives, one.values, by.values, strict=True)]
        return min(gains) >= 0 and max(gains) > 0

    return tuple(t.number for t in candidates if not any(beaten(t, other) for other in candidates))


def finalists(
    found: Sequence[Trial], reference: Configuration, rule: Rule, objectives: Sequence[Objective]
) -> tuple[Configuration, ...]:
    """The three best, the reference, and, because that is what is looked for, the one that takes the least
    among those within the tolerance of the best; of a second objective the best one, too.

    Trials that were given up, or that break a limit, are left out while others are left.
    """
    measured = [t for t in found if t.values]
    hopeful = [t for t in measured if not t.stopped and t.keeps_limits]
    hopeful = hopeful or [t for t in measured if not t.stopped] or measured
    chosen = {reference}
    for place, objective in enumerate(objectives):
        ranked = sorted(hopeful, key=lambda t: (-_gain(t, place, objective), t.configuration))
        chosen |= {t.configuration for t in ranked[: BEST if place == 0 else 1]}
        if ranked and place == 0:
            best = _gain(ranked[0], place, objective)
            close = [t for t in ranked if best - _gain(t, place, objective) <= rule.margin]
            chosen.add(min(t.configuration for t in close))
    return tuple(sorted(chosen))


def _gain(trial: Trial, place: int, objective: Objective) -> float:
    """The log of an objective's value, more is better."""
    return SIGN[objective] * math.log(trial.values[place])
