"""Reads the raw log that locust's side writes (locust_side/wire.py says what is in it)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeper.errors import LoadError
from sweeper.locust_side.wire import (
    CRASH,
    ENDED,
    FIELDS,
    FINISH,
    HEADER,
    KINDS,
    LATE,
    SPAWNED,
    START,
    TOO_LONG,
    VERDICT,
)
from sweeper.records.observations import RequestLog, UserEvents
from sweeper.run.interfaces import LoadProgress

RECORD = np.dtype(FIELDS).newbyteorder("<")
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
    late = records[records["kind"] == LATE]
    too_long = records["count"][records["kind"] == TOO_LONG]
    request = finishes["request"].astype(np.int64)
    _check(records, started_s, finishes, verdicts, path)

    latency_ms = np.full(len(started_s), np.nan)
    status = np.zeros(len(started_s), dtype=np.int64)
    response_bytes = np.zeros(len(started_s), dtype=np.int64)
    failed = np.zeros(len(started_s), dtype=np.bool_)
    client_late_ms = np.full(len(started_s), np.nan)
    latency_ms[request] = finishes["value"]
    status[request] = finishes["status"]
    response_bytes[request] = finishes["count"]
    failed[request] = finishes["failed"] != 0
    failed[verdicts["request"]] = verdicts["failed"] != 0
    client_late_ms[late["request"]] = late["count"] / 1000.0
    return RequestLog(
        started_s=started_s,
        latency_ms=latency_ms,
        status=status,
        response_bytes=response_bytes,
        failed=failed,
        client_late_ms=client_late_ms,
        torn_records=int(torn),
        too_long=len(too_long),
        given_up_after_bytes=int(too_long.min()) if len(too_long) else None,
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


def read_request_logs(paths: Sequence[Path]) -> RequestLog:
    """All requests of all of `paths`, in order of start. LoadError as read_request_log."""
    logs = [read_request_log(path) for path in paths]
    return logs[0] if len(logs) == 1 else _merged(logs)


class RequestLogsFollower:
    """Counts what running processes append, each to a log of its own; each record is read once."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._followers = tuple(RequestLogFollower(path) for path in paths)

    @property
    def spawned(self) -> bool:
        """Whether the users of all processes run, as far as was read."""
        return all(follower.spawned for follower in self._followers)

    def read(self) -> LoadProgress:
        """The sums over what the logs say by now. LoadError as read_request_log."""
        parts = [follower.read() for follower in self._followers]
        return LoadProgress(
            started=sum(part.started for part in parts),
            finished=sum(part.finished for part in parts),
            failed=sum(part.failed for part in parts),
            ended=sum(part.ended for part in parts),
        )


def _merged(logs: Sequence[RequestLog]) -> RequestLog:
    started_s = np.concatenate([log.started_s for log in logs])
    order = np.argsort(started_s, kind="stable")
    return RequestLog(
        started_s=started_s[order],
        latency_ms=np.concatenate([log.latency_ms for log in logs])[order],
        status=np.concatenate([log.status for log in logs])[order],
        response_bytes=np.concatenate([log.response_bytes for log in logs])[order],
        failed=np.concatenate([log.failed for log in logs])[order],
        client_late_ms=np.concatenate([log.client_late_ms for log in logs])[order],
        torn_records=sum(log.torn_records for log in logs),
        too_long=sum(log.too_long for log in logs),
        given_up_after_bytes=min(
            (log.given_up_after_bytes for log in logs if log.given_up_after_bytes is not None), default=None
        ),
        overtaken=sum(log.overtaken for log in logs),
        events=UserEvents(
            crashes=sum(log.events.crashes for log in logs),
            ended=sum(log.events.ended for log in logs),
            elsewhere=sum(log.events.elsewhere for log in logs),
        ),
    )
