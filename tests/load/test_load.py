"""Real locust against real servers: every request is in the log once, whatever goes wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from sweeper.errors import LoadError, UsageError
from sweeper.load.generator import LocustGenerator
from sweeper.load.session import LocustSession
from tests.support.load_sessions import CSV, DEADLINE_S, free_port, gone, wait_for, wait_for_end
from tests.support.truth.process import truth_server

NO_WAIT = (0.0, 0.02)


def test_counts_and_figures_agree_with_the_server(data: Path, tmp_path: Path) -> None:
    begin = time.monotonic()
    with truth_server("--workers", 4, "--service-ms", 20, "--rows", 3) as server:
        session = LocustGenerator(12, data, wait_s=NO_WAIT).start(server.base_url, tmp_path / "run")
        wait_for(session, finished=150)
        assert session.alive()
        session.drain(10.0)
        truth = server.stats()
    assert not session.alive()
    log = session.requests()
    assert len(log.started_s) == truth["truth_received"] == truth["truth_answered"]
    assert truth["truth_max_concurrency"] == 4
    assert truth["truth_bytes_received"] > len(CSV) * len(log.started_s)
    assert np.isfinite(log.latency_ms).all()
    assert log.latency_ms.min() > 19.0
    assert not log.failed.any()
    assert set(log.status) == {200}
    assert set(log.response_bytes) == {len(b'{"predictions": [0.5, 0.5, 0.5]}')}
    assert log.torn_records == 0
    assert begin < log.started_s[0]
    assert (np.diff(log.started_s) >= 0).all()
    assert np.nanmax(log.finished_s) < time.monotonic()
    assert np.isfinite(log.client_late_ms).all()
    assert (log.client_late_ms >= 0).all() and (log.client_late_ms < log.latency_ms - 19.0).all()
    assert session.requests() is log
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["load.log"]
    # 12 keep-alive connections, apart from those that asked for /stats/
    assert truth["truth_connections"] <= 12 + 1
    session.drain(1.0)
    session.kill()


def test_our_percentiles_are_exact_where_locusts_are_rounded(data: Path, tmp_path: Path) -> None:
    with truth_server("--workers", 50, "--service-ms", 133) as server:
        session = LocustGenerator(20, data, wait_s=NO_WAIT).start(server.base_url, tmp_path)
        wait_for(session, finished=100)
        session.drain(10.0)
    log = session.requests()
    row = re.search(r"POST +/predict/ +([\d ]+)\n", session.log_tail(100).partition("percentiles")[2])
    assert row is not None
    *percentiles, count = map(int, row.group(1).split())
    assert count == len(log.started_s)  # locust's own statistics still see every request
    assert percentiles[0] % 10 == 0
    ours = np.percentile(log.latency_ms, [50, 99])
    assert (ours > 133.0).all()
    assert not np.isin(ours, percentiles).any()


@pytest.mark.parametrize(
    ("option", "counter", "status"),
    [("--fail-share", "truth_failed_fast", 500), ("--drop-share", "truth_dropped", 0)],
)
def test_failures_are_counted_as_such(
    option: str, counter: str, status: int, data: Path, tmp_path: Path
) -> None:
    with truth_server("--workers", 4, "--service-ms", 5, option, 0.4) as server:
        session = LocustGenerator(10, data, wait_s=NO_WAIT).start(server.base_url, tmp_path)
        wait_for(session, finished=100)
        session.drain(10.0)
        truth = server.stats()
    log = session.requests()
    assert len(log.started_s) == truth["truth_received"]
    assert 0 < log.failed.sum() == truth[counter] < len(log.failed)
    assert set(log.status[log.failed]) == {status}
    assert set(log.status[~log.failed]) == {200}
    assert np.isfinite(log.latency_ms).all()


def test_a_dead_server_gives_failures_only(data: Path, tmp_path: Path) -> None:
    generator = LocustGenerator(5, data, wait_s=(0.05, 0.1))
    session = generator.start(f"http://127.0.0.1:{free_port()}", tmp_path)
    wait_for(session, finished=20)
    assert session.progress().failed >= 20
    session.drain(10.0)
    log = session.requests()
    assert log.failed.all()
    assert not log.status.any()
    assert np.isfinite(log.latency_ms).all()


def test_a_server_that_accepts_and_never_answers_runs_into_the_timeout(data: Path, tmp_path: Path) -> None:
    with truth_server("--workers", 4, "--mute") as server:
        generator = LocustGenerator(5, data, wait_s=NO_WAIT, request_timeout_s=0.5)
        session = generator.start(server.base_url, tmp_path)
        wait_for(session, finished=5)
        session.drain(10.0)
    log = session.requests()
    finished = np.isfinite(log.latency_ms)
    assert finished.sum() >= 5
    assert log.failed[finished].all()
    assert (log.latency_ms[finished] > 450.0).all()


def test_the_drain_starts_nothing_and_lets_everything_finish(data: Path, tmp_path: Path) -> None:
    """20 users, 3 slots of 0.5 s: while the queue empties for seconds, no waiting user may start."""
    with truth_server("--workers", 3, "--service-ms", 500) as server:
        session = LocustGenerator(20, data, wait_s=(0.1, 0.5)).start(server.base_url, tmp_path)
        wait_for(session, started=22)
        begin = time.monotonic()
        session.drain(15.0)
        truth = server.stats()
    log = session.requests()
    assert len(log.started_s) == truth["truth_received"] == truth["truth_answered"]
    assert np.isfinite(log.latency_ms).all()
    assert not log.failed.any()
    assert log.finished_s.max() > begin + 1.5  # it did wait for those in flight
    assert log.started_s.max() < begin + 1.0


def test_what_does_not_finish_within_the_drain_is_censored(data: Path, tmp_path: Path) -> None:
    with truth_server("--workers", 6, "--service-ms", 50, "--shape", "cliff:1", "--seed", 5) as server:
        session = LocustGenerator(8, data, wait_s=NO_WAIT).start(server.base_url, tmp_path)
        wait_for(session, finished=20)
        os.kill(server.process.pid, signal.SIGSTOP)
        wait_for(session, started=session.progress().finished + 8)
        session.drain(0.5)
        os.kill(server.process.pid, signal.SIGCONT)
        received = server.stats()["truth_received"]
    assert gone(session.pid)
    log = session.requests()
    censored = np.isnan(log.latency_ms)
    assert 1 <= censored.sum() <= 8
    assert not log.status[censored].any()
    assert not log.failed[censored].any()
    assert len(log.started_s) >= received >= (~censored).sum()


def test_what_locust_reads_late_is_known_of_each_request(data: Path, tmp_path: Path) -> None:
    """Four users, four workers, 20 ms each: nothing queues. Now and then locust is stopped for 0.3 s."""
    with truth_server("--workers", 4, "--service-ms", 20) as server:
        session = LocustGenerator(4, data, wait_s=(0.0, 0.0)).start(server.base_url, tmp_path / "run")
        wait_for(session, finished=20)
        for _ in range(5):
            os.kill(session.pid, signal.SIGSTOP)
            time.sleep(0.3)
            os.kill(session.pid, signal.SIGCONT)
            wait_for(session, finished=session.progress().finished + 20)
        session.drain(10.0)
    log = session.requests()
    hit = log.latency_ms > 250.0
    assert 15 <= hit.sum() <= 25
    # All but those that locust was stopped in the middle of sending.
    assert (log.client_late_ms[hit] > 200.0).mean() > 0.6
    assert np.median((log.latency_ms - log.client_late_ms)[hit]) < 60.0
    assert (log.latency_ms - log.client_late_ms > 19.0).all()
    assert np.median(log.client_late_ms) < 10.0


CUSTOM = """
import json
from pathlib import Path
from locust import FastHttpUser, HttpUser, events, task
from locustfile import DATA, Base  # the user's own, not ours

