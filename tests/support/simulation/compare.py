"""What a search is worth: `python -m tests.support.simulation.compare` prints it (docs/results/searches.md).

Simulated, because only there the true best is known: how often the answer is within 5% of it, and how many
minutes of runs that takes, for optimizations of several lengths, for grids, and for taking the best value
seen, as plain Optuna and random search do. The host is that of a shared machine: 8% from one round, block or
(for runs made one after another) run to the next, with a memory of 0.8; a run with a 10 s window varies by 2%
beside that.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Callable, Iterator

import numpy as np
import optuna
import pandas as pd

from sweeper.records.configuration import Configuration, Space
from sweeper.records.run import RunPlan
from sweeper.statistics.criteria import Rule
from sweeper.study.proposer import START_UP, distributions_of
from tests.support.simulation.searches import (
    FINAL_RUN_S,
    FOUR,
    SURFACES,
    Bench,
    Level,
    grid,
    optimize,
    shortfall,
)
from tests.support.simulation.studies import Host

RULE = Rule()
DRIFT, MEMORY, DEVIATION = 0.08, 0.8, 0.02
COARSE = (1, 4, 8, 16, 32)
LENGTHS = (8, 12, 20, 30)
MOST = 60  # trials of the methods that take the best value

Answers = dict[str, list[tuple[Configuration | None, float]]]
"""By method: what each study answered, and the minutes it took."""


def bench(level: Level, seed: int) -> Bench:
    made = Bench(level, np.random.default_rng(seed), DEVIATION, DRIFT)
    made.searched = Host(made.rng, DRIFT, MEMORY)
    made.decided = Host(made.rng, DRIFT, MEMORY)
    return made


def ours(level: Level, within: Space, seed: int) -> Iterator[tuple[str, Configuration | None, float]]:
    for length in LENGTHS:
        searched = optimize(bench(level, seed), within, length, seed, RULE)
        yield f"optimize --trials {length}", searched.answer, searched.spent_s / 60
    threads = sorted({c.model_threads for c in within})
    coarse = tuple(Configuration(w, t) for w in COARSE for t in threads)
    decided = grid(bench(level, seed), coarse, seed, RULE)
    yield f"grid 1,4,8,16,32{' x threads' if len(threads) > 1 else ''}", decided.answer, decided.spent_s / 60


def whole_grid(level: Level, within: Space, seed: int) -> tuple[Configuration | None, float]:
    decided = grid(bench(level, seed), tuple(within), seed, RULE)
    return decided.answer, decided.spent_s / 60


def best_value(
    level: Level, within: Space, seed: int, propose: Callable[[list[float]], Configuration]
) -> Iterator[tuple[int, Configuration]]:
    """After each trial the configuration with the best value so far: one run each, one after another."""
    made, values = bench(level, seed), list[float]()
    best: tuple[float, Configuration] = (-np.inf, FOUR)
    for number in range(1, MOST + 1):
        configuration = propose(values)
        record = made.run(RunPlan(f"r{number}", number, 1, configuration))
        assert record.figures is not None
        values.append(record.figures.rps)
        best = max(best, (record.figures.rps, configuration), key=lambda pair: pair[0])
        yield number, best[1]


def at_random(within: Space, seed: int) -> Callable[[list[float]], Configuration]:
    left = random.Random(seed).sample(list(within), MOST)
    return lambda values: left[len(values)]


def by_optuna(within: Space, seed: int) -> Callable[[list[float]], Configuration]:
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=START_UP)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    asked: list[optuna.Trial] = []

    def propose(values: list[float]) -> Configuration:
        if asked:
            study.tell(asked[-1], values[-1])
        asked.append(study.ask(distributions_of(within)))
        return within.configuration(asked[-1].params)

    return propose


def table(studies: int, whole: int) -> pd.DataFrame:
    rows = []
    for name, (level, within) in SURFACES.items():
        answers: Answers = {}
        for seed in range(studies):
            for method, answer, minutes in ours(level, within, seed):
                answers.setdefault(method, []).append((answer, minutes))
            for method, propose in (("random search", at_random), ("plain Optuna", by_optuna)):
                for number, answer in best_value(level, within, seed, propose(within, seed)):
                    if number in (10, 20, 40, MOST):
                        run_minutes = number * FINAL_RUN_S / 60
                        answers.setdefault(f"{method}, best of {number}", []).append((answer, run_minutes))
        for seed in range(whole):
            answers.setdefault(f"grid, all {within.size}", []).append(whole_grid(level, within, seed))
        rows += [_row(name, method, seen, level, within) for method, seen in answers.items()]
    return pd.DataFrame(rows)


def _row(
    name: str,
    method: str,
    seen: list[tuple[Configuration | None, float]],
    level: Level,
    within: Space,
) -> dict[str, str]:
    told = [answer for answer, _ in seen if answer is not None]
    close = sum(shortfall(level, within, answer) <= RULE.tolerance for answer in told)
    return {
        "truth": name,
        "method": method,
        "studies": str(len(seen)),
        "answers": f"{len(told) / len(seen):.0%}",
        "within 5% of the best": f"{close / len(seen):.0%}",
        "minutes": f"{statistics.median(minutes for _, minutes in seen):.1f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--studies", type=int, default=200, help="simulated of each method (200)")
    parser.add_argument(
        "--whole", type=int, default=20, help="simulated of the whole grid, which is slow (20)"
    )
    chosen = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(table(chosen.studies, chosen.whole).to_string(index=False))


if __name__ == "__main__":
    main()
