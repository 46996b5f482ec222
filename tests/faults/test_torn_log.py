"""A log of requests that lost something is never read as whole: it fails the run, and says so."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sweeper.checks.accounting import accounting, damaged_log
from sweeper.checks.thresholds import RunContext
from sweeper.errors import LoadError
from sweeper.load.request_log import RECORD, read_request_log
from sweeper.locust_side.wire import FINISH, HEADER, LATE, SPAWNED, START
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding

USERS, REQUESTS = 10, 400


def records() -> np.ndarray:
    """A closed loop of 10 users, every request finished, with a LATE now and then."""
    chance = np.random.default_rng(5)
    rows: list[tuple[int, int, int, int, int, float]] = [(SPAWNED, 0, 0, USERS, 0, 0.0)]
    due = [(float(chance.random()), START, user, 0) for user in range(USERS)]
    heapq.heapify(due)
    begun: dict[int, float] = {}
    while due:
        at_s, kind, user, request = heapq.heappop(due)
        if kind == START:
            if len(begun) == REQUESTS:
                continue
            request = len(begun)
            begun[request] = at_s
            rows.append((START, 0, 0, user, request, at_s))
            heapq.heappush(due, (at_s + 0.1 + float(chance.random()), FINISH, user, request))
        else:
            rows.append((FINISH, 0, 200, 2000, request, 1000.0 * (at_s - begun[request])))
            heapq.heappush(due, (at_s + float(chance.random()), START, user, 0))
            if len(rows) % 7 == 0:
                rows.append((LATE, 0, 0, 100, request, 0.0))
    return np.array(rows, RECORD)


WHOLE = records()


def judged(path: Path, data: bytes) -> tuple[Finding | LoadError | None, int]:
    """What becomes of a run whose raw log is `data`, and how many requests it has as censored."""
    path.write_bytes(data)
    context = RunContext(Configuration(4), USERS, 0.5, 0.01, True, 2, responses_counted_by_server=REQUESTS)
    try:
        log = read_request_log(path)
    except LoadError as error:
        return error, 0
    return damaged_log(log, context) or accounting(log, context), int(np.isnan(log.latency_ms).sum())


def test_a_whole_log_is_sound(tmp_path: Path) -> None:
    assert judged(tmp_path / "raw", HEADER + WHOLE.tobytes()) == (None, 0)


@pytest.mark.parametrize(
    "cut",
    [
        lambda data: data[:-1],
        lambda data: data[:-19],
        lambda data: data[: len(data) // 2],
        lambda data: data[: len(data) // 2] + data[len(data) // 2 + 7 :],
        lambda data: data[:4000] + bytes(2000) + data[6000:],
        lambda data: data[:4000] + b"\xff" * 20 + data[4020:],
        lambda data: data[:4000] + data[8000:],
        lambda data: data + data[-2000:],
    ],
    ids=["a byte", "most of a record", "half", "a hole", "zeros", "ones", "whole records", "repeated"],
)
def test_a_torn_log_fails_the_run(tmp_path: Path, cut: Callable[[bytes], bytes]) -> None:
    finding, _ = judged(tmp_path / "raw", HEADER + cut(WHOLE.tobytes()))
    assert isinstance(finding, LoadError) or (finding is not None and finding.code == "accounting")


def test_no_record_can_be_lost_unnoticed(tmp_path: Path) -> None:
    """Every single record but what the client took and each user's last finish, which reads as a request that
    never ended: it stays in the count as censored, so that p99 is printed as a lower bound."""
    last_of_users = set()
    users: dict[int, int] = {}
    for row in WHOLE[WHOLE["kind"] == START]:
        users[int(row["count"])] = int(row["request"])
    last_of_users = set(users.values())
    for index, row in enumerate(WHOLE):
        if row["kind"] in (LATE, SPAWNED):
            continue
        finding, censored = judged(tmp_path / "raw", HEADER + np.delete(WHOLE, index).tobytes())
        if row["kind"] == FINISH and int(row["request"]) in last_of_users:
            assert (finding, censored) == (None, 1)
        else:
            assert finding is not None, (index, row)


def test_users_who_send_several_requests_at_once_lose_nothing(tmp_path: Path) -> None:
    """With a locustfile of one's own a later request may end before an earlier one is given up."""
    path = tmp_path / "raw"
    finish = int(np.flatnonzero(WHOLE["kind"] == FINISH)[50])
    path.write_bytes(HEADER + np.delete(WHOLE, finish).tobytes())
    log = read_request_log(path)
    assert log.overtaken == 1
    theirs = RunContext(Configuration(4), USERS, None, 0.01, True, 2, None)
    assert damaged_log(log, theirs) is None
