"""`/directAccess/` in front of a stub upstream: nobody waits for another, and answers pass as they come."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from sweeper.cli.wiring import SystemClock
from sweeper.launch import FastApiLauncher, LaunchOptions
from sweeper.launch.ports import free_port
from sweeper.load import LocustGenerator
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Verdict
from sweeper.records.run import RunPlan
from sweeper.run.interfaces import Parts
from sweeper.run.timing import RunSettings
from sweeper.telemetry import ProcTelemetry
from tests.support.code_folders import csv, light, rows
from tests.support.one_run import execute_run
from tests.support.server_process import LIMIT_S, Running, environment, running, until

CALLERS = 120  # more than there are workers, and than httpx has connections by itself
GATE = {"DRUM_MAX_CONCURRENT_REQUESTS": 2 * CALLERS, "DRUM_MAX_QUEUE_DEPTH": 2 * CALLERS}
"""The first gate is before every route that may be slow, this one, too."""


class Upstream(http.server.ThreadingHTTPServer):
    """`together` answers CALLERS at once, and only all of them; `stream` sends its second half when told."""

    request_queue_size = 2 * CALLERS
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.together = threading.Barrier(CALLERS, timeout=LIMIT_S)
        self.first_half_read = threading.Event()
        self.ended = threading.Event()
        self.served = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(http.server.BaseHTTPRequestHandler):
    server: Upstream
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        getattr(self, self.path.strip("/"))()
        self.server.served += 1

    def together(self) -> None:
        self.server.together.wait()
        self.begin(203, 2)
        self.wfile.write(b"ok")

    def stream(self) -> None:
        self.begin(206, 10)
        self.wfile.write(b"first")
        self.server.first_half_read.wait(LIMIT_S)
        self.wfile.write(b"other")

    def broken(self) -> None:
        self.begin(200, 10)
        self.wfile.write(b"first")
        self.close_connection = True

    def silent(self) -> None:
        self.server.ended.wait(LIMIT_S)
        self.close_connection = True

    def slow(self) -> None:
        self.server.ended.wait(0.1)
        self.begin(200, 2)
        self.wfile.write(b"ok")

    def echo(self) -> None:
        name = self.headers["X-Name"].encode("latin-1")
        self.begin(200, len(name))
        self.wfile.write(name)

    def begin(self, status: int, size: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.ended.set()
        server.shutdown()
        thread.join(LIMIT_S)


@pytest.fixture(scope="module")
def proxy(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One worker, so that whatever takes a thread of the pool stands in the way of everything else."""
    parameters = {"DRUM_DIRECT_ACCESS_UPSTREAM": upstream.url, "DRUM_FASTAPI_EXECUTOR_WORKERS": 1, **GATE}
    code_dir = light(tmp_path_factory.mktemp("direct") / "code")
    with running(code_dir, free_port(), **parameters) as server:
        yield server


def test_callers_wait_at_the_upstream_and_for_nothing_else(proxy: Running, upstream: Upstream) -> None:
    limits = httpx.Limits(max_connections=None)
    base_url = proxy.client.base_url
    with (
        httpx.Client(base_url=base_url, timeout=LIMIT_S, trust_env=False, limits=limits) as client,
        ThreadPoolExecutor(CALLERS) as callers,
    ):
        asked = [callers.submit(client.get, "/directAccess/together") for _ in range(CALLERS - 1)]
        until(lambda: upstream.together.n_waiting == CALLERS - 1, "everybody is at the upstream")
        assert proxy.get("/ping/").status_code == 200
        assert proxy.predict(csv(rows(2))).status_code == 200
        asked.append(callers.submit(client.get, "/directAccess/together"))
        answers = [call.result(LIMIT_S) for call in asked]
    assert [(answer.status_code, answer.text) for answer in answers] == [(203, "ok")] * CALLERS
    assert proxy.stats()["executor_completed"] == 1  # the prediction alone


def test_an_answer_passes_as_it_comes(proxy: Running, upstream: Upstream) -> None:
    with proxy.client.stream("GET", "/directAccess/stream") as answer:
        assert answer.status_code == 206
        parts = answer.iter_raw()
        assert next(parts) == b"first"
        upstream.first_half_read.set()  # not before: the rest is not even sent yet
        assert b"".join(parts) == b"other"


def test_a_header_in_any_encoding_is_passed_on(proxy: Running) -> None:
    answer = proxy.client.get("/directAccess/echo", headers=[(b"X-Name", b"caf\xe9")])
    assert (answer.status_code, answer.content) == (200, b"caf\xe9")


def test_an_upstream_that_is_silent_or_breaks_off_is_no_success(
    proxy: Running, upstream: Upstream, tmp_path: Path
) -> None:
    parameters = {"DRUM_DIRECT_ACCESS_UPSTREAM": upstream.url, "DRUM_CLIENT_REQUEST_TIMEOUT": 0.2}
    with running(light(tmp_path / "code"), free_port(), **parameters) as impatient:
        late = impatient.get("/directAccess/silent")
        assert late.status_code == 504
        assert "did not answer in time" in late.json()["message"]
    with pytest.raises(httpx.RemoteProtocolError):
        proxy.get("/directAccess/broken")
    assert proxy.get("/ping/").status_code == 200


MIXED = """
from locust import FastHttpUser, constant, task

ROWS = open("rows.csv", "rb").read()

class Predicts(FastHttpUser):
    fixed_count = 1
    wait_time = constant(0.05)

    @task
    def predict(self):
        self.client.post("/predict/", data=ROWS, headers={"Content-Type": "text/csv"})

class Chats(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def chat(self):
        self.client.get("/directAccess/slow")
"""


@pytest.mark.e2e
def test_a_load_of_predictions_and_direct_access_is_measured(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nineteen requests wait in the server, and one worker of four is busy at most: it is no liar."""
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_bytes(csv(rows(2)))
    Path("mixed.py").write_text(MIXED)
    gate = {name: str(value) for name, value in GATE.items()}
    options = LaunchOptions(environ=environment({"DRUM_DIRECT_ACCESS_UPSTREAM": upstream.url, **gate}))
    code_dir = light(tmp_path / "code")
    (code_dir / "model-metadata.yaml").write_text("name: light\ntype: inference\ntargetType: regression\n")
    launcher = FastApiLauncher(code_dir, options)
    load = LocustGenerator(20, locustfile=Path("mixed.py"))
    settings = RunSettings(window_s=2.0, warmup_s=1.0, warmup_cap_s=1.0, host_cores=os.cpu_count() or 1)
    before = upstream.served
    result = execute_run(
        RunPlan("b01-01", 1, 1, Configuration(4)),
        settings,
        Parts(launcher, load, ProcTelemetry(), SystemClock()),
        tmp_path,
    )
    codes = {finding.code for finding in result.record.findings}
    assert result.record.verdict is not Verdict.FAILED, result.record.findings
    assert not {"pool-size-not-applied", "pool-not-used", "pool-size-unverified"} & codes
    figures, requests = result.record.figures, result.requests
    assert figures is not None
    assert requests is not None
    assert figures.error_rate == 0.0
    assert figures.max_concurrency == 1
    assert 0 < upstream.served - before < len(requests.started_s)  # the rest were predictions
