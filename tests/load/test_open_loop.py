"""Real locust in the open loop: arrivals as they were drawn, latency from when they were to arrive."""

from __future__ import annotations

import heapq
import itertools
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from sweeper.load import generator as generating
from sweeper.load.generator import LocustGenerator
from tests.support.load_sessions import SEED, as_drawn, drawn_gaps, free_port, wait_for, wait_for_end
from tests.support.truth.process import truth_server

STOPPED_S = 1.0


def in_order(arrivals_s: np.ndarray, slots: int, service_s: float) -> np.ndarray:
    """When each request would finish, first come first served, in a server of so many slots."""
    free = [0.0] * slots
    finished = []
    for arrival in arrivals_s:
        finished.append(max(float(arrival), heapq.heappop(free)) + service_s)
        heapq.heappush(free, finished[-1])
    return np.array(finished)


def test_seeded_gaps_are_exponential() -> None:
    gaps = drawn_gaps(50.0, 20_000)
    assert gaps.mean() == pytest.approx(0.02, rel=0.02)
    assert gaps.std() == pytest.approx(0.02, rel=0.03)
    assert np.mean(gaps > 0.02) == pytest.approx(np.exp(-1), rel=0.03)
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 0.02


def test_a_queue_of_known_truth(data: Path, tmp_path: Path) -> None:
    """Four slots of 100 ms at 75%: no answer may come before the queue of exactly these arrivals gives it,
    and most come with it."""
    with truth_server("--workers", 4, "--service-ms", 100) as server:
        session = LocustGenerator(100, data).open_loop(30.0, SEED).start(server.base_url, tmp_path)
        wait_for(session, finished=120)
        session.drain(10.0)
        truth = server.stats()
    log = session.requests()
    assert as_drawn(log, 30.0)
    assert len(log.started_s) == truth["truth_received"] == truth["truth_answered"]
    assert not log.failed.any() and np.isfinite(log.latency_ms).all()
    assert truth["truth_max_concurrency"] == 4
    excess_s = np.sort(log.finished_s) - in_order(log.started_s, 4, 0.1)
    assert excess_s.min() > -0.002
    assert np.median(excess_s) < 0.05  # half a service time
    # Far fewer connections than requests: they are kept alive.
    assert truth["truth_connections"] < len(log.started_s) / 3


def stop_for_a_while(pid: int) -> tuple[float, float]:
    os.kill(pid, signal.SIGSTOP)
    stopped_s = time.monotonic()
    time.sleep(STOPPED_S)
    resumed_s = time.monotonic()
    os.kill(pid, signal.SIGCONT)
    return stopped_s, resumed_s


@pytest.mark.parametrize("who", ["server", "client"])
def test_a_stop_is_felt_by_everyone_who_was_to_arrive_in_it(who: str, data: Path, tmp_path: Path) -> None:
    """One closed-loop user would have felt it once, and a client that counts from when it got round to
    sending would not have felt its own stop at all."""
    with truth_server("--workers", 8, "--service-ms", 20) as server:
        session = LocustGenerator(1, data).open_loop(80.0, SEED).start(server.base_url, tmp_path)
        wait_for(session, finished=40)
        stopped_s, resumed_s = stop_for_a_while(server.process.pid if who == "server" else session.pid)
        wait_for(session, finished=session.progress().finished + 160)
        session.drain(10.0)
    log = session.requests()
    assert as_drawn(log, 80.0)
    assert np.isfinite(log.latency_ms).all() and not log.failed.any()
    caught = (log.started_s > stopped_s + 0.01) & (log.started_s < resumed_s)
    assert caught.sum() > 40
    assert (log.finished_s[caught] >= resumed_s).all()
    waited_ms = (resumed_s - log.started_s[caught]) * 1000.0
    assert (log.latency_ms[caught] >= waited_ms).all()


def test_arrivals_over_the_cap_are_logged_and_not_sent(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generating, "MOST_IN_FLIGHT", 20)
    with truth_server("--workers", 4, "--mute") as server:
        session = LocustGenerator(1, data).open_loop(100.0, SEED).start(server.base_url, tmp_path)
        wait_for(session, started=120)
        session.drain(0.3)
        truth = server.stats()
    log = session.requests()
    assert as_drawn(log, 100.0)
    assert len(log.started_s) >= 120
    assert truth["truth_received"] == 20
    assert np.isnan(log.latency_ms).all()  # never finished, all of them


def test_places_that_become_free_are_used_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generating, "MOST_IN_FLIGHT", 2)
    with truth_server("--workers", 4, "--service-ms", 50) as server:
        session = LocustGenerator(1, data).open_loop(100.0, SEED).start(server.base_url, tmp_path)
        wait_for(session, started=200)
        session.drain(5.0)
        truth = server.stats()
    log = session.requests()
    finished = np.isfinite(log.latency_ms)
    assert truth["truth_max_concurrency"] <= 2
    assert 2 < finished.sum() == truth["truth_answered"] < len(finished)
    ends = log.finished_s[finished]
    for start in log.started_s[finished]:
        assert ((log.started_s[finished] < start) & (ends > start + 0.04)).sum() <= 2


@pytest.mark.parametrize(("option", "status"), [("--fail-share", 500), ("--drop-share", 0)])
def test_failures_are_counted_as_such(option: str, status: int, data: Path, tmp_path: Path) -> None:
    with truth_server("--workers", 4, "--service-ms", 5, option, 0.4) as server:
        session = LocustGenerator(1, data).open_loop(100.0, SEED).start(server.base_url, tmp_path)
        wait_for(session, finished=100)
        session.drain(10.0)
        truth = server.stats()
    log = session.requests()
    assert as_drawn(log, 100.0)
    assert 0 < log.failed.sum() == truth["truth_failed_fast"] + truth["truth_dropped"] < len(log.failed)
    assert set(log.status[log.failed]) == {status}
    assert np.isfinite(log.latency_ms).all()


def test_a_dead_server_gives_failures_only(data: Path, tmp_path: Path) -> None:
    session = (
        LocustGenerator(1, data).open_loop(50.0, SEED).start(f"http://127.0.0.1:{free_port()}", tmp_path)
    )
    wait_for(session, finished=20)
    session.drain(10.0)
    log = session.requests()
    assert as_drawn(log, 50.0)
    assert log.failed.all() and not log.status.any()


def test_it_ends_after_its_longest_duration(data: Path, tmp_path: Path) -> None:
    with truth_server("--workers", 4, "--mute") as server:
        generator = LocustGenerator(1, data, max_duration_s=4.0).open_loop(20.0, SEED)
        session = generator.start(server.base_url, tmp_path)
        wait_for_end(session)
    session.kill()


def test_the_same_seed_gives_the_same_arrivals_and_another_one_others(data: Path, tmp_path: Path) -> None:
    logs = []
    with truth_server("--workers", 8, "--service-ms", 1) as server:
        for number, seed in enumerate((1, 1, 2)):
            session = (
                LocustGenerator(1, data).open_loop(100.0, seed).start(server.base_url, tmp_path / str(number))
            )
            wait_for(session, finished=60)
            session.drain(5.0)
            logs.append(session.requests())
    gaps = [np.diff(log.started_s)[:50] for log in logs]
    assert gaps[0] == pytest.approx(gaps[1], abs=1e-6)
    assert all(gap != pytest.approx(gaps[2], abs=1e-6) for gap in gaps[:2])
    assert all(as_drawn(log, 100.0, seed) for log, seed in itertools.zip_longest(logs, (1, 1, 2)))
