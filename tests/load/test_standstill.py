"""Real locust, stopped again and again: on its own clock its users wait as long as ever."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from sweeper.load.generator import LocustGenerator
from sweeper.records.observations import RequestLog
from sweeper.statistics.own_clock import Pause, own_requests
from tests.support.truth.process import truth_server

USERS = 40
WAIT_S = 0.5  # so that all of them together send 80 requests/s
RUNS_S, STANDS_S, TURNS = 0.7, 1.0, 4
LOCUSTFILE = """
from locust import FastHttpUser, constant_pacing, task

class Paced(FastHttpUser):
    wait_time = constant_pacing(0.5)

    @task
    def predict(self):
        self.client.post("/predict/", data=b"1,2")
"""

OWN_PACE = """
import datetime, json, os, queue, threading, time
from pathlib import Path
from time import monotonic, time_ns

import gevent
from locust import FastHttpUser, events, task

STEP_S = 0.5
SENT = {}

def by(clock, wait=time.sleep):
    \"\"\"Sends when it is due by this clock, and makes good what it has missed.\"\"\"
    def predict(self):
        self.due_s = STEP_S + (self.due_s if hasattr(self, "due_s") else clock())
        wait(max(0.0, self.due_s - clock()))
        self.client.post("/predict/", data=b"1,2")
        SENT[type(self).__name__] = SENT.get(type(self).__name__, 0) + 1
    return task(predict)

def timed_out(seconds):
    with gevent.Timeout(seconds, False):
        gevent.event.Event().wait()

def from_queue(seconds):
    try:
        queue.Queue().get(timeout=seconds)
    except queue.Empty:
        pass

def now():
    return datetime.datetime.now(datetime.timezone.utc).timestamp()

class Time(FastHttpUser):
    predict = by(time.time)

class Nanoseconds(FastHttpUser):
    predict = by(lambda: time_ns() / 1e9)

class Monotonic(FastHttpUser):
    predict = by(monotonic, lambda seconds: threading.Event().wait(seconds))

class PerfCounter(FastHttpUser):
    predict = by(time.perf_counter, from_queue)

class ClockGettime(FastHttpUser):
    predict = by(lambda: time.clock_gettime(time.CLOCK_MONOTONIC), timed_out)

class Datetime(FastHttpUser):
    predict = by(now, lambda seconds: gevent.spawn_later(seconds, int).join())

@events.quitting.add_listener
def tell(**_):
    Path(os.environ["SENT"]).write_text(json.dumps(SENT))
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "sample.csv"
    path.write_text("a,b\n1.0,2.0\n")
    return path


def in_turns(load: LocustGenerator, folder: Path) -> tuple[RequestLog, list[Pause]]:
    """What the users did, on their own clock, and when they were stopped."""
    pauses: list[Pause] = []
    with truth_server("--workers", 40, "--service-ms", 1) as server:
        session = load.start(server.base_url, folder)
        for _ in range(TURNS):
            time.sleep(RUNS_S)
            session.freeze()
            begin_s = time.monotonic()
            time.sleep(STANDS_S)
            pauses.append(Pause(begin_s, time.monotonic()))
            session.thaw(sum(pause.duration_s for pause in pauses))
        time.sleep(RUNS_S)
        session.drain(5.0)
    assert list(folder.glob("standstill*")) == []
    return own_requests(session.requests(), pauses), pauses


@pytest.mark.parametrize("own", [False, True], ids=["waits", "constant_pacing"])
def test_waits_stand_still_with_the_users(data: Path, tmp_path: Path, own: bool) -> None:
    """Gone by the wall clock, every wait would be over at each of the four ends: half as many again."""
    locustfile = tmp_path / "paced.py"
    locustfile.write_text(LOCUSTFILE)
    load = (
        LocustGenerator(USERS, locustfile=locustfile)
        if own
        else LocustGenerator(USERS, data, wait_s=(WAIT_S, WAIT_S))
    )
    log, _ = in_turns(load, tmp_path / "run")
    begin_s = log.started_s[0]
    seconds = log.started_s[-1] - begin_s
    assert seconds == pytest.approx(RUNS_S * (TURNS + 1), abs=0.6)
    assert len(log.started_s) <= USERS * (seconds / WAIT_S + 1) * 1.02
    assert len(log.started_s) >= USERS * seconds / WAIT_S * 0.8
    assert np.isfinite(log.latency_ms).all()
    assert (log.latency_ms > 0).all()
    # However late an answer is read for want of a core: a pause of a second is none of it.
    assert np.nanmedian(np.sort(log.client_late_ms)[-TURNS:]) < 25.0


def test_a_pace_by_any_clock_stands_still_with_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the wall clock each would make good what it has missed: more than twice as many."""
    monkeypatch.setenv("SENT", str(tmp_path / "sent.json"))
    locustfile = tmp_path / "own_pace.py"
    locustfile.write_text(OWN_PACE)
    log, _ = in_turns(LocustGenerator(24, locustfile=locustfile), tmp_path / "run")
    sent = json.loads((tmp_path / "sent.json").read_text())
    seconds = log.started_s[-1] - log.started_s[0]
    assert set(sent) == {"Time", "Nanoseconds", "Monotonic", "PerfCounter", "ClockGettime", "Datetime"}
    assert {name: count for name, count in sent.items() if count > 4 * (seconds / 0.5 + 1)} == {}
    assert {name: count for name, count in sent.items() if count < 4 * seconds / 0.5 * 0.7} == {}


def test_nothing_is_sent_or_lost_while_the_users_stand_still(data: Path, tmp_path: Path) -> None:
    pauses: list[Pause] = []
    with truth_server("--workers", 4, "--service-ms", 20) as server:
        session = LocustGenerator(12, data, wait_s=(0.0, 0.02)).start(server.base_url, tmp_path / "run")
        time.sleep(0.5)
        session.freeze()
        begin_s = time.monotonic()
        time.sleep(0.2)  # what was on its way has arrived
        received = server.stats()["truth_received"]
        time.sleep(0.8)
        assert server.stats()["truth_received"] == received
        pauses.append(Pause(begin_s, time.monotonic()))
        session.thaw(pauses[0].duration_s)
        time.sleep(0.5)
        session.drain(5.0)
        truth = server.stats()
    log = session.requests()
    assert len(log.started_s) == truth["truth_received"] == truth["truth_answered"]
    assert not ((log.started_s > pauses[0].start_s) & (log.started_s < pauses[0].end_s)).any()
    assert own_requests(log, pauses).latency_ms.max() < log.latency_ms.max() - 500
    assert not log.failed.any()


def test_a_stopped_load_can_be_ended(data: Path, tmp_path: Path) -> None:
    with truth_server("--workers", 4, "--service-ms", 20) as server:
        session = LocustGenerator(12, data).start(server.base_url, tmp_path / "run")
        session.freeze()
        session.kill()
    assert not session.alive()
