"""Real servers, well and badly behaved: readiness, death, stopping, their pages."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import psutil
import pytest

from sweeper.errors import ServerStartError
from sweeper.launch import FastApiLauncher, LaunchOptions
from sweeper.launch.ports import free_port, is_listening
from sweeper.launch.server import get
from sweeper.records.configuration import Configuration
from sweeper.records.observations import PoolStats


def page(server, path: str):
    with urllib.request.urlopen(server.base_url + path, timeout=5) as response:
        return json.load(response)


def test_a_server_from_start_to_stop(launch):
    server = launch("plain")
    ready_s = server.wait_ready(20)
    assert ready_s > 0
    assert server.alive()
    assert server.base_url.startswith("http://127.0.0.1:")
    assert not server.base_url.endswith("/")
    assert server.log_tail() == "listening"
    assert psutil.Process(server.pid).cmdline()[1].endswith("stand_in.py")
    ended = server.stop()
    assert (ended.return_code, ended.killed) == (-signal.SIGTERM, False)
    assert not server.alive()
    assert server.stop() is ended


def test_two_servers_have_two_ports(launch):
    first, second = launch("plain"), launch("plain")
    first.wait_ready(20)
    second.wait_ready(20)
    assert first.base_url != second.base_url


@pytest.mark.parametrize("behaviour", ["slow", "answers-late"])
def test_ready_is_when_the_ready_path_answers_200(launch, behaviour):
    assert launch(behaviour).wait_ready(20) >= 0.5


def test_another_ready_path(launch):
    launch("fails", ready_path="/stats/").wait_ready(20)


@pytest.mark.parametrize(
    ("behaviour", "answer"),
    [
        ("fails", "status 500"),
        ("redirects", "status 302"),
        ("never-answers", "none within"),
        ("hangs-up", "not HTTP"),
    ],
)
def test_a_server_that_is_never_ready_is_told_by_its_last_answer(launch, behaviour, answer):
    server = launch(behaviour)
    deadline_s = time.monotonic() + 20
    while "listening" not in server.log_tail():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    with pytest.raises(ServerStartError, match=rf"not ready within 0\.3 s.*/ping/: {answer}"):
        server.wait_ready(0.3)
    assert server.alive()


def test_a_server_that_never_listens(launch):
    with pytest.raises(ServerStartError, match=r"connection refused"):
        launch("deaf").wait_ready(0.1)


def test_a_server_that_listens_at_another_address(launch):
    """As one that binds to ::1 alone, or to its own default port."""
    server = launch("listens-elsewhere")
    deadline_s = time.monotonic() + 20
    while "listening" not in server.log_tail():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    port = server.base_url.rpartition(":")[2]
    words = rf"connection refused; it listens at 127\.0\.0\.2:{port}: have it listen at {{host}} and {{port}}"
    with pytest.raises(ServerStartError, match=words):
        server.wait_ready(0.3)


def test_a_dead_server_fails_with_its_last_words(launch):
    with pytest.raises(ServerStartError, match=r"exit code 3.*artifact model.pkl is missing$") as caught:
        launch("dies").wait_ready(600)  # at once, not after the ten minutes
    assert caught.value.log_tail == "loading the model\nerror: the artifact model.pkl is missing"


def test_a_server_killed_at_start(launch):
    with pytest.raises(ServerStartError, match=r"signal SIGKILL.*logged nothing"):
        launch("dies-silently").wait_ready(600)


def test_stop_kills_what_ignores_term(launch):
    server = launch("ignores-term")
    server.wait_ready(20)
    ended = server.stop(grace_s=0.2)
    assert (ended.return_code, ended.killed) == (-signal.SIGKILL, True)


def test_stop_ends_the_children(launch):
    server = launch("forks")
    server.wait_ready(20)
    children = psutil.Process(server.pid).children()
    assert len(children) == 2
    server.stop()
    assert psutil.wait_procs(children, timeout=10)[1] == []


class AlwaysReady(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def foreign_port():
    """A port on which somebody else answers 200 to everything."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), AlwaysReady)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_lost_race_for_the_port_is_run_again(launch, foreign_port):
    ports = iter([foreign_port, free_port()])
    server = launch("plain", choose_port=ports.__next__)
    server.wait_ready(20)
    assert server.base_url != f"http://127.0.0.1:{foreign_port}"
    assert is_listening(int(server.base_url.rpartition(":")[2]), os.getpid())
    assert server.pool_stats().workers == 8


