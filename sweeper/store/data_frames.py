"""A recorded study as pandas tables: runs, candidates, trials, requests, telemetry; and its answer."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd

from sweeper.errors import UsageError
from sweeper.records.answer import Candidate, Interval, Recommendation
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Verdict
from sweeper.records.observations import TelemetrySample
from sweeper.records.run import Case, LatencyFigures, RunFigures, RunPlan, RunRecord
from sweeper.records.search import Search, Trial
from sweeper.store.packed_study import REQUESTS, TELEMETRY, PackedFile, PackedFiles
from sweeper.store.parquet import damaged, file_of, read_table
from sweeper.store.runs_csv import LATENCIES, flat

Kinds = Mapping[str, Any]
_DTYPES: Mapping[type, str] = {bool: "boolean", int: "Int64", float: "Float64", str: "string"}
"""In this order: to Python a bool is an int."""
_ANY_RUN = RunRecord(RunPlan("", 0, 0, Configuration(1)), Verdict.FAILED, "", 0.0)
_RUN: Kinds = {
    **typing.get_type_hints(RunFigures),
    **{
        f"{of}_{name}": kind
        for of in LATENCIES
        for name, kind in typing.get_type_hints(LatencyFigures).items()
    },
    "server_processes": int,
    **typing.get_type_hints(Configuration),
    **typing.get_type_hints(Case),
    **typing.get_type_hints(RunPlan),
    **typing.get_type_hints(RunRecord),
    "findings": str,
    "parameters": str,
    "capacity_rps": float,
    "capacity_bound": str,
}
_REQUEST: Kinds = {
    "started_s": float,
    "latency_ms": float,
    "status": int,
    "response_bytes": int,
    "failed": bool,
    "client_late_ms": float,
}
_LATER = ("client_late_ms", "server_reported_cpu_s", "server_reported_at_s")
"""Columns that the files of earlier versions lack."""
_PAIRS = "client_process_cpu_s"  # no cell of a table
_SAMPLE: Kinds = {
    name: kind for name, kind in typing.get_type_hints(TelemetrySample).items() if name != _PAIRS
}
_CONFIGURATION: Kinds = {"workers": int, "model_threads": int, "processes": int}
ENDS = ("", "_low", "_high")
_INTERVALS = ("rps", "latency_mean_ms", "latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "behind_best")
_CANDIDATE: Kinds = {
    **_CONFIGURATION,
    "answer": bool,
    "state": str,
    "runs": int,
    "suspect_runs": int,
    "failed_runs": int,
    "eliminated_after": int,
    **{f"{name}{end}": float for name in _INTERVALS for end in ENDS},
    "p99_is_lower_bound": bool,
    "error_rate": float,
    "cpu_cores": float,
    "cpu_ms_per_request": float,
    "peak_rss_bytes": int,
    "voluntary_switches_per_request": float,
    "involuntary_switches_per_request": float,
    "run_delay_ms_per_request": float,
    "throttled_share": float,
    "throttled_ms_per_request": float,
    **{f"capacity_rps{end}": float for end in ENDS},
}
_TRIAL: Kinds = {
    "number": int,
    **_CONFIGURATION,
    "runs": int,
    "measured_runs": int,
    "rps": float,
    "p99_ms": float,
    "error_rate": float,
    "keeps_limits": bool,
    "on_front": bool,
    "finalist": bool,
    "stopped": str,
}


def runs_frame(records: Sequence[RunRecord]) -> pd.DataFrame:
    """One row per run, in the order they were made, columns as in `runs.csv`; no figures where it failed."""
    frame = _typed([flat(record) for record in records], {name: _RUN[name] for name in flat(_ANY_RUN)})
    moments = pd.to_datetime(frame["started_at"], utc=True, errors="coerce")
    frame["started_at"] = moments.astype("datetime64[us, UTC]")
    return frame


def candidates_frame(recommendation: Recommendation) -> pd.DataFrame:
    """One row per configuration of the blocks that decide, with limits of its means at the study's
    confidence; `behind_best` is how far it is below the best other one, as a share. With several loads, one
    row per load and configuration, and a column `load` (users, or requests per second)."""
    tuned = _tuned(one.configuration for one in recommendation.candidates)
    if recommendation.loads is None:
        rows = [_candidate(one, recommendation) for one in recommendation.candidates]
        return _typed(rows, {**_CONFIGURATION, **tuned, **_CANDIDATE})
    rows = [
        {"load": under.load, **_candidate(one, recommendation)}
        for under in recommendation.loads.under
        for one in under.candidates
    ]
    return _typed(rows, {"load": float, **_CONFIGURATION, **tuned, **_CANDIDATE})


def trials_frame(search: Search | None) -> pd.DataFrame:
    """One row per trial of a search, the host's changes taken out of its figures; empty without a search."""
    trials = search.trials if search is not None else ()
    tuned = _tuned(trial.configuration for trial in trials)
    rows = [] if search is None else [_trial(trial, search) for trial in trials]
    return _typed(rows, {"number": int, **_CONFIGURATION, **tuned, **_TRIAL})


def requests_frame(files: Path | PackedFiles, run_id: str) -> pd.DataFrame:
    """One row per request that a run started; `latency_ms` is NA where it never finished, `started_s` is on
    the run's own clock (docs/reference/files.md). Raises StoreError where that file cannot be read."""
    return _of_file(file_of(files, run_id, REQUESTS), _REQUEST)


