"""What a study recorded, as pandas tables: runs, candidates, trials, requests, telemetry.

Columns are named as in the records, with their units. Types allow for what is unavailable: Int64, Float64,
boolean and string, with NA where this machine gave no figure, and moments in UTC.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any

import pandas as pd

from sweeper.answers import Candidate, Interval, Recommendation, Search, Trial
from sweeper.observations import TelemetrySample
from sweeper.records import (
    Case,
    Configuration,
    LatencyFigures,
    RunFigures,
    RunPlan,
    RunRecord,
    Verdict,
)
from sweeper.store.codec import flat
from sweeper.store.tables import damaged, read_table

Kinds = Mapping[str, Any]

_DTYPES: Mapping[type, str] = {bool: "boolean", int: "Int64", float: "Float64", str: "string"}
"""In this order: to Python a bool is an int."""
_ANY_RUN = RunRecord(RunPlan("", 0, 0, Configuration(1)), Verdict.FAILED, "", 0.0)
_RUN: Kinds = {
    **typing.get_type_hints(RunFigures),
    **{f"latency_{name}": kind for name, kind in typing.get_type_hints(LatencyFigures).items()},
    "server_processes": int,
    **typing.get_type_hints(Configuration),
    **typing.get_type_hints(Case),
    **typing.get_type_hints(RunPlan),
    **typing.get_type_hints(RunRecord),
    "findings": str,
    "parameters": str,
}
_REQUEST: Kinds = {
    "started_s": float,
    "latency_ms": float,
    "status": int,
    "response_bytes": int,
    "failed": bool,
}
_PAIRS = "client_process_cpu_s"  # no cell of a table
_SAMPLE: Kinds = {
    name: kind for name, kind in typing.get_type_hints(TelemetrySample).items() if name != _PAIRS
}
_CONFIGURATION: Kinds = {"workers": int, "model_threads": int, "processes": int}
_INTERVALS = ("rps", "latency_mean_ms", "latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "behind_best")
_CANDIDATE: Kinds = {
    **_CONFIGURATION,
    "answer": bool,
    "state": str,
    "runs": int,
    "suspect_runs": int,
    "failed_runs": int,
    "eliminated_after": int,
    **{f"{name}{end}": float for name in _INTERVALS for end in ("", "_low", "_high")},
    "p99_is_lower_bound": bool,
    "error_rate": float,
    "cpu_cores": float,
    "cpu_ms_per_request": float,
    "peak_rss_bytes": int,
    "voluntary_switches_per_request": float,
    "involuntary_switches_per_request": float,
    "run_delay_ms_per_request": float,
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
    confidence; `behind_best` is how far it is below the best other one, as a share."""
    tuned = _tuned(one.configuration for one in recommendation.candidates)
    rows = [_candidate(one, recommendation) for one in recommendation.candidates]
    return _typed(rows, {**_CONFIGURATION, **tuned, **_CANDIDATE})


def trials_frame(search: Search | None) -> pd.DataFrame:
    """One row per trial of a search, the host's changes taken out of its figures; empty without a search."""
    trials = search.trials if search is not None else ()
    tuned = _tuned(trial.configuration for trial in trials)
    rows = [] if search is None else [_trial(trial, search) for trial in trials]
    return _typed(rows, {"number": int, **_CONFIGURATION, **tuned, **_TRIAL})


def requests_frame(folder: Path, run_id: str) -> pd.DataFrame:
    """One row per request that a run started; `latency_ms` is NA where it never finished, `started_s` is on
    the run's own clock (studies/README.md). Raises StoreError where that file cannot be read."""
    return _of_file(folder / "runs" / run_id / "requests.parquet", _REQUEST)


def telemetry_frame(folder: Path, run_id: str) -> pd.DataFrame:
    """One row per sample of a run, columns as in `TelemetrySample` but for the client's
    single processes. Raises StoreError as requests_frame."""
    return _of_file(folder / "runs" / run_id / "telemetry.parquet", _SAMPLE)


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


def _of_file(path: Path, kinds: Kinds) -> pd.DataFrame:
    frame = read_table(path)
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