TALLY = {"get": 0, "post": 0, "failed": 0}
CONTEXTS = set()

@events.request.add_listener
def on_request(context, exception, **kwargs):
    CONTEXTS.update(context)
    TALLY["failed"] += exception is not None

@events.quitting.add_listener
def on_quitting(**kwargs):
    Path("tally.json").write_text(json.dumps({**TALLY, "contexts": sorted(CONTEXTS)}))

class Fast(Base, FastHttpUser):
    def on_start(self):
        TALLY["get"] += 1
        self.client.get("/ping/", context={"mine": 1})

    @task
    def predict(self):
        TALLY["post"] += 1
        with self.client.post("/predict/", data=DATA, catch_response=True) as response:
            if TALLY["post"] % 3 == 0:
                response.failure("every third")

    @task
    def forgiven(self):
        TALLY["get"] += 1
        with self.client.get("/missing", catch_response=True) as response:
            response.success()

    @task
    def raises(self):
        TALLY["get"] += 1
        TALLY["failed"] += 1  # locust reports nothing here; we must call it a failure
        with self.client.get("/livez", catch_response=True) as response:
            raise ValueError("in the block")

class Slow(Base, HttpUser):
    @task
    def predict(self):
        TALLY["post"] += 1
        self.client.request("POST", "/predict/", "name", False, {"yours": 2}, data=DATA)

    @task
    def missing(self):
        TALLY["get"] += 1
        self.client.get("/missing")

    @task
    def asserts(self):
        TALLY["get"] += 1
        TALLY["failed"] += 1
        with self.client.get("/livez", catch_response=True) as response:
            assert response.status_code == 201
