"""Many simulated studies of one truth, and how their answers compare with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from sweeper.records.finding import Verdict
from sweeper.statistics.criteria import CandidateState, Rule
from tests.support.simulation.studies import RULE, WORKERS, Levels, Measure, study

Truth = Callable[[np.random.Generator], Measure]
"""Makes a study's host; called once for each study."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """`answer` is a position in WORKERS; None: the study is inconclusive. `settled`: the answer is firm, so
    no smaller value is still open. `excluded` holds positions in WORKERS, too."""

    answer: int | None
    settled: bool
    excluded: frozenset[int]
    blocks: int
    runs: int


@dataclasses.dataclass(frozen=True)
class Summary:
    """Counts of studies. `wrong` are firm answers that are not the smallest acceptable value, `unfit`
    answers of any kind that are not acceptable, `shut_out` studies that excluded an acceptable value."""

    studies: int
    firm: int
    hedged: int
    wrong: int
    unfit: int
    shut_out: int
    blocks: float
    runs: float

    def row(self, name: str, noise: str) -> dict[str, str]:
        return {
            "truth": name,
            "s": noise,
            "studies": str(self.studies),
            "firm": f"{self.firm / self.studies:.1%}",
            "hedged": f"{self.hedged / self.studies:.1%}",
            "wrong": str(self.wrong),
            "unfit": str(self.unfit),
            "shut out": str(self.shut_out),
            "blocks": f"{self.blocks:.2f}",
            "runs": f"{self.runs:.1f}",
        }


def summary(
    truth: Truth,
    acceptable: set[int],
    studies: int,
    seed: Sequence[int],
    rule: Rule = RULE,
    suspect: float = 0.0,
) -> Summary:
    rng = np.random.default_rng(seed)

    def verdict() -> Verdict:
        return Verdict.SUSPECT if suspect and rng.random() < suspect else Verdict.VALID

    outcomes = [_outcome(truth(rng), rule, verdict) for _ in range(studies)]
    firm = [outcome for outcome in outcomes if outcome.settled]
    answered = [outcome for outcome in outcomes if outcome.answer is not None]
    return Summary(
        studies=studies,
        firm=len(firm),
        hedged=len(answered) - len(firm),
        wrong=sum(outcome.answer != min(acceptable) for outcome in firm),
        unfit=sum(outcome.answer not in acceptable for outcome in answered),
        shut_out=sum(bool(outcome.excluded & acceptable) for outcome in outcomes),
        blocks=float(np.mean([outcome.blocks for outcome in outcomes])),
        runs=float(np.mean([outcome.runs for outcome in outcomes])),
    )


def _outcome(measure: Measure, rule: Rule, verdict: Callable[[], Verdict]) -> Outcome:
    made = study(measure, rule, verdict)
    answer = made.decision.answer
    return Outcome(
        answer=None if answer is None else WORKERS.index(answer.workers),
        settled=made.decision.settled,
        excluded=frozenset(
            WORKERS.index(standing.configuration.workers)
            for standing in made.decision.standings
            if standing.state is CandidateState.EXCLUDED
        ),
        blocks=made.blocks,
        runs=len(made.records),
    )


def good_enough(levels: Levels, feasible: Sequence[bool] = (True,) * len(WORKERS)) -> set[int]:
    best = max(level for level, fits in zip(levels, feasible, strict=True) if fits)
    return {i for i, level in enumerate(levels) if feasible[i] and best - level <= RULE.margin}


def check(seen: Summary) -> None:
    assert seen.wrong <= 0.05 * seen.firm
    assert seen.unfit <= 0.05 * seen.studies
    assert seen.shut_out <= 0.05 * seen.studies
