"""What `--dry-run` prints: the plan and its time, with nothing started."""

from __future__ import annotations

from sweeper.course import StudyPlan
from sweeper.optimization import OptimizePlan
from sweeper.report.table import duration
from sweeper.search.confirmation_plan import ROUNDS
from sweeper.search.rounds import NEW, RUNS, round_plan, rounds_left
from sweeper.statistics.search import BEST
from sweeper.study_settings import StudySettings


def describe(plan: StudyPlan | OptimizePlan, settings: StudySettings) -> str:
    return _optimize(plan, settings) if isinstance(plan, OptimizePlan) else _grid(plan, settings)


def _grid(plan: StudyPlan, settings: StudySettings) -> str:
    looks, run_s = plan.rule.looks, plan.run.expected_s
    first = sum(len(plan.block(number, {})) for number in range(1, looks[0] + 1))
    lines = [
        f"study        {plan.name}",
        f"compares     workers {', '.join(str(c.workers) for c in plan.configurations)} ({_with(settings)})",
        *_how(plan, settings),
    ]
    for number in range(1, looks[0] + 1):
        order = ", ".join(str(run.configuration.workers) for run in plan.block(number, {}))
        lines.append(f"block {number:<6} {order}")
    lines += _then(plan)
    most = plan.runs_at_most + _confirming(plan)
    lines.append(
        f"time         about {duration(first * run_s)} to the first look, "
        f"{duration(most * run_s)} at most ({first} to {most} runs)"
    )
    return "\n".join(lines)


def _optimize(plan: OptimizePlan, settings: StudySettings) -> str:
    search, blocks = plan.search, plan.blocks
    first = [run.configuration.label for run in round_plan(search, (), 1)]
    rounds = rounds_left(search, ())
    # Every trial, each but the reference twice; the reference in every round.
    searching = 1 + (search.wanted - 1) * RUNS + rounds - 1
    known = f", all there are of {search.trials}" if search.wanted < search.trials else ""
    fewest, most = ((BEST + 1) * number for number in (blocks.rule.looks[0], blocks.rule.looks[-1]))
    search_s = searching * plan.search_run.expected_s
    run_s, confirming = blocks.run.expected_s, _confirming(blocks)
    lines = [
        f"study        {blocks.name}",
        "searches     "
        + ", ".join(f"{d.name} {d.choices.text}" for d in search.space.dimensions)
        + f": {search.space.size} configurations ({_with(settings)})",
        f"search       {search.wanted} trials{known}, in about {rounds} rounds of up to {NEW} new ones, up "
        f"to {RUNS} runs each with windows of {plan.search_run.window_s:g} s; the reference, "
        f"{search.reference.label}, in each round",
        f"round 1      {', '.join(first)}",
        f"finalists    the {BEST} best, the reference, and the smallest within {blocks.rule.tolerance:.0%} "
        "of the best, in fresh blocks:",
        *_how(blocks, settings),
        *_then(blocks),
        f"time         about {duration(search_s)} to search, then {duration(fewest * run_s)} to "
        f"{duration((most + confirming) * run_s)}",
    ]
    return "\n".join(lines)


def _with(settings: StudySettings) -> str:
    several = f" in {settings.load_processes} processes" if settings.load_processes > 1 else ""
    if settings.expect_load_workers is not None:
        several = f" on {settings.expect_load_workers} load workers"
    return f"launcher {settings.launcher}, {settings.users} users{several}"


def _how(plan: StudyPlan, settings: StudySettings) -> list[str]:
    rule, looks = plan.rule, plan.rule.looks
    return [
        f"one run      fresh server, warm-up from {settings.warmup:g} s, window of {settings.window:g} s; "
        f"about {duration(plan.run.expected_s)}",
        f"blocks       at least {looks[0]}, at most {looks[-1]}; looks after {', '.join(map(str, looks))}; "
        "their runs "
        + ("take turns of half a second" if plan.run.interleave else "are made one after another")
        + (" (load from other hosts cannot stand still)" if settings.expect_load_workers else ""),
        f"decision     smallest count within {rule.tolerance:.0%} of the best {rule.objective.value}, "
        f"{rule.confidence:.0%} confidence"
        + (f", p99 within {rule.slo_p99_ms:g} ms" if rule.slo_p99_ms is not None else ""),
    ]


def _then(plan: StudyPlan) -> list[str]:
    if plan.confirm:
        reference = f"{plan.reference.workers} workers"
        return [
            f"then         the answer and {reference} with requests at random moments, {ROUNDS} runs each"
        ]
    return [f"then         nothing: {plan.not_confirmed}"] if plan.not_confirmed else []


def _confirming(plan: StudyPlan) -> int:
    return 2 * ROUNDS if plan.confirm else 0