"""
CUSTOM_BASE = """
from pathlib import Path
from locust import constant
from recorder import WAIT
DATA = Path("rows.csv").read_bytes()  # relative to the user's current folder
class Base:
    wait_time = constant(WAIT)
"""


def test_a_custom_locustfile_runs_unchanged_and_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mix.py").write_text(CUSTOM)
    Path("locustfile.py").write_text(CUSTOM_BASE)
    Path("recorder.py").write_text("WAIT = 0.01\n")
    for ours in ("raw_log", "wire", "standstill", "sweeper", "numpy"):
        Path(f"{ours}.py").write_text("raise RuntimeError('not this one')")
    Path("locust.py").write_text("raise RuntimeError('this is not locust')")
    Path("locust.conf").write_text(
        "run-time = 1s\nusers = 77\nlogfile = own.log\nloglevel = ERROR\ncsv = own\nhtml = own.html\n"
        "json-file = own.json\n"
    )
    Path("rows.csv").write_text("a\n1\n")
    with truth_server("--workers", 4, "--service-ms", 5) as server:
        session = LocustGenerator(6, locustfile=Path("mix.py")).start(server.base_url, tmp_path / "run")
        end = time.monotonic() + 1.5  # locust.conf's run-time must not end it
        while time.monotonic() < end:
            wait_for(session, finished=session.progress().finished + 20)
        session.drain(10.0)
        truth = server.stats()
    tally = json.loads(Path("tally.json").read_text())
    log = session.requests()
    assert np.isfinite(log.latency_ms).all()
    assert '{"Fast": 3, "Slow": 3}' in (tmp_path / "run" / "load.log").read_text()
    assert not list(Path().glob("own*"))  # each run would write it anew
    refused = tally["get"] + tally["post"] - len(log.started_s)  # calls that came after the drain
    assert 0 <= refused <= 6
    assert tally["post"] - refused <= truth["truth_received"] <= tally["post"]
    assert abs(int(log.failed.sum()) - tally["failed"]) <= refused
    assert log.failed.sum() > 20
    assert set(log.status) == {200, 404}
    assert np.isfinite(log.client_late_ms).all()  # of both kinds of clients
    assert 0 < log.failed[log.status == 404].sum() < (log.status == 404).sum()  # Slow's; not Fast's
    assert 0 < log.failed[log.status == 200].sum() < (log.status == 200).sum()
    assert tally["contexts"] == ["mine", "yours"]  # and nothing of ours


STUBBORN = """
from locust import FastHttpUser, task
class Stubborn(FastHttpUser):
    def on_stop(self):
        self.client.get("/ping/")

    @task
    def forever(self):
        while True:
            try:
                self.client.post("/predict/", data=b"x")
            except:
                pass
