"""Reads the raw logs of all processes of one load as one log.

All processes of a machine have the same CLOCK_MONOTONIC, so that nothing needs to be converted. Requests and
users are numbered within each process; in a RequestLog neither has a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sweeper.interfaces import LoadProgress
from sweeper.load.request_log import RequestLogFollower, read_request_log
from sweeper.observations import RequestLog, UserEvents


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
    lag_at_s = np.concatenate([log.lag_at_s for log in logs])
    process = np.concatenate([np.full(len(log.lag_at_s), number) for number, log in enumerate(logs)])
    order, lag_order = np.argsort(started_s, kind="stable"), np.argsort(lag_at_s, kind="stable")
    return RequestLog(
        started_s=started_s[order],
        latency_ms=np.concatenate([log.latency_ms for log in logs])[order],
        status=np.concatenate([log.status for log in logs])[order],
        response_bytes=np.concatenate([log.response_bytes for log in logs])[order],
        failed=np.concatenate([log.failed for log in logs])[order],
        lag_at_s=lag_at_s[lag_order],
        lag_s=np.concatenate([log.lag_s for log in logs])[lag_order],
        torn_records=sum(log.torn_records for log in logs),
        overtaken=sum(log.overtaken for log in logs),
        events=UserEvents(
            crashes=sum(log.events.crashes for log in logs),
            ended=sum(log.events.ended for log in logs),
            elsewhere=sum(log.events.elsewhere for log in logs),
        ),
        lag_process=process[lag_order],
    )
