"""What `--dry-run` prints: the plan and its time, with nothing started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from sweeper.analysis.scenarios.expectations import expected
from sweeper.analysis.scenarios.stress import FIRST_USERS
from sweeper.records.configuration import WORKERS, Configuration
from sweeper.records.run import Objective, RunPlan
from sweeper.records.scenarios import Scenario, ServerKind
from sweeper.records.wording import and_join, core_count, duration, limit_ms, plural, workers
from sweeper.report.text.gate import gate_in_words
from sweeper.settings.notation import size_text
from sweeper.settings.study_settings import StudySettings
from sweeper.statistics.capacity import FEWEST_REQUESTS, RATES, RATIO, STEP_WINDOWS, WIDE_RATIO
from sweeper.statistics.search import BEST
from sweeper.study.block_order import ROUNDS, scenario_block
from sweeper.study.optimization import OptimizePlan
from sweeper.study.scenarios import ScenarioPlan, settings_of
from sweeper.study.search_rounds import NEW, RUNS, SearchSpace, round_plan, rounds_left
from sweeper.study.study_state import StudyPlan


def describe(plan: StudyPlan | OptimizePlan | ScenarioPlan, settings: StudySettings) -> str:
    if isinstance(plan, ScenarioPlan):
        return _scenarios(plan, settings)
    return _optimize(plan, settings) if isinstance(plan, OptimizePlan) else _grid(plan, settings)


def _grid(plan: StudyPlan, settings: StudySettings) -> str:
    looks, run_s = plan.rule.looks, plan.run.expected_s
    first = sum(len(plan.block(number, {})) for number in range(1, looks[0] + 1))
    lines = [
        f"study        {plan.name}",
        f"compares     workers {', '.join(str(c.workers) for c in plan.configurations)} ({_with(settings)})",
        *_how(plan, settings),
        *_gate(plan.configurations, settings, plan.environment),
    ]
    for number in range(1, looks[0] + 1):
        for shown, runs in _by_load(plan.block(number, {})):
            order = ", ".join(str(run.configuration.workers) for run in runs)
            lines.append(f"block {number:<6} {order}{shown}")
    lines += _then(plan)
    most = plan.runs_at_most + _confirming(plan)
    lines.append(
        f"time         about {duration(first * run_s + settings.restart_s)} to the first look, "
        f"{duration(most * run_s + settings.restart_s)} at most ({first} to {most} runs"
        f"{', and a restart' if settings.restart_s else ''})"
    )
    return "\n".join(lines)


def _by_load(runs: Sequence[RunPlan]) -> list[tuple[str, list[RunPlan]]]:
    """A block's runs in order, those of each load by themselves, with that load in words."""
    return [
        ("" if load is None else f" (load {load:g})", list(together))
        for load, together in groupby(runs, key=lambda run: run.load)
    ]


def _optimize(plan: OptimizePlan, settings: StudySettings) -> str:
    search, blocks = plan.search, plan.blocks
    first = [run.configuration.label for run in round_plan(search, (), 1)]
    rounds = rounds_left(search, ())
    # Every trial, each but the reference twice; the reference in every round.
    searching = 1 + (search.wanted - 1) * RUNS + rounds - 1
    known = f" (the space has no more; --trials {search.trials})" if search.wanted < search.trials else ""
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
        *_gate(_each_worker_count(search), settings, blocks.environment),
        *_then(blocks),
        f"time         about {duration(search_s)} to search, then "
        f"{duration(fewest * run_s + settings.restart_s)} to "
        f"{duration((most + confirming) * run_s + settings.restart_s)}",
    ]
    return "\n".join(lines)


def _scenarios(plan: ScenarioPlan, settings: StudySettings) -> str:
    terms, run_s = plan.terms, plan.run.expected_s
    first, second = terms.servers
    lines = [
        f"study        {plan.name}",
        f"compares     {first} ({terms.configurations[first].label}) and {second}, {terms.workload.bound}",
        f"one run      fresh server, warm-up from {plan.run.warmup_s:g} s, window of "
        f"{plan.run.window_s:g} s; about {duration(run_s)}",
    ]
    pooled = tuple(c for name, c in terms.configurations.items() if ServerKind(name).has_pool)
    if pooled:
        lines += _gate(pooled, settings, plan.environment)
    fewest = most = 0.0
    for scenario in terms.scenarios:
        if scenario is Scenario.STRESS:
            lines.append(
                f"{scenario:<12} from {FIRST_USERS} users on, twice as many in each step up to "
                f"{terms.max_users}, until {terms.max_error_rate:.1%} of the requests fail"
                + (f" or p99 is above {limit_ms(terms.slo_p99_ms)}" if terms.slo_p99_ms else "")
                + "; how long that takes depends on the servers"
            )
            continue
        runs = len(scenario_block(terms, scenario, 1))
        made = settings_of(plan, scenario)
        how = "in turns of half a second" if made.interleave else "one after another"
        if made.interleave and made.try_turns:
            how += ", unless a trial before the first block finds that the server waits for something outside"
        users, looks = terms.users(scenario), terms.looks
        lines.append(
            f"{scenario:<12} {', '.join(map(str, users))} {plural(max(users), 'user')}; blocks of "
            f"{runs} runs, {how}: {_looks(looks)}"
        )
        fewest, most = fewest + terms.looks[0] * runs * run_s, most + terms.looks[-1] * runs * run_s
    claims = ", ".join(one.claim for one in expected(terms)) or "none for these servers and scenarios"
    lines.append(f"expectations {claims}; {terms.confidence:.0%} confidence each")
    if most:
        besides = ", without the stress" if Scenario.STRESS in terms.scenarios else ""
        lines.append(f"time         about {duration(fewest)} to {duration(most)}{besides}")
    return "\n".join(lines)