"""


def test_users_that_catch_everything_are_drained_too(tmp_path: Path) -> None:
    path = tmp_path / "stubborn.py"
    path.write_text(STUBBORN)
    with truth_server("--workers", 2, "--service-ms", 300) as server:
        session = LocustGenerator(4, locustfile=path).start(server.base_url, tmp_path)
        wait_for(session, started=6)
        session.drain(2.0)
        received = server.stats()["truth_received"]
    assert gone(session.pid)
    log = session.requests()
    assert len(log.started_s) == received
    assert np.isfinite(log.latency_ms).all()


UNREADABLE = {
    "import nonexistent_module": "No module named 'nonexistent_module'",
    "open('absent.csv')": "absent.csv'; paths in it are relative to the folder where you run sweeper",
    "x = 1": "No User class found; it needs a subclass of locust's HttpUser",
    """
from locust import HttpUser, LoadTestShape
class U(HttpUser):
    tasks = []
class S(LoadTestShape):
    def tick(self):
        return 1, 1
""": "remove the load shape S",
    "import os\nos._exit(3)": "exit code 3",
    """
from locust import HttpUser
class A(HttpUser):
    tasks, host = [], "http://models/api/v1"
class B(HttpUser):
    tasks, host = [], "http://models"
""": "have hosts with different paths (/api/v1, none): give all the same",
    """
from locust import HttpUser, events
@events.init_command_line_parser.add_listener
def options(parser):
    parser.add_argument("--tenant", required=True)
class U(HttpUser):
    tasks = []
""": "the following arguments are required: --tenant; give them with --locust-options",
}


@pytest.mark.parametrize("source", UNREADABLE)
def test_a_locustfile_that_cannot_be_used_is_known_beforehand(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    path = tmp_path / "refused.py"
    path.write_text(source)
    with pytest.raises(UsageError, match=r"--locustfile '.*refused\.py' does not work: ") as caught:
        LocustGenerator(1, locustfile=path).check(tmp_path)
    assert UNREADABLE[source] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["locustfile-check.log", "refused.py"]


def test_a_locustfile_that_can_be_used_sends_nothing_beforehand(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(
        "from locust import HttpUser, events, task\n"
        "ROWS = open('sample.csv').read()\n"
        "@events.test_start.add_listener\n"
        "def begin(**_): open('begun', 'w')\n"
        "class Mine(HttpUser):\n"
        "    @task\n"
        "    def t(self): open('sent', 'w')\n"
    )
    LocustGenerator(1, locustfile=Path("mine.py")).check(tmp_path)
    with pytest.raises(UsageError, match=r"unrecognized arguments: --tenant"):
        LocustGenerator(1, locustfile=Path("mine.py"), locust_options=("--tenant", "acme")).check(tmp_path)
    LocustGenerator(1, data).check(tmp_path / "absent")  # our own users need no check
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "locustfile-check.log", "mine.py", "sample.csv",
    ]  # fmt: skip


UNSTARTABLE = """
from locust import HttpUser
class U(HttpUser):
    def __init__(self, *args):
        raise ValueError("my user")
