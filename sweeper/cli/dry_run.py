"""What `--dry-run` prints: the plan and its time, with nothing started."""

from __future__ import annotations

from sweeper.course import StudyPlan
from sweeper.optimization import OptimizePlan
from sweeper.report.text import duration
from sweeper.scenario_study import ScenarioPlan, settings_of
from sweeper.scenarios.expectations import expected
from sweeper.scenarios.stress import FIRST_USERS
from sweeper.scenarios.terms import Scenario
from sweeper.search.confirmation_plan import ROUNDS
from sweeper.search.rounds import NEW, RUNS, round_plan, rounds_left
from sweeper.search.scenario_plan import scenario_block
from sweeper.statistics.search import BEST
from sweeper.study_settings import StudySettings


def describe(plan: StudyPlan | OptimizePlan | ScenarioPlan, settings: StudySettings) -> str:
    if isinstance(plan, ScenarioPlan):
        return _scenarios(plan)
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


def _scenarios(plan: ScenarioPlan) -> str:
    terms, run_s = plan.terms, plan.run.expected_s
    first, second = terms.servers
    lines = [
        f"study        {plan.name}",
        f"compares     {first} ({terms.configurations[first].label}) and {second}, {terms.workload.bound}",
        f"one run      fresh server, warm-up from {plan.run.warmup_s:g} s, window of "
        f"{plan.run.window_s:g} s; about {duration(run_s)}",
    ]
    fewest = most = 0.0
    for scenario in terms.scenarios:
        if scenario is Scenario.STRESS:
            lines.append(
                f"{scenario:<12} from {FIRST_USERS} users on, twice as many in each step up to "
                f"{terms.max_users}, until {terms.max_error_rate:.1%} of the requests fail"
                + (f" or p99 is above {terms.slo_p99_ms:g} ms" if terms.slo_p99_ms else "")
                + "; how long that takes depends on the servers"
            )
            continue
        runs = len(scenario_block(terms, scenario, 1))
        how = "take turns of half a second" if settings_of(plan, scenario).interleave else "one after another"
        users, looks = ", ".join(map(str, terms.users(scenario))), terms.looks
        lines.append(
            f"{scenario:<12} {users} user{'' if users == '1' else 's'}; {looks[0]} to {looks[-1]} "
            f"blocks of {runs} runs, {how}; looks after {', '.join(map(str, looks))}"
        )
        fewest, most = fewest + terms.looks[0] * runs * run_s, most + terms.looks[-1] * runs * run_s
    claims = ", ".join(one.claim for one in expected(terms)) or "none for these servers and scenarios"
    lines.append(f"expectations {claims}; {terms.confidence:.0%} confidence each")
    if most:
        besides = ", but for the stress" if Scenario.STRESS in terms.scenarios else ""
        lines.append(f"time         about {duration(fewest)} to {duration(most)}{besides}")
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
