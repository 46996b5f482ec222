"""Raw requests and telemetry to and from Parquet, and what is drawn of them."""

from __future__ import annotations

import dataclasses
import errno
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from sweeper.errors import StoreError
from sweeper.records.observations import RequestLog, RunTrace, TelemetrySample
from sweeper.records.run import RunFigures, RunRecord, Window
from sweeper.statistics.trace import trace
from sweeper.store.packed_study import REQUESTS, TELEMETRY, PackedFile, PackedFiles

_WITHOUT_IT = "bring it back from a copy, or go without; the study's answer does not need it"


def write_requests(path: Path, log: RequestLog) -> None:
    """One row per request: start (CLOCK_MONOTONIC seconds), latency (NaN: never finished), status, bytes,
    whether it failed, and how much of the latency the load generator took (NaN: not known)."""
    pd.DataFrame(
        {
            "started_s": log.started_s,
            "latency_ms": log.latency_ms,
            "status": log.status.astype("int16"),
            "response_bytes": log.response_bytes,
            "failed": log.failed,
            "client_late_ms": log.client_late_ms,
        }
    ).to_parquet(path, index=False, write_page_checksum=True)


def write_telemetry(path: Path, samples: tuple[TelemetrySample, ...]) -> None:
    """One row per sample, columns as in `TelemetrySample`; unavailable figures are null. The client's
    processes are a list of pairs."""
    names = [field.name for field in dataclasses.fields(TelemetrySample)]
    rows = [dataclasses.asdict(sample) for sample in samples]
    pd.DataFrame(rows, columns=names).to_parquet(path, index=False, write_page_checksum=True)


def file_of(files: Path | PackedFiles, run_id: str, name: str) -> Path | PackedFile:
    """Of a run: in the folder of its study, or in what was packed."""
    return files / "runs" / run_id / name if isinstance(files, Path) else files.file(run_id, name)


def read_table(path: Path | PackedFile) -> pd.DataFrame:
    """One of these files as it is. Raises StoreError where it is missing or damaged."""
    with _errors(path), _opened(path) as file:
        frame: pd.DataFrame = file.read().to_pandas(ignore_metadata=True)
        return frame


def read_columns(path: Path, names: Sequence[str]) -> tuple[NDArray[Any], ...]:
    """Some columns of one of these files, and nothing else of it. Raises StoreError as `read_table` does."""
    with _errors(path), _opened(path) as file:
        lacking = [name for name in names if name not in file.schema_arrow.names]
        if lacking:
            raise damaged(path, f"no column {lacking[0]}")
        columns = file.read(columns=list(names))
        return tuple(columns[name].to_numpy() for name in names)


def damaged(path: Path | PackedFile, how: object) -> StoreError:
    said = str(how).splitlines() or [type(how).__name__]
    return StoreError(f"{path}{_of_run(path)} is damaged ({said[0]}): {_WITHOUT_IT}")


def _of_run(path: Path | PackedFile) -> str:
    if isinstance(path, PackedFile):
        return ""
    return f" of run {path.parent.name}" if path.parent.parent.name == "runs" else ""


def _opened(path: Path | PackedFile) -> parquet.ParquetFile:
    """With the pages' checksums verified (files of older versions have none). Only a regular file is opened:
    a pipe in its place would be waited for without end."""
    if isinstance(path, PackedFile):
        content = path.content()
        file = parquet.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        _check_bounds(file, len(content))
        return file
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    return parquet.ParquetFile(path, memory_map=True, page_checksum_verification=True)


def _check_bounds(file: parquet.ParquetFile, size_bytes: int) -> None:
    """Of a file from anybody: it must not grow without bound in memory. Whatever sweeper writes has a column
    of numbers that differ from row to row, and so takes some bytes for each. Raises ValueError."""
    values: Counter[str] = Counter()
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    for column in (group.column(number) for group in groups for number in range(group.num_columns)):
        if column.physical_type in ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"):
            raise ValueError(f"column {column.path_in_schema!a} is not of numbers")
        if column.compression not in ("SNAPPY", "UNCOMPRESSED"):
            raise ValueError(f"it is compressed by {column.compression}, and not as sweeper does")
        values[column.path_in_schema] += column.num_values
    most = max(values.values(), default=0)
    if most > size_bytes:
        raise ValueError(f"its {size_bytes} bytes would unpack to {most} rows")


@contextmanager
def _errors(path: Path | PackedFile) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise StoreError(
            f"there is no {path} (removed, or still on the host that made the run): {_WITHOUT_IT}"
        ) from None
    except StoreError:
        raise
    except Exception as error:  # a flipped bit of the footer may raise anything
        said = str(getattr(error, "strerror", None) or error).splitlines() or [type(error).__name__]
        raise StoreError(f"{path}{_of_run(path)} cannot be read ({said[0]}): {_WITHOUT_IT}") from error


def read_traces(folder: Path, records: Iterable[RunRecord]) -> tuple[dict[str, RunTrace], dict[str, str]]:
    """Of the runs that have figures, by their id; and of those whose files cannot be read, why.

    `folder` is the study's. Files that are missing are nothing unusual: they stay on the host that made them.
    """
    found: dict[str, RunTrace] = {}
    absent: dict[str, str] = {}
    measured = [(record.plan.run_id, record.figures) for record in records if record.figures is not None]

    def read(one: tuple[str, RunFigures]) -> RunTrace | StoreError:
        try:
            return _trace(folder / "runs" / one[0], *one)
        except StoreError as error:
            return error

    # Two at a time: decoding and sorting go on beside each other, and no more than two runs are in memory.
    with ThreadPoolExecutor(max_workers=2) as pool, _cancelled_on_the_way(pool):
        for (run_id, _), seen in zip(measured, pool.map(read, measured), strict=True):
            if isinstance(seen, RunTrace):
                found[run_id] = seen
            else:
                absent[run_id] = str(seen)
    return found, absent


@contextmanager
def _cancelled_on_the_way(pool: ThreadPoolExecutor) -> Iterator[None]:
    """On an interrupt, cancel the reads that have not begun."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _trace(directory: Path, run_id: str, figures: RunFigures) -> RunTrace:
    requests = directory / REQUESTS
    started_s, latency_ms, failed = read_columns(requests, ("started_s", "latency_ms", "failed"))
    window = _window(directory / TELEMETRY, figures)
    try:
        return trace(
            run_id,
            started_s.astype(float, copy=False),
            latency_ms.astype(float, copy=False),
            failed.astype(bool, copy=False),
            window,
            window.start_s - figures.warmup_s,
        )
    except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError) as error:
        raise damaged(requests, error) from error


def _window(path: Path, figures: RunFigures) -> Window:
    """It is the tail of what was sampled, from sample to sample (under_load.py)."""
    (at_s,) = read_columns(path, ("at_s",))
    if len(at_s) < 2:
        raise damaged(path, "fewer than two samples")
    try:
        at_s = at_s.astype(float, copy=False)
    except (TypeError, ValueError) as error:
        raise damaged(path, error) from error
    end_s = float(at_s[-1])
    start_s = float(at_s[np.argmin(np.abs(at_s - (end_s - figures.window_s)))])
    if not start_s < end_s:
        raise damaged(path, "it does not cover the window")
    return Window(start_s, end_s)
