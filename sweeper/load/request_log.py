"""Reads the raw log that raw_log.py writes: a header, then records of 20 bytes, little-endian.

header  12s magic, u4 version, u4 size of a record
record  u1 kind, u1 failed, u2 status, u4 count, u4 request, f8 value (see the kinds below)

The log is only ever appended to, so whatever was cut off at its end (a writer killed, a disk full)
leaves a readable prefix: whole records, and at most one torn one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeper.errors import LoadError
from sweeper.interfaces import LoadProgress
from sweeper.observations import RequestLog, UserEvents

HEADER = b"sweeper-load" + (1).to_bytes(4, "little") + (20).to_bytes(4, "little")
RECORD = np.dtype(
    [
        ("kind", "u1"),
        ("failed", "u1"),
        ("status", "<u2"),
        ("count", "<u4"),
        ("request", "<u4"),
        ("value", "<f8"),
    ]
)
START = 0  # status: 1 where it goes to another server; count: the user's number; value: the moment
FINISH = 1  # failed, status; count: bytes of the response; value: latency in ms
VERDICT = 2  # failed, the opposite of what FINISH said
LAG = 3  # count: microseconds; value: the moment
SPAWNED = 4  # count: users; value: the moment
CRASH = 5  # value: the moment
ENDED = 6  # value: the moment
KINDS = 7

LAG_PERIOD_S = 0.05
"""How often the client's event loop is asked to be on time."""

Records = NDArray[Any]


def read_request_log(path: Path) -> RequestLog:
    """All requests in `path`, in order of start. LoadError when it is missing or not such a log.

    A torn last record is counted, not read. Ten million requests take a few seconds.
    """
    data = _read(path, 0)
    records = _records(data, path, len(HEADER))
    torn = len(data) > 0 and (len(data) < len(HEADER) or (len(data) - len(HEADER)) % RECORD.itemsize > 0)
    started_s = records["value"][records["kind"] == START]
    finishes = records[records["kind"] == FINISH]
    verdicts = records[records["kind"] == VERDICT]
    lags = records[records["kind"] == LAG]
    request = finishes["request"].astype(np.int64)
    _check(records, started_s, finishes, verdicts, path)

    latency_ms = np.full(len(started_s), np.nan)
    status = np.zeros(len(started_s), dtype=np.int64)
    response_bytes = np.zeros(len(started_s), dtype=np.int64)
    failed = np.zeros(len(started_s), dtype=np.bool_)
    latency_ms[request] = finishes["value"]
    status[request] = finishes["status"]
    response_bytes[request] = finishes["count"]
    failed[request] = finishes["failed"] != 0
    failed[verdicts["request"]] = verdicts["failed"] != 0
    return RequestLog(
        started_s=started_s,
        latency_ms=latency_ms,
        status=status,
        response_bytes=response_bytes,
        failed=failed,
        lag_at_s=lags["value"].copy(),
        lag_s=lags["count"] / 1e6,
        torn_records=int(torn),
        overtaken=_overtaken(records["count"][records["kind"] == START], latency_ms),
        events=UserEvents(
            crashes=int((records["kind"] == CRASH).sum()),
            ended=int((records["kind"] == ENDED).sum()),
            elsewhere=int(((records["kind"] == START) & (records["status"] != 0)).sum()),
        ),
    )


class RequestLogFollower:
    """Counts what a running locust appends; each record is read once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._counts = np.zeros(KINDS, dtype=np.int64)
        self._failed = 0

    @property
    def spawned(self) -> bool:
        """Whether all users run, as far as was read."""
        return bool(self._counts[SPAWNED])

    def read(self) -> LoadProgress:
        """What the log says by now; nothing where there is none yet. LoadError as read_request_log."""
        if self._path.exists():
            data = _read(self._path, self._offset)
            skip = 0 if self._offset else len(HEADER)
            records = _records(data, self._path, skip)
            if len(data) >= skip:
                self._offset += skip + records.nbytes
            kind, failed = records["kind"], records["failed"] != 0
            self._counts += np.bincount(kind, minlength=KINDS)
            self._failed += int(failed.sum() - ((kind == VERDICT) & ~failed).sum())
        started, finished, ended = (int(self._counts[kind]) for kind in (START, FINISH, ENDED))
        return LoadProgress(started, finished, self._failed, ended)


def _overtaken(users: Records, latency_ms: Records) -> int:
    """How many requests have no end although their user started another one later."""
    last = np.zeros(int(users.max(initial=0)) + 1, dtype=np.int64)
    last[users] = np.arange(len(users))  # of several, the last one stays
    return int((np.isnan(latency_ms) & (np.arange(len(users)) < last[users])).sum())


def _read(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read()
    except OSError as error:
        raise LoadError(f"the log of requests {path} cannot be read: {error.strerror}") from error


def _records(data: bytes, path: Path, skip: int) -> Records:
    """The whole records of `data` behind the header of `skip` bytes."""
    if data[:skip] != HEADER[: min(skip, len(data))]:
        raise LoadError(
            f"{path} is not a log of requests of this version of sweeper: something else wrote there"
        )
    whole = max(0, len(data) - skip) // RECORD.itemsize
    records = np.frombuffer(data, RECORD, whole, skip) if whole else np.empty(0, RECORD)
    if (records["kind"] >= KINDS).any():
        raise LoadError(f"the log of requests {path} is damaged (a record of unknown kind): check the disk")
    return records


def _check(records: Records, started_s: Records, finishes: Records, verdicts: Records, path: Path) -> None:
    """Every request starts once, in order, and finishes at most once; every moment is a number."""
    numbers = records["request"][records["kind"] == START]
    finished = np.bincount(finishes["request"], minlength=len(numbers))
    sound = (
        np.array_equal(numbers, np.arange(len(numbers)))
        and len(finished) == len(numbers)
        and (finished <= 1).all()
        and (finished[verdicts["request"][verdicts["request"] < len(finished)]] == 1).all()
        and (verdicts["request"] < len(finished)).all()
        and np.isfinite(records["value"]).all()
        and (np.diff(started_s) >= 0).all()
    )
    if not sound:
        raise LoadError(
            f"the log of requests {path} is damaged (its records contradict each other): check the disk"
        )
