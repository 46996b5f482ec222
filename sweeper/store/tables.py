"""Raw requests and telemetry to and from Parquet."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray
from pyarrow import ArrowException, parquet

from sweeper.errors import StoreError
from sweeper.observations import RequestLog, TelemetrySample

_WITHOUT_IT = "bring it back from a copy, or go without; the study's answer does not need it"


def write_requests(path: Path, log: RequestLog) -> None:
    """One row per request: start (CLOCK_MONOTONIC seconds), latency (NaN: never finished), status, bytes."""
    pd.DataFrame(
        {
            "started_s": log.started_s,
            "latency_ms": log.latency_ms,
            "status": log.status.astype("int16"),
            "response_bytes": log.response_bytes,
            "failed": log.failed,
        }
    ).to_parquet(path, index=False)


def write_lags(path: Path, log: RequestLog) -> None:
    """One row per look at the load generator's event loop: when, how late, and of several processes whose."""
    frame = pd.DataFrame({"at_s": log.lag_at_s, "lag_s": log.lag_s})
    if log.lag_process is not None:
        frame["process"] = log.lag_process
    frame.to_parquet(path, index=False)


def read_requests(requests: Path, lags: Path) -> RequestLog:
    frame, late = pd.read_parquet(requests), pd.read_parquet(lags)
    return RequestLog(
        started_s=frame["started_s"].to_numpy(float),
        latency_ms=frame["latency_ms"].to_numpy(float),
        status=frame["status"].to_numpy("int64"),
        response_bytes=frame["response_bytes"].to_numpy("int64"),
        failed=frame["failed"].to_numpy(bool),
        lag_at_s=late["at_s"].to_numpy(float),
        lag_s=late["lag_s"].to_numpy(float),
        lag_process=late["process"].to_numpy("int64") if "process" in late else None,
    )


def write_telemetry(path: Path, samples: tuple[TelemetrySample, ...]) -> None:
    """One row per sample, columns as in `TelemetrySample`; unavailable figures are null. The client's
    processes are a list of pairs."""
    names = [field.name for field in dataclasses.fields(TelemetrySample)]
    rows = [dataclasses.asdict(sample) for sample in samples]
    pd.DataFrame(rows, columns=names).to_parquet(path, index=False)


def read_table(path: Path) -> pd.DataFrame:
    """One of these files as it is. Raises StoreError where it is missing or damaged."""
    with _errors(path):
        return pd.read_parquet(path)


def read_columns(path: Path, names: Sequence[str]) -> tuple[NDArray[Any], ...]:
    """Some columns of one of these files, and nothing else of it. Raises StoreError as `read_table` does."""
    with _errors(path), parquet.ParquetFile(path, memory_map=True) as file:
        lacking = [name for name in names if name not in file.schema_arrow.names]
        if lacking:
            raise damaged(path, f"no column {lacking[0]}")
        columns = file.read(columns=list(names))
        return tuple(columns[name].to_numpy() for name in names)


def damaged(path: Path, how: object) -> StoreError:
    return StoreError(f"{path} is damaged ({how}): {_WITHOUT_IT}")


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise StoreError(
            f"there is no {path} (removed, or still on the host that made the run): {_WITHOUT_IT}"
        ) from None
    except (OSError, ArrowException) as error:
        raise StoreError(f"{path} cannot be read ({str(error).splitlines()[0]}): {_WITHOUT_IT}") from error