def test_a_port_that_stays_taken_is_an_error(launch, foreign_port):
    with pytest.raises(ServerStartError, match="Address already in use"):
        launch("plain", choose_port=lambda: foreign_port).wait_ready(20)


@pytest.mark.parametrize("behaviour", ["slow", "dies"])
def test_the_answer_of_somebody_else_is_not_ours(launch, foreign_port, behaviour):
    server = launch(behaviour, choose_port=lambda: foreign_port)
    with pytest.raises(ServerStartError):
        server.wait_ready(0.3)


def test_somebody_else_s_answer_is_named(launch, foreign_port):
    server = launch("deaf", choose_port=lambda: foreign_port)
    with pytest.raises(
        ServerStartError, match=r"status 200, but from a process that the server's command did not start"
    ):
        server.wait_ready(0.2)


def test_what_cannot_be_started_is_a_start_error(tmp_path):
    launcher = FastApiLauncher(tmp_path, LaunchOptions(cpus=frozenset({4000})))
    with pytest.raises(ServerStartError, match=r"could not be started.*cores"):
        launcher.start(Configuration(workers=1), tmp_path / "log")


def test_pool_stats(launch):
    server = launch("plain")
    server.wait_ready(20)
    assert server.pool_stats() == PoolStats(workers=8, max_concurrency=5, completed=40, rejected=1)


@pytest.mark.parametrize("behaviour", ["html-stats", "no-stats"])
def test_no_pool_stats(launch, behaviour):
    server = launch(behaviour)
    server.wait_ready(20)
    assert server.pool_stats() is None
    server.stop()
    assert server.pool_stats() is None


def test_what_a_server_is_given(launch):
    core = max(os.sched_getaffinity(0))
    environ = {
        "PATH": os.environ["PATH"],
        "KEPT": "1",
        "OMP_NUM_THREADS": "99",
        "DRUM_FASTAPI_EXECUTOR_WORKERS": "99",
    }
    server = launch(
        "plain",
        "{workers} 'a b' {model_threads} x{{y}} {host}:{port}",
        Configuration(workers=4, model_threads=3, processes=2),
        cpus=frozenset({core}),
        environ=environ,
    )
    server.wait_ready(20)
    port = server.base_url.rpartition(":")[2]
    assert page(server, "/arguments/") == [["4", "a b", "3", "x{y}", f"127.0.0.1:{port}"], [core]]
    given = page(server, "/environment/")
    assert given["KEPT"] == "1"
    assert "DRUM_FASTAPI_EXECUTOR_WORKERS" not in given
    pool = json.loads(given["MLOPS_RUNTIME_PARAM_DRUM_FASTAPI_EXECUTOR_WORKERS"])
    assert pool == {"type": "numeric", "payload": 4}
    processes = json.loads(given["MLOPS_RUNTIME_PARAM_CUSTOM_MODEL_WORKERS"])
    assert processes == {"type": "numeric", "payload": 2}
    assert {given[f"{name}_NUM_THREADS"] for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "BLIS")} == {"3"}
    assert given["VECLIB_MAXIMUM_THREADS"] == "3"


@pytest.mark.parametrize("with_body", [True, False])
def test_a_hanging_page_does_not_hang_us(with_body):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer = get("127.0.0.1", listener.getsockname()[1], "/", 0.1, with_body=with_body)
    assert answer.status is None
    assert "none within 0.1 s" in answer.text
