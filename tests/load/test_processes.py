"""Real locust in two processes: one load, recorded whole, standing still and ending as one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from sweeper.errors import LoadError
from sweeper.load.distributed import reserved_port
from sweeper.load.generator import LocustGenerator
from sweeper.run.interfaces import LoadSession
from sweeper.statistics.own_clock import Pause, own_requests
from tests.support.load_sessions import SEED, as_drawn, gone, wait_for, wait_for_end
from tests.support.truth.process import truth_server

NO_WAIT = (0.0, 0.02)
NOWHERE = "http://127.0.0.1:9"


def processes_of(session: LoadSession) -> list[int]:
    return [process.pid for process in psutil.Process(session.pid).children(recursive=True)]


TALLIED = """
import json, os
from pathlib import Path
from locust import FastHttpUser, HttpUser, constant, events, task

TALLY = {"made": 0, "users": 0}

@events.quitting.add_listener
def on_quitting(**kwargs):
    Path(f"tally-{os.getpid()}.json").write_text(json.dumps(TALLY))

class Fast(FastHttpUser):
    wait_time = constant(0.01)

    def on_start(self):
        TALLY["users"] += 1

    @task
    def predict(self):
        TALLY["made"] += 1
        self.client.post("/predict/", data=b"a\\n1\\n")

class Slow(HttpUser):
    wait_time = constant(0.01)
    on_start = Fast.on_start
    predict = Fast.predict
"""


def test_every_request_of_all_processes_is_in_the_log_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the users count them, as the server does, and as the log has them."""
    monkeypatch.chdir(tmp_path)
    Path("tallied.py").write_text(TALLIED)
    with truth_server("--workers", 4, "--service-ms", 20) as server:
        load = LocustGenerator(7, locustfile=Path("tallied.py"), processes=2)
        session = load.start(server.base_url, tmp_path / "run")
        assert len(processes_of(session)) == 2
        wait_for(session, finished=150)
        session.drain(10.0)
        truth = server.stats()
    log = session.requests()
    tallies = [json.loads(path.read_text()) for path in tmp_path.glob("tally-*.json")]
    refused = sum(tally["made"] for tally in tallies) - len(log.started_s)  # calls that came after the drain
    assert sorted(tally["users"] for tally in tallies) == [0, 3, 4]  # the master has none
    assert 0 <= refused <= 7
    assert len(log.started_s) == truth["truth_received"] == truth["truth_answered"]
    assert np.isfinite(log.latency_ms).all()
    assert log.latency_ms.min() > 19.0
    assert set(log.status) == {200}
    assert (log.torn_records, log.overtaken) == (0, 0)
    assert (np.diff(log.started_s) >= 0).all()
    assert np.isfinite(log.client_late_ms).all()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["load.log"]
    assert session.requests() is log


def test_two_loads_in_turns_stand_still_whole(data: Path, tmp_path: Path) -> None:
    """Each is stopped while the other runs; they keep off each other's port."""
    users, wait_s, runs_s = 40, 0.5, 0.6
    pauses: list[list[Pause]] = [[], []]
    with truth_server("--workers", 40, "--service-ms", 1) as server:
        load = LocustGenerator(users, data, wait_s=(wait_s, wait_s), processes=2)
        sessions = [load.start(server.base_url, tmp_path / "a")]
        sessions[0].freeze()
        begin_s = [time.monotonic(), 0.0]
        sessions.append(load.start(server.base_url, tmp_path / "b"))
        for turn in range(4):
            mine, other = turn % 2, 1 - turn % 2
            sessions[other].freeze()
            begin_s[other] = begin_s[other] or time.monotonic()
            time.sleep(0.05)  # what was on its way has arrived
            received = server.stats()["truth_received"]
            time.sleep(0.4)
            assert server.stats()["truth_received"] == received
            if begin_s[mine]:
                pauses[mine].append(Pause(begin_s[mine], time.monotonic()))
                begin_s[mine] = 0.0
                sessions[mine].thaw(sum(pause.duration_s for pause in pauses[mine]))
            time.sleep(runs_s)
            sessions[mine].freeze()
            begin_s[mine] = time.monotonic()
        for mine, session in enumerate(sessions):
            pauses[mine].append(Pause(begin_s[mine], time.monotonic()))
            session.thaw(sum(pause.duration_s for pause in pauses[mine]))
            session.drain(5.0)
        truth = server.stats()
    logs = [session.requests() for session in sessions]
    assert sum(len(log.started_s) for log in logs) == truth["truth_received"] == truth["truth_answered"]
    for log, stood in zip(logs, pauses, strict=True):
        for pause in stood:
            assert not ((log.started_s > pause.start_s + 0.02) & (log.started_s < pause.end_s)).any()
        own = own_requests(log, stood)
        seconds = own.started_s[-1] - own.started_s[0]
        assert len(log.started_s) <= users * (seconds / wait_s + 1) * 1.02  # by the wall clock: many more
        assert len(log.started_s) >= users * seconds / wait_s * 0.7
        assert np.isfinite(log.latency_ms).all()
        assert not log.failed.any()


def test_what_does_not_finish_within_the_drain_is_censored(data: Path, tmp_path: Path) -> None:
    with truth_server("--workers", 8, "--service-ms", 20) as server:
        session = LocustGenerator(8, data, wait_s=NO_WAIT, processes=2).start(server.base_url, tmp_path)
        wait_for(session, finished=20)
        pids = processes_of(session)
        os.kill(server.process.pid, signal.SIGSTOP)
        wait_for(session, started=session.progress().finished + 8)
        session.drain(0.5)
        os.kill(server.process.pid, signal.SIGCONT)
    assert all(gone(pid) for pid in (session.pid, *pids))
    assert 1 <= np.isnan(session.requests().latency_ms).sum() <= 8


