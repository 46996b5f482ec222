"""`make bench`: what sweeper's own parts cost, as ratios, each measured side by side in one run (the report:
in seconds and MB).

Takes some ten minutes on a quiet machine. Prints median, least and most of each, and the goal.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeper.training import default_spec, is_up_to_date, train
from tests.bench import drum_cost, drum_throughput, load_cost, report_time, telemetry_cost

MODELS = Path("models")
LIGHT = "sklearn-regression"
Ratios = Mapping[str, float | Sequence[float]]


@dataclass(frozen=True)
class Goal:
    limit: float
    at_most: bool = True

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.limit:g}"

    def met(self, value: float) -> bool:
        return value <= self.limit if self.at_most else value >= self.limit


def goal_of(name: str) -> Goal | None:
    if name.startswith("server CPU"):
        return Goal(1.15)
    if name.startswith("time to ready"):
        return Goal(1.0)
    if name.startswith("throughput ÷ DRUM"):
        return None if LIGHT in name else Goal(1.8, at_most=False)
    if name.startswith("load"):
        return Goal(0.95, at_most=False)
    if name.startswith("report"):
        return Goal(5.0) if "requests" in name else Goal(1.5)
    return Goal(0.01) if name.startswith("telemetry") else None


def model(kind: str) -> Path:
    spec, folder = default_spec(kind), MODELS / kind
    if not is_up_to_date(spec, folder):
        train(spec, folder)
    return folder.resolve()


def sections() -> dict[str, Callable[[], Ratios]]:
    """By name, so that `python -m tests.bench load telemetry` measures these alone."""
    return {
        "telemetry": telemetry_cost.ratios,
        "load": load_cost.ratios,
        "report": report_time.figures,
        "server-light": lambda: drum_cost.ratios(model(LIGHT)),
        "server-xgboost": lambda: drum_cost.ratios(model("xgboost")),
        "drum-light": lambda: drum_throughput.ratios(model(LIGHT)),
        "drum-xgboost": lambda: drum_throughput.ratios(model("xgboost")),
    }


def report(name: str, value: float | Sequence[float]) -> None:
    values = [value] if isinstance(value, float | int) else list(value)
    median, goal = statistics.median(values), goal_of(name)
    spread = "" if len(values) == 1 else f"  ({min(values):.3f} to {max(values):.3f}, {len(values)} rounds)"
    verdict = "" if goal is None else f"  goal {goal}: {'met' if goal.met(median) else 'NOT met'}"
    print(f"  {name:<64} {median:7.3f}{spread}{verdict}", flush=True)


def main(wanted: Sequence[str]) -> int:
    known = sections()
    unknown = [name for name in wanted if name not in known]
    if unknown:
        print(f"no section {unknown[0]!r}: choose from {', '.join(known)}", file=sys.stderr)
        return 2
    for name in wanted or known:
        began_s = time.monotonic()
        print(name, flush=True)
        for what, value in known[name]().items():
            report(what, value)
        print(f"  ({time.monotonic() - began_s:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
