"""The raw log: whatever was written is read back, however it was interleaved or cut off."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweeper.errors import LoadError
from sweeper.load.request_log import (
    RECORD,
    RequestLogFollower,
    RequestLogsFollower,
    read_request_log,
    read_request_logs,
)
from sweeper.locust_side.wire import CRASH, ENDED, FINISH, HEADER, LATE, SPAWNED, START, VERDICT
from sweeper.records.observations import UserEvents

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Row = tuple[int, int, int, int, int, float]


@dataclass
class Expected:
    """A log written record by record, and what a reader must make of it, kept the slow way."""

    rows: list[Row] = field(default_factory=list)

    def requests(self) -> list[list[float]]:
        """One [started_s, latency_ms, status, bytes, failed] per request."""
        requests: list[list[float]] = []
        for kind, failed, status, count, request, value in self.rows:
            if kind == START:
                requests.append([value, math.nan, 0, 0, 0])
            elif kind == FINISH:
                requests[request][1:] = [value, status, count, failed]
            elif kind == VERDICT:
                requests[request][4] = failed
        return requests

    def data(self) -> bytes:
        return HEADER + np.array(self.rows, RECORD).tobytes()


@st.composite
def logs(draw: st.DrawFn) -> Expected:
    """Any interleaving of starts, completions, verdicts, lags, the spawned mark and what users do."""
    log = Expected()
    now, started, under_way, finished = 1000.0, 0, [], {}
    for step in draw(st.lists(st.sampled_from("SSSFFFVLMCE"), max_size=60)):
        now += draw(st.floats(0, 2))
        if step == "S":
            elsewhere, user = draw(st.integers(0, 1)), draw(st.integers(0, 99))
            log.rows.append((START, 0, elsewhere, user, started, now))
            under_way.append(started)
            started += 1
        elif step == "F" and under_way:
            request = under_way.pop(draw(st.integers(0, len(under_way) - 1)))
            finished[request] = draw(st.integers(0, 1))
            status, size = draw(st.sampled_from([0, 200, 422, 503])), draw(st.integers(0, 2**32 - 1))
            log.rows.append((FINISH, finished[request], status, size, request, draw(st.floats(0, 1e6))))
        elif step == "V" and finished:
            request = draw(st.sampled_from(sorted(finished)))
            finished[request] = 1 - finished[request]
            log.rows.append((VERDICT, finished[request], 0, 0, request, 0.0))
        elif step == "L" and finished:
            request = draw(st.sampled_from(sorted(finished)))
            log.rows.append((LATE, 0, 0, draw(st.integers(0, 10**7)), request, 0.0))
        elif step == "M":
            log.rows.append((SPAWNED, 0, 0, 100, 0, now))
        elif step in "CE":
            log.rows.append((CRASH if step == "C" else ENDED, 0, 0, 0, 0, now))
    return log


def check(path: Path, expected: Expected, torn: int) -> None:
    read = read_request_log(path)
    rows = np.array(expected.requests(), dtype=float).reshape(-1, 5)
    np.testing.assert_array_equal(read.started_s, rows[:, 0])
    np.testing.assert_array_equal(read.latency_ms, rows[:, 1])
    np.testing.assert_array_equal(read.status, rows[:, 2])
    np.testing.assert_array_equal(read.response_bytes, rows[:, 3])
    np.testing.assert_array_equal(read.failed, rows[:, 4] != 0)
    late_ms = {row[4]: row[3] / 1000 for row in expected.rows if row[0] == LATE}
    np.testing.assert_array_equal(read.client_late_ms, [late_ms.get(n, np.nan) for n in range(len(rows))])
    assert read.events == UserEvents(
        crashes=sum(row[0] == CRASH for row in expected.rows),
        ended=sum(row[0] == ENDED for row in expected.rows),
        elsewhere=sum(row[0] == START and row[2] == 1 for row in expected.rows),
    )
    assert read.torn_records == torn
    assert [array.dtype.kind for array in (read.started_s, read.status, read.failed)] == ["f", "i", "b"]


@quick
@given(log=logs())
def test_any_interleaving_is_read_back(log: Expected, tmp_path: Path) -> None:
    path = tmp_path / "requests.raw"
    path.write_bytes(log.data())
    check(path, log, torn=0)


@quick
@given(log=logs(), cut=st.integers(0, 10**6))
def test_any_truncation_leaves_a_prefix(log: Expected, cut: int, tmp_path: Path) -> None:
    data = log.data()
    cut %= len(data) + 1
    path = tmp_path / "requests.raw"
    path.write_bytes(data[:cut])
    whole, torn = divmod(max(0, cut - len(HEADER)), RECORD.itemsize)
    half_a_header = 0 < cut < len(HEADER)
    check(path, Expected(log.rows[:whole]), torn=int(torn > 0 or half_a_header))


@quick
@given(log=logs(), cuts=st.lists(st.integers(0, 10**6), max_size=8))
def test_following_a_growing_log_counts_the_same_as_reading_it(
    log: Expected, cuts: list[int], tmp_path: Path
) -> None:
    data = log.data()
    path = tmp_path / "requests.raw"
    path.unlink(missing_ok=True)
    follower = RequestLogFollower(path)
    assert follower.read().started == 0
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        path.write_bytes(data[:cut])
        progress = follower.read()
        whole = max(0, cut - len(HEADER)) // RECORD.itemsize
        requests = Expected(log.rows[:whole]).requests()
        assert progress.started == len(requests)
        assert progress.finished == sum(not math.isnan(request[1]) for request in requests)
        assert progress.failed == sum(request[4] for request in requests)
        assert progress.ended == sum(row[0] == ENDED for row in log.rows[:whole])
    assert follower.spawned == any(row[0] == SPAWNED for row in log.rows)


GOOD: list[Row] = [(START, 0, 0, 0, 0, 10.0), (FINISH, 0, 200, 5, 0, 3.0), (START, 0, 0, 0, 1, 11.0)]
DAMAGED: dict[str, list[Row]] = {
    "unknown kind": [*GOOD, (9, 0, 0, 0, 0, 0.0)],
    "a number is missing": [*GOOD, (START, 0, 0, 0, 3, 12.0)],
    "a number comes twice": [*GOOD, (START, 0, 0, 0, 1, 12.0)],
    "finished twice": [*GOOD, (FINISH, 0, 200, 5, 0, 3.0)],
    "finished, never started": [*GOOD, (FINISH, 0, 200, 5, 7, 3.0)],
    "nothing started": [(FINISH, 0, 200, 5, 0, 3.0)],
    "a verdict on what never finished": [*GOOD, (VERDICT, 1, 0, 0, 1, 0.0)],
    "a verdict on what never started": [*GOOD, (VERDICT, 1, 0, 0, 7, 0.0)],
    "the clock went back": [*GOOD, (START, 0, 0, 0, 2, 10.5)],
    "a latency that is no number": [*GOOD, (FINISH, 0, 200, 5, 1, math.nan)],
}


@pytest.mark.parametrize("rows", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_log_is_refused(rows: list[Row], tmp_path: Path) -> None:
    path = tmp_path / "requests.raw"
    path.write_bytes(Expected(GOOD).data())
    assert len(read_request_log(path).started_s) == 2
    path.write_bytes(Expected(rows).data())
    with pytest.raises(LoadError, match=r"requests\.raw is damaged"):
        read_request_log(path)


def test_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "requests.raw"
    with pytest.raises(LoadError, match="cannot be read: No such file"):
        read_request_log(path)
    for data in (b"started,finished\n1,2\n", HEADER[:12] + b"\x09" + HEADER[13:], b"x"):
        path.write_bytes(data)
        with pytest.raises(LoadError, match="is not a log of requests"):
            read_request_log(path)
        with pytest.raises(LoadError, match="is not a log of requests"):
            RequestLogFollower(path).read()


@quick
@given(parts=st.lists(logs(), min_size=2, max_size=4), cut=st.integers(0, 10**6))
def test_the_logs_of_several_processes_are_one(parts: list[Expected], cut: int, tmp_path: Path) -> None:
    paths = [tmp_path / f"requests-{number}.raw" for number in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        path.write_bytes(part.data())
    paths[0].write_bytes(parts[0].data()[: cut % len(parts[0].data()) + 1])
    whole = [read_request_log(path) for path in paths]
    log, progress = read_request_logs(paths), RequestLogsFollower(paths).read()
    rows = sorted(row for one in whole for row in zip(one.started_s, map(str, one.latency_ms), strict=True))
    assert sorted(zip(log.started_s, map(str, log.latency_ms), strict=True)) == rows
    assert (np.diff(log.started_s) >= 0).all()
    assert (progress.started, progress.failed) == (len(log.started_s), log.failed.sum())
    assert progress.finished == np.isfinite(log.latency_ms).sum()
    assert log.torn_records == whole[0].torn_records
    assert log.overtaken == sum(one.overtaken for one in whole)
    late_ms = np.concatenate([one.client_late_ms for one in whole])
    np.testing.assert_array_equal(np.sort(log.client_late_ms), np.sort(late_ms))


def test_all_users_run_when_those_of_every_process_do(tmp_path: Path) -> None:
    paths = [tmp_path / "requests-0.raw", tmp_path / "requests-1.raw"]
    follower = RequestLogsFollower(paths)
    for path in paths:
        follower.read()
        assert not follower.spawned
        path.write_bytes(Expected([(SPAWNED, 0, 0, 5, 0, 1.0)]).data())
    follower.read()
    assert follower.spawned
