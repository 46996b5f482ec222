"""A recorded study for people who work in Python: its settings, its answer and its tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sweeper.answers import Recommendation
from sweeper.errors import UsageError
from sweeper.store.frames import requests_frame, telemetry_frame


@dataclass(frozen=True, slots=True, eq=False)
class StudyData:
    """What `sweeper.load_study` returns. Every change to its tables is the caller's own; nothing is written.

    name            the study's name
    folder          where its files are
    settings        what it was started with, as in study.toml: durations as text ("10s"), p99 limits in ms
    environment     the fingerprint of machine, packages, model and data, as in environment.json
    recommendation  the answer, as `sweeper recommend` gives it (sweeper.answers.Recommendation)

    The tables have pandas' nullable types (Int64, Float64, boolean, string): NA is what this machine could
    not give, and never 0. Units are in the names: `_s`, `_ms`, `_bytes`, `rps` (requests per second),
    `_cores`, `_share` (0 to 1).

    runs        one row per run in the order they were made, columns as in runs.csv: `run_id`, `block`,
                `position`, the configuration (`workers`, `model_threads`, `processes`, `parameters`),
                `verdict` (valid, suspect or failed; only valid ones decide), `findings` (codes),
                `started_at` (UTC), `elapsed_s`, then the figures of its window (`rps`, `latency_p99_ms`,
                `cpu_ms_per_request`, …). `search` marks runs of a search, and those with `arrivals_per_s`
                are open-loop runs that confirm the answer: neither decide.
    candidates  one row per configuration that the blocks compare: how many runs, its `state`, whether it is
                the `answer`, and its means; `_low` and `_high` are limits at the study's confidence.
    trials      one row per configuration that a search tried; no rows for a grid.
    """

    name: str
    folder: Path
    settings: dict[str, Any]
    environment: dict[str, Any]
    recommendation: Recommendation
    runs: pd.DataFrame
    candidates: pd.DataFrame
    trials: pd.DataFrame

    def requests(self, run_id: str) -> pd.DataFrame:
        """Every request of one run, in order of start: `started_s` (seconds of the run's own clock, which
        stands still while others have their turn), `latency_ms` (NA: never finished), `status` (0: no
        response), `response_bytes`, `failed`.

        Raises UsageError for a run that is not of this study, StoreError where its file is missing or
        damaged.
        """
        self._check(run_id)
        return requests_frame(self.folder, run_id)

    def telemetry(self, run_id: str) -> pd.DataFrame:
        """What was sampled during one run, warm-up included: `at_s` (the run's own clock) and counters of
        the server's process tree, the load generator and the host that only grow (subtract two rows), as in
        sweeper.observations.TelemetrySample.

        Raises UsageError and StoreError as `requests` does.
        """
        self._check(run_id)
        return telemetry_frame(self.folder, run_id)

    def _check(self, run_id: str) -> None:
        known = self.runs["run_id"].tolist()
        if run_id not in known:
            some = ", ".join(known[:5]) + (", …" if len(known) > 5 else "") if known else "none yet"
            raise UsageError(f"study '{self.name}' has no run '{run_id}'; its runs are {some}")
