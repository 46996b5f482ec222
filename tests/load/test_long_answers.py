"""Real locust against answers without an end: it gives them up, and its memory stays bounded."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from sweeper.errors import LoadError
from sweeper.load.generator import LocustGenerator
from sweeper.load.session import LocustSession
from tests.support.load_sessions import wait_for, wait_for_end
from tests.support.truth.process import truth_server

STREAMS = ("--workers", 4, "--stream", "fast")
LIMIT = 1 << 20
KINDS = ["closed", "open", "processes", "FastHttpUser", "HttpUser"]
OWN = """
from locust import {kind}, constant, task

class Own({kind}):
    wait_time = constant(0.1)

    @task
    def predict(self):
        with self.client.post("/predict/", data=b"a,b\\n1,2\\n", catch_response=True) as response:
            response.content
"""


def load(kind: str, data: Path, folder: Path, **options: int) -> LocustGenerator:
    if kind in ("FastHttpUser", "HttpUser"):
        path = folder / "own.py"
        path.write_text(OWN.format(kind=kind))
        return LocustGenerator(4, locustfile=path, **options)
    if kind == "open":
        return LocustGenerator(4, data, **options).open_loop(20.0, seed=1)
    return LocustGenerator(4, data, processes=2 if kind == "processes" else 1, **options)


def memory_bytes(session: LocustSession) -> int:
    master = psutil.Process(session.pid)
    return max(process.memory_info().rss for process in (master, *master.children(recursive=True)))


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_without_an_end_is_a_failure(kind: str, data: Path, tmp_path: Path) -> None:
    with truth_server(*STREAMS) as server:
        session = load(kind, data, tmp_path, max_answer_bytes=LIMIT).start(server.base_url, tmp_path / "run")
        wait_for(session, finished=20)
        memory = memory_bytes(session)
        session.drain(10.0)
        log = session.requests()
    finished = np.isfinite(log.latency_ms)
    assert log.failed[finished].all()
    assert log.too_long == finished.sum() >= 20
    assert log.given_up_after_bytes is not None and LIMIT < log.given_up_after_bytes < 2 * LIMIT
    assert (log.response_bytes[finished] > LIMIT).all()
    assert memory < 300e6


def test_long_answers_that_are_too_much_together(data: Path, tmp_path: Path) -> None:
    """Each is allowed; those that a client keeps whole have to share a part of the memory."""
    with truth_server(*STREAMS) as server:
        generator = load("FastHttpUser", data, tmp_path, max_answer_bytes=1 << 32, max_memory_bytes=1 << 29)
        session = generator.start(server.base_url, tmp_path / "run")
        wait_for(session, finished=8)
        session.drain(10.0)
        log = session.requests()
    assert log.too_long >= 8
    assert (log.given_up_after_bytes or 0) > (1 << 26) // 8


def test_whole_answers_of_any_length_are_none(data: Path, tmp_path: Path) -> None:
    with truth_server("--workers", 4, "--service-ms", 1, "--rows", 40_000) as server:  # 200 kB
        session = load("closed", data, tmp_path, max_answer_bytes=LIMIT).start(
            server.base_url, tmp_path / "run"
        )
        wait_for(session, finished=20)
        session.drain(10.0)
        log = session.requests()
    assert (log.too_long, log.given_up_after_bytes) == (0, None)
    assert not log.failed.any()
    assert set(log.response_bytes) == {len('{"predictions": []}') + 5 * 40_000 - 2}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_locust_file_that_fills_the_memory(processes: int, tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(
        OWN.format(kind="HttpUser").replace("with", 'KEPT.append(b"x" * 20_000_000)\n        with')
        + "\nKEPT = []\n"
    )
    with truth_server("--workers", 4, "--service-ms", 1) as server:
        generator = LocustGenerator(2, locustfile=path, processes=processes, max_memory_bytes=1)
        session = generator.start(server.base_url, tmp_path / "run")
        wait_for_end(session)
        with pytest.raises(
            LoadError, match=r"it needed too much memory.*needed \d+ MB of memory, and may use"
        ):
            session.drain(1.0)
        session.kill()


def test_streams_that_are_slow_do_not_hold_up_the_drain(data: Path, tmp_path: Path) -> None:
    with truth_server("--workers", 4, "--stream", "slow") as server:
        session = load("closed", data, tmp_path).start(server.base_url, tmp_path / "run")
        wait_for(session, started=4)
        began_s = time.monotonic()
        session.drain(0.5)
        assert time.monotonic() - began_s < 20.0
        log = session.requests()
    assert np.isnan(log.latency_ms).all() and log.too_long == 0
