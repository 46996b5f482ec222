"""From settings to a study's plan: the same for running it, for reading it again and for a dry run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from sweeper.config import REFERENCE_WORKERS, StudySettings
from sweeper.report.table import duration
from sweeper.search.confirmation_plan import ROUNDS
from sweeper.study import StudyPlan
from sweeper.under_load import RunSettings

NOT_CONFIRMED = (
    "the answer is not confirmed with requests that arrive at random: a locustfile of your own decides "
    "itself when its users send"
)


def plan_of(name: str, settings: StudySettings, environment: Mapping[str, object]) -> StudyPlan:
    """`environment` is the study's fingerprint with the placement of server and load (environment.json)."""
    placement, cores = environment.get("placement"), environment.get("cores")
    shared = not isinstance(placement, dict) or bool(placement.get("shared", True))
    return StudyPlan(
        name=name,
        configurations=settings.configurations,
        rule=settings.rule,
        seed=settings.seed,
        reference_workers=REFERENCE_WORKERS,
        run=RunSettings(
            window_s=settings.window,
            warmup_s=settings.warmup,
            warmup_cap_s=settings.warmup_cap,
            drain_s=settings.drain,
            start_timeout_s=settings.start_timeout,
            max_error_rate=settings.max_error_rate,
            cores_shared=shared,
            host_cores=cores if isinstance(cores, int) else 1,
            interleave=settings.interleave,
        ),
        fingerprint=fingerprint(environment),
        environment=dict(environment),
        confirm=settings.confirm and settings.locustfile is None,
        users=settings.users,
        not_confirmed=NOT_CONFIRMED if settings.confirm and settings.locustfile is not None else "",
    )


def fingerprint(environment: Mapping[str, object]) -> str:
    """Short hash of an environment: runs with the same one may be compared."""
    text = json.dumps(environment, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def environment_differences(stored: Mapping[str, object], now: Mapping[str, object]) -> tuple[str, ...]:
    """What differs between two fingerprints, by name: `packages.numpy was 2.4.6, is 2.5.0`."""
    old, new = _flat(stored), _flat(now)
    return tuple(
        f"{name} was {_short(old.get(name))}, is {_short(new.get(name))}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _flat(value: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, item in value.items():
        if isinstance(item, Mapping):
            flat.update(_flat(item, f"{prefix}{name}."))
        else:
            flat[prefix + name] = list(item) if isinstance(item, tuple) else item
    return flat


def _short(value: object) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 40 else text[:12] + "…"


def describe(plan: StudyPlan, settings: StudySettings) -> str:
    """The plan and its time, for --dry-run."""
    rule, looks = plan.rule, plan.rule.looks
    run_s = plan.run.expected_s
    first = sum(len(plan.block(number, {})) for number in range(1, looks[0] + 1))
    lines = [
        f"study        {plan.name}",
        f"compares     workers {', '.join(str(c.workers) for c in plan.configurations)}"
        f" (launcher {settings.launcher}, {settings.users} users)",
        f"one run      fresh server, warm-up from {settings.warmup:g} s, window of {settings.window:g} s; "
        f"about {duration(run_s)}",
        f"blocks       at least {looks[0]}, at most {looks[-1]}; looks after {_list(looks)}; their runs "
        + ("take turns of half a second" if plan.run.interleave else "are made one after another"),
        f"decision     smallest count within {rule.tolerance:.0%} of the best {rule.objective.value}, "
        f"{rule.confidence:.0%} confidence"
        + (f", p99 within {rule.slo_p99_ms:g} ms" if rule.slo_p99_ms is not None else ""),
    ]
    for number in range(1, looks[0] + 1):
        order = ", ".join(str(run.configuration.workers) for run in plan.block(number, {}))
        lines.append(f"block {number:<6} {order}")
    if plan.confirm:
        lines.append(
            f"then         the answer and {plan.reference_workers} workers with requests at random moments, "
            f"{ROUNDS} runs each"
        )
    elif plan.not_confirmed:
        lines.append(f"then         nothing: {plan.not_confirmed}")
    confirming = 2 * ROUNDS if plan.confirm else 0
    most = plan.runs_at_most + confirming
    lines.append(
        f"time         about {duration(first * run_s)} to the first look, "
        f"{duration(most * run_s)} at most ({first} to {most} runs)"
    )
    return "\n".join(lines)


def _list(values: tuple[int, ...]) -> str:
    return ", ".join(str(value) for value in values)