def telemetry_frame(files: Path | PackedFiles, run_id: str) -> pd.DataFrame:
    """One row per sample of a run, columns as in `TelemetrySample` but for the client's
    single processes. Raises StoreError as requests_frame."""
    return _of_file(file_of(files, run_id, TELEMETRY), _SAMPLE)


def together(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables of several runs as one, with a column `run_id` before the others."""
    named = [
        frame.assign(run_id=pd.array([run_id] * len(frame), "string")) for run_id, frame in frames.items()
    ]
    whole = pd.concat(named, ignore_index=True)
    return whole[["run_id", *(name for name in whole.columns if name != "run_id")]]


def _candidate(candidate: Candidate, recommendation: Recommendation) -> dict[str, object]:
    row: dict[str, object] = {
        **_settings(candidate.configuration),
        "answer": candidate.configuration == recommendation.configuration,
        "peak_rss_bytes": candidate.rss_bytes,
        **_limits("rps", candidate.rps),
        **_limits("capacity_rps", candidate.capacity_rps),
        **_limits("behind_best", candidate.relative_to_best),
    }
    for name, interval in candidate.latency_ms.items():
        row.update(_limits(f"latency_{name}_ms", interval))
    return {name: getattr(candidate, name) for name in _CANDIDATE if hasattr(candidate, name)} | row


def _limits(name: str, interval: Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {}
    return {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _trial(trial: Trial, search: Search) -> dict[str, object]:
    own: dict[str, object] = {
        **_settings(trial.configuration),
        "on_front": trial.number in search.front,
        "finalist": trial.configuration in search.finalists,
    }
    return {name: getattr(trial, name) for name in _TRIAL if hasattr(trial, name)} | own


def _settings(configuration: Configuration) -> dict[str, object]:
    plain = {name: getattr(configuration, name) for name in _CONFIGURATION}
    return {**plain, **dict(configuration.parameters)}


def _tuned(configurations: Iterable[Configuration]) -> dict[str, type]:
    """The further runtime parameters of any of them: text where one value is."""
    kinds: dict[str, type] = {}
    for configuration in configurations:
        for name, value in configuration.parameters:
            kinds[name] = str if isinstance(value, str) else kinds.get(name, int)
    return dict(sorted(kinds.items()))


def _typed(rows: Sequence[Mapping[str, object]], kinds: Kinds) -> pd.DataFrame:
    """Columns as in `kinds`, in that order, whatever the rows hold of them."""
    columns = {name: [row.get(name) for row in rows] for name in kinds}
    return pd.DataFrame(columns, dtype=object).astype({name: _dtype(kind) for name, kind in kinds.items()})


def _of_file(path: Path | PackedFile, kinds: Kinds) -> pd.DataFrame:
    frame = read_table(path)
    frame = frame.assign(**{name: np.nan for name in _LATER if name in kinds and name not in frame.columns})
    lacking = [name for name in kinds if name not in frame.columns]
    if lacking:
        raise damaged(path, f"no column {lacking[0]}")
    try:
        return frame[list(kinds)].astype({name: _dtype(kind) for name, kind in kinds.items()})
    except (TypeError, ValueError) as error:
        raise damaged(path, error) from error


def _dtype(kind: Any) -> str:
    """pandas' nullable type for an annotation such as `float | None`."""
    plain = next((part for part in typing.get_args(kind) if part is not NoneType), kind)
    return next(dtype for base, dtype in _DTYPES.items() if issubclass(plain, base))


@dataclass(frozen=True, slots=True, eq=False)
class StudyData:
    """What `sweeper.load_study` returns. Every change to its tables is the caller's own; nothing is written.

    name            the study's name
    folder          where its files are; of a packed study that file
    settings        what it was started with, as in study.toml: durations as text ("10s"), p99 limits in ms
    environment     the fingerprint of machine, packages, model and data, as in environment.json
    recommendation  the answer, as `sweeper recommend` gives it (sweeper.records.answer.Recommendation)

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
    files: Path | PackedFiles = field(repr=False)
    """Of its runs: that folder, or what was packed."""

    def requests(self, run_id: str) -> pd.DataFrame:
        """Every request of one run, in order of start: `started_s` (seconds of the run's own clock, which
        stands still while others have their turn), `latency_ms` (NA: never finished), `status` (0: no
        response), `response_bytes`, `failed`.

        Raises UsageError for a run that is not of this study, StoreError where its file is missing or
        damaged.
        """
        self._check(run_id)
        return requests_frame(self.files, run_id)

    def telemetry(self, run_id: str) -> pd.DataFrame:
        """What was sampled during one run, warm-up included: `at_s` (the run's own clock) and counters of
        the server's process tree, the load generator and the host that only grow (subtract two rows), as in
        sweeper.records.observations.TelemetrySample.

        Raises UsageError and StoreError as `requests` does.
        """
        self._check(run_id)
        return telemetry_frame(self.files, run_id)

    def _check(self, run_id: str) -> None:
        known = self.runs["run_id"].tolist()
        if run_id not in known:
            some = ", ".join(known[:5]) + (", …" if len(known) > 5 else "") if known else "none yet"
            raise UsageError(f"study '{self.name}' has no run '{run_id}'; its runs are {some}")