def _with(settings: StudySettings) -> str:
    several = f" in {settings.load_processes} processes" if settings.load_processes > 1 else ""
    if settings.expect_load_workers is not None:
        several = f" on {settings.expect_load_workers} load workers"
    if Objective.CAPACITY in settings.objectives:
        load = "requests at random, at the rates that keep the SLO and a little more"
    else:
        loads = settings.loads or (settings.largest_rate or settings.most_users,)
        what = "users" if settings.largest_rate is None else "requests/s at random"
        load = f"{and_join([f'{one:g}' for one in loads])} {what}"
    return f"launcher {settings.launcher}, {load}{several}{_limits(settings)}"


def _limits(settings: StudySettings) -> str:
    cpu = "" if settings.cpu_limit is None else f", CPU limit {core_count(settings.cpu_limit)}"
    memory = "" if settings.memory_limit is None else f", memory limit {size_text(settings.memory_limit)}"
    return cpu + memory


def _how(plan: StudyPlan, settings: StudySettings) -> list[str]:
    rule = plan.rule
    return [
        f"one run      {_fresh(settings)}, {_measured(plan, settings)}; about "
        f"{duration(plan.run.expected_s)}",
        *_remote(settings),
        f"blocks       {_looks(rule.looks)}; their runs {_one_by_one_or_in_turns(settings)}",
        f"decision     smallest count within {rule.tolerance:.0%} of the best {rule.objective.value}, "
        f"{rule.confidence:.0%} confidence"
        + (f", p99 within {limit_ms(rule.slo_p99_ms)}" if rule.slo_p99_ms is not None else "")
        + (", under every load" if plan.loads else ""),
        *(
            [
                "dropped      each value that one load excludes; it has runs under the other loads only "
                "while other values must be compared with it"
            ]
            if plan.loads
            else []
        ),
    ]


def _measured(plan: StudyPlan, settings: StudySettings) -> str:
    if plan.run.capacity_within_ms is None:
        return f"warm-up from {settings.warmup:g} s, window of {settings.window:g} s"
    return (
        f"{RATES} rates, each {RATIO - 1:.0%} above the one before, for {STEP_WINDOWS * settings.window:g} s "
        f"each or until {FEWEST_REQUESTS} requests have arrived (in the first block the run first finds out "
        f"around which rate, and the rates are {WIDE_RATIO - 1:.0%} apart)"
    )


def _fresh(settings: StudySettings) -> str:
    if settings.launcher != "remote":
        return "fresh server"
    known = "--restart-time" if settings.restart_time is not None else "assumed, see --restart-time"
    return f"a restart of about {duration(settings.restart_s)} ({known})"


def _remote(settings: StudySettings) -> list[str]:
    if settings.launcher != "remote":
        return []
    old = settings.restore_command or "the same with the workers that /stats/ reports before"
    unseen = ["unavailable  CPU, memory and context switches of the server: it is not on this machine"]
    if settings.metrics_path is not None:
        unseen = [
            f"asks         {settings.url}{settings.metrics_path} twice a second for the server's CPU time "
            "and memory",
            "unavailable  context switches of the server: it is not on this machine",
        ]
    return [
        f"restarts     {settings.url} by: {settings.restart_command}",
        f"at the end   the old setting is put back, after an interrupt too, by: {old}",
        *unseen,
    ]


def _looks(looks: Sequence[int]) -> str:
    if len(looks) == 1:
        return f"{looks[0]}, and a look after the last of them"
    return f"at least {looks[0]}, at most {looks[-1]}, with a look after each from block {looks[0]} on"


def _one_by_one_or_in_turns(settings: StudySettings) -> str:
    if settings.in_turns and settings.interleave:
        return "take turns of half a second (--interleave)"
    if settings.in_turns:
        return (
            "take turns of half a second, or are made one after another if a trial of a second before "
            "the first block finds that the server waits for something outside"
        )
    why = "sweeper cannot stop load on other hosts" if settings.expect_load_workers else "--no-interleave"
    if settings.launcher == "remote":
        why = "sweeper cannot stop a remote server for turns"
    return f"are made one after another ({why})"


def _each_worker_count(search: SearchSpace) -> tuple[Configuration, ...]:
    """All else as in the reference: the whole space may be too large to go through."""
    counts = next(d for d in search.space.dimensions if d.name == WORKERS).choices.values
    return tuple(replace(search.reference, workers=int(count)) for count in counts)


def _gate(
    configurations: Sequence[Configuration], settings: StudySettings, environment: Mapping[str, object]
) -> list[str]:
    """Nothing where the gate stays as it is, or the server is somebody's own command."""
    if settings.launcher == "command" or (settings.launcher == "remote" and not _sets_gate(settings)):
        return []
    said = gate_in_words(configurations, settings.most_users, environment)
    return [f"gate         {said}"] if said else []


def _sets_gate(settings: StudySettings) -> bool:
    return "{gate}" in (settings.restart_command or "")


def _then(plan: StudyPlan) -> list[str]:
    if plan.confirm:
        reference = workers(plan.reference.workers)
        return [
            f"then         the answer and {reference} with requests at random moments, {ROUNDS} runs each"
        ]
    return [f"then         nothing: {plan.not_confirmed}"] if plan.not_confirmed else []


def _confirming(plan: StudyPlan) -> int:
    return 2 * ROUNDS if plan.confirm else 0