def test_the_arrivals_of_one_are_shared(data: Path, tmp_path: Path) -> None:
    """Together they are those that one process would have made, to the microsecond; each makes a part."""
    with truth_server("--workers", 8, "--service-ms", 5) as server:
        load = LocustGenerator(100, data, processes=2).open_loop(80.0, SEED)
        session = load.start(server.base_url, tmp_path)
        wait_for(session, finished=100)
        parts = [len((tmp_path / f"requests-{number}.raw").read_bytes()) for number in (0, 1)]
        session.drain(10.0)
        truth = server.stats()
    log = session.requests()
    assert as_drawn(log, 80.0)
    assert len(log.started_s) == truth["truth_received"] == truth["truth_answered"]
    assert min(parts) > 0.5 * max(parts)


@pytest.mark.parametrize("who", ["master", "one of its processes"])
def test_whoever_is_killed_takes_the_others_along(who: str, data: Path, tmp_path: Path) -> None:
    with truth_server("--workers", 4, "--service-ms", 5) as server:
        session = LocustGenerator(10, data, wait_s=NO_WAIT, processes=2).start(server.base_url, tmp_path)
        wait_for(session, finished=50)
        pids = processes_of(session)
        os.kill(session.pid if who == "master" else pids[1], signal.SIGKILL)
        wait_for_end(session)
        assert all(gone(pid) for pid in pids)
        with pytest.raises(LoadError, match=r"locust ended by itself .*killed by SIGKILL"):
            session.progress()
        with pytest.raises(LoadError, match="locust ended by itself"):
            session.drain(1.0)
        received = server.stats()["truth_received"]
    assert 50 <= np.isfinite(session.requests().latency_ms).sum() <= received


def test_one_that_dies_while_all_drain_is_noticed(data: Path, tmp_path: Path) -> None:
    """Its part of the requests in flight would look as if it had never finished."""
    with truth_server("--workers", 8, "--mute") as server:
        session = LocustGenerator(8, data, processes=2).start(server.base_url, tmp_path)
        wait_for(session, started=8)
        victim = processes_of(session)[0]
        killer = subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -9 {victim}"])
        with pytest.raises(LoadError, match="locust ended by itself"):
            session.drain(20.0)
        killer.wait()


ORPHAN = """
import os, signal, sys, time
from pathlib import Path
import psutil
from sweeper.load.generator import LocustGenerator
session = LocustGenerator(2, Path(sys.argv[1]), processes=2).start("http://127.0.0.1:9", Path(sys.argv[2]))
if sys.argv[3] == "frozen":
    session.freeze()
guard = psutil.Process(session.pid).parent()
pids = [process.pid for process in guard.children(recursive=True)]
if sys.argv[3] == "guard first":
    guard.kill()
print(*pids, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", ["running", "frozen", "guard first"])
def test_no_process_outlives_a_killed_sweeper(how: str, data: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-c", ORPHAN, str(data), str(tmp_path), how]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as sweeper:
        assert sweeper.stdout is not None
        pids = [int(pid) for pid in sweeper.stdout.readline().split()]
        sweeper.kill()
    assert len(pids) == 3
    assert all(gone(pid) for pid in pids)


def test_a_forgotten_load_ends_by_itself(data: Path, tmp_path: Path) -> None:
    session = LocustGenerator(4, data, processes=2, max_duration_s=3.0).start(NOWHERE, tmp_path)
    pids = processes_of(session)
    wait_for_end(session)
    with pytest.raises(LoadError, match="time limit for the load was reached"):
        session.progress()
    assert all(gone(pid) for pid in pids)


REFUSED = {
    "x = 1": "No User class found!",
    """
from locust import HttpUser
class U(HttpUser):
    def __init__(self, *args):
        raise ValueError("my user")
""": "my user",
    """
import os
from locust import HttpUser, events
class U(HttpUser):
    pass
@events.init.add_listener
def on_init(environment, **kwargs):
    if getattr(environment.runner, "worker_index", 0) == 1:
        os._exit(3)
""": "ended with code 3",
}


@pytest.mark.parametrize("source", REFUSED)
def test_a_refused_locustfile_is_an_error(source: str, tmp_path: Path) -> None:
    path = tmp_path / "refused.py"
    path.write_text(source)
    with pytest.raises(LoadError, match="locust did not start its users") as caught:
        LocustGenerator(2, locustfile=path, processes=2).start(NOWHERE, tmp_path)
    assert REFUSED[source] in str(caught.value)


def test_a_log_that_one_process_cannot_write(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = LocustGenerator._environment

    def full(self: LocustGenerator, *paths: Path) -> dict[str, str]:
        environment = whole(self, *paths)
        recorder = json.loads(environment["SWEEPER_RECORDER"])
        recorder["log_paths"][1] = "/dev/full"
        return {**environment, "SWEEPER_RECORDER": json.dumps(recorder)}

    monkeypatch.setattr(LocustGenerator, "_environment", full)
    with pytest.raises(LoadError, match="cannot write the log of requests: No space left on device"):
        LocustGenerator(2, data, processes=2).start(NOWHERE, tmp_path)


def test_ports_for_the_talk_are_different_ones() -> None:
    with reserved_port() as one, reserved_port() as other:
        assert one != other