"""


def test_a_refused_locustfile_is_an_error_with_the_logs_tail(tmp_path: Path) -> None:
    path = tmp_path / "refused.py"
    path.write_text(UNSTARTABLE)
    with pytest.raises(LoadError, match="locust did not start its users") as caught:
        LocustGenerator(1, locustfile=path).start("http://127.0.0.1:9", tmp_path)
    sentence = str(caught.value)
    assert "my user" in sentence
    assert f"(see {tmp_path / 'load.log'})" in sentence
    assert "\n" not in sentence
    assert caught.value.__notes__ == ["\n".join((tmp_path / "load.log").read_text().splitlines()[-20:])]


def test_users_that_request_nothing_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "idle.py"
    path.write_text("from locust import User, task\nclass Idle(User):\n  @task\n  def t(self): self.wait()\n")
    session = LocustGenerator(1, locustfile=path).start("http://127.0.0.1:9", tmp_path)
    session.drain(5.0)
    with pytest.raises(LoadError, match="made no request"):
        session.requests()


def start_fast(data: Path, tmp_path: Path, base_url: str, **more: float) -> LocustSession:
    return LocustGenerator(10, data, wait_s=(0.0, 0.01), **more).start(base_url, tmp_path)  # type: ignore[arg-type]


def test_a_killed_locust_leaves_what_it_had_logged(data: Path, tmp_path: Path) -> None:
    with truth_server("--workers", 4, "--service-ms", 5) as server:
        session = start_fast(data, tmp_path, server.base_url)
        wait_for(session, finished=100)
        os.kill(session.pid, signal.SIGKILL)
        wait_for_end(session)
        with pytest.raises(LoadError, match=r"locust ended by itself \(killed by SIGKILL\)"):
            session.progress()
        with pytest.raises(LoadError, match="locust ended by itself"):
            session.drain(1.0)
        received = server.stats()["truth_received"]
    log = session.requests()
    assert 100 <= np.isfinite(log.latency_ms).sum() <= received
    assert np.isnan(log.latency_ms).sum() <= 10


def test_a_forgotten_locust_ends_by_itself(data: Path, tmp_path: Path) -> None:
    with truth_server("--workers", 4, "--service-ms", 5) as server:
        session = start_fast(data, tmp_path, server.base_url, max_duration_s=2.0)
        wait_for_end(session)
        with pytest.raises(LoadError, match="time limit for the load was reached"):
            session.progress()


ORPHAN = """
import sys, time
from pathlib import Path
from sweeper.load.generator import LocustGenerator
session = LocustGenerator(2, Path(sys.argv[1])).start("http://127.0.0.1:9", Path(sys.argv[2]))
print(session.pid, flush=True)
time.sleep(60)
"""


def test_locust_does_not_outlive_a_killed_sweeper(data: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-c", ORPHAN, str(data), str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as sweeper:
        assert sweeper.stdout is not None
        pid = int(sweeper.stdout.readline())
        assert psutil.pid_exists(pid)
        sweeper.kill()
    assert gone(pid)


def test_locust_starts_without_what_it_does_not_need() -> None:
    look = "import sys, sweeper.locust_side.__main__; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", look], capture_output=True, text=True, check=True)
    found = {name.partition(".")[0] for name in done.stdout.split()}
    assert not found & {"numpy", "pandas", "scipy", "pyarrow", "pydantic", "sqlalchemy", "httpx"}
    ours = {name for name in done.stdout.split() if name.startswith("sweeper.")}
    assert ours == {
        "sweeper.version",
        "sweeper.locust_side",
        *(f"sweeper.locust_side.{name}" for name in ("__main__", "answer_size", "certificates")),
        *(f"sweeper.locust_side.{name}" for name in ("memory_watch", "raw_log", "receive_times")),
        *(f"sweeper.locust_side.{name}" for name in ("recorder", "wire")),
    }


def test_locust_ends_when_its_log_cannot_be_written() -> None:
    argv = [sys.executable, "-P", "-m", "sweeper.locust_side", "--headless"]
    settings = json.dumps({"log_paths": ["/dev/full"], "max_duration_s": 20})
    env = {**os.environ, "SWEEPER_RECORDER": settings}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 74
    assert "cannot write the log of requests: No space left on device" in done.stderr


def test_locust_runs_on_the_cores_it_was_given(data: Path, tmp_path: Path) -> None:
    core = min(os.sched_getaffinity(0))
    session = LocustGenerator(1, data, cpus=frozenset({core})).start("http://127.0.0.1:9", tmp_path)
    assert os.sched_getaffinity(session.pid) == {core}
    session.kill()
    session.kill()
    assert gone(session.pid)
