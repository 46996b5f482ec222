"""`studies`: default studies of each model, one after another, models in turns so that the host hits all."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweeper.analysis.confirmation import split
from sweeper.records.finding import Verdict
from sweeper.records.run import RunRecord
from sweeper.store.database import Database
from tests.real import journal
from tests.real.command import Ended, StoppedError, sweeper, train

FINISHED, ATTEMPTS = "studies.jsonl", "attempts.jsonl"
OURS = ("--model", "--study", "--studies-dir", "--storage", "--json", "--seed", "--dry-run")
HARMLESS = ("--allow-drift",)  # says how to resume, not what to measure
WRONG_USE = 2


@dataclass(frozen=True)
class Task:
    model: str
    number: int

    @property
    def study(self) -> str:
        return f"real-{self.model}-{self.number}"


def tasks(models: Sequence[str], count: int) -> list[Task]:
    """Study 1 of every model, study 2 of every model, and so on."""
    return [Task(model, number) for number in range(1, count + 1) for model in models]


def make_studies(
    models: Sequence[str], count: int, out: Path, flags: Sequence[str], limit_s: float
) -> list[str]:
    """Make what is not finished yet; returns the names of the studies that could not be finished.

    Raises StoppedError for flags that cannot be used, also where `out` holds studies made with others.
    """
    taken = [flag for flag in flags if flag.partition("=")[0] in OURS]
    if taken:
        raise StoppedError(f"{taken[0]} is set by this script: leave it out after --")
    done = {entry["study"]: entry for entry in journal.entries(out / FINISHED)}
    settings = [flag for flag in flags if flag not in HARMLESS]
    for entry in done.values():
        if entry["flags"] != settings:
            raise StoppedError(
                f"{out} holds studies made with flags {entry['flags']}, not {settings}: use another --out"
            )
    waiting = [task for task in tasks(models, count) if task.study not in done]
    train(sorted({task.model for task in waiting}), out / "logs", limit_s)
    unfinished = []
    for task in waiting:
        print(f"{_now()} {task.study} …", flush=True)
        entry = _make(task, out, flags, limit_s)
        if entry is None:
            unfinished.append(task.study)
        else:
            journal.append(out / FINISHED, {**entry, "flags": settings})
            print(f"  {entry['status']} {entry['workers']} in {entry['minutes']:.1f} minutes", flush=True)
    return unfinished


def _make(task: Task, out: Path, flags: Sequence[str], limit_s: float) -> dict[str, Any] | None:
    """Run the study to its end, or go on with it; None when it did not get there."""
    arguments = ["grid", "--model", task.model, "--study", task.study, "--studies-dir", str(out)]
    arguments += ["--json", "--seed", str(task.number), *flags]
    mine = {"study": task.study, "model": task.model}
    journal.append(out / ATTEMPTS, {**mine, "event": "begun"})
    began_s = time.monotonic()
    try:
        ended = sweeper(arguments, out / "logs" / f"{task.study}.log", limit_s)
    finally:  # an interrupted attempt took its time as well
        journal.append(out / ATTEMPTS, {**mine, "event": "ended", "seconds": time.monotonic() - began_s})
    if ended.exit_code == WRONG_USE:
        raise StoppedError(ended.last_line)
    answer = recommendation(ended)
    if answer is None:
        why = "the time limit was over" if ended.exit_code is None else ended.last_line
        print(f"  not finished: {why}", flush=True)
        return None
    return summary(task, answer, runs(out, task.study), attempts_s(out, task.study))


def recommendation(ended: Ended) -> dict[str, Any] | None:
    """The JSON that `--json` promises as the last line; None where sweeper did not get that far."""
    if ended.exit_code not in (0, 1) or not ended.last_line.startswith("{"):
        return None
    answer: dict[str, Any] = json.loads(ended.last_line)
    return answer


def runs(out: Path, study: str) -> tuple[RunRecord, ...]:
    """The runs a study decided by, from its database: those of the confirmation are left out."""
    database = Database(f"sqlite:///{out / 'studies.db'}", create=False)
    try:
        return tuple(split(database.runs(study))[0])
    finally:
        database.close()


def attempts_s(out: Path, study: str) -> list[float]:
    """How long each attempt took; 0 for one that was killed before it could say so."""
    seconds: list[float] = []
    for entry in journal.entries(out / ATTEMPTS):
        if entry["study"] == study and entry["event"] == "begun":
            seconds.append(0.0)
        elif entry["study"] == study:
            seconds[-1] = entry["seconds"]
    return seconds


def summary(
    task: Task, answer: dict[str, Any], records: Sequence[RunRecord], attempts: Sequence[float]
) -> dict[str, Any]:
    """What is kept of a finished study.

    `minutes` is wall time over all attempts. One that was killed left no time of its own; then the time of
    all runs is a lower bound that stands in for it.
    """
    verdicts = Counter(record.verdict for record in records)
    kept = ("status", "workers", "tied", "smaller_unsettled", "blocks", "tolerance", "reason")
    return {
        "study": task.study,
        "model": task.model,
        "seed": task.number,
        **{key: answer[key] for key in (*kept, "residual_deviation", "covariates")},
        "minutes": max(sum(attempts), sum(record.elapsed_s for record in records)) / 60,
        "attempts": len(attempts),
        "runs": {verdict.value: verdicts[verdict] for verdict in Verdict},
        "finished_at": _now(),
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
