"""The real server process over HTTP: its routes, its limits, its end, and why it does not start."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from sweeper.launch.ports import free_port
from tests.server.folders import csv, expected, folder, light, light_expected, rows
from tests.server.running import LIMIT_S, Running, command, run, running, until

NO_SAMPLES = (
    "ERROR: Samples should be provided as:   - a csv or mtx under `X` form-data param key.  - binary data"
)
LOADING = {"message": "ERROR: The model is still being loaded."}
HELD = """
import pathlib
import time

import pandas as pd

HERE = pathlib.Path(__file__).parent

def score(data, model, **kwargs):
    deadline_s = time.monotonic() + 30
    while not (HERE / "gate").exists() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return pd.DataFrame({"Predictions": model.predict(data)})
"""
SLOW_LOAD = """
import pathlib
import time

HERE = pathlib.Path(__file__).parent

def init(code_dir):
    deadline_s = time.monotonic() + 30
    while not (HERE / "gate").exists() and time.monotonic() < deadline_s:
        time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all tests that leave it as it is."""
    path = folder(tmp_path_factory.mktemp("plain") / "code")
    (path / "model-metadata.yaml").write_text("name: mine\nmade: 2024-05-01\nscore: .nan\n")
    limits = {"DRUM_FASTAPI_MAX_UPLOAD_SIZE": 5000, "DRUM_FASTAPI_EXECUTOR_WORKERS": 3}
    with running(path, free_port(), **limits) as server:
        yield server


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


# --- routes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/ping", "/ping/", "/livez", "/readyz", "/health/"])
def test_it_is_well(plain, path):
    answer = plain.get(path)
    assert (answer.status_code, answer.json()) == (200, {"message": "OK"})
    assert answer.headers["content-type"] == "application/json"


def test_capabilities_and_info(plain):
    assert plain.get("/capabilities/").json() == {
        "supported_payload_formats": {"csv": None}, "supported_methods": {"chat": False},
    }  # fmt: skip
    info = plain.get("/info/").json()
    assert info.pop("drumVersion").startswith("1.18.1")
    assert Path(info.pop("codeDir")).name == "code"
    assert info == {
        "drumServer": "fastapi",
        "language": "python",
        "modelMetadata": {"name": "mine", "made": "2024-05-01", "score": None},
        "predictor": "scikit-learn",
        "targetType": "regression",
    }


def test_stats_count_what_was_done(plain):
    before = plain.stats()
    assert plain.predict(csv()).status_code == 200
    assert plain.predict(b"").status_code == 422
    after = plain.stats()
    assert after["executor_completed"] == before["executor_completed"] + 2
    assert (after["executor_workers"], after["executor_max_queue"]) == (3, 30)
    assert after["executor_pending"] == after["executor_running"] == after["executor_rejected"] == 0
    assert 1 <= after["executor_max_concurrency"] <= 3
    assert after["mem_info"]["drum_rss"] == pytest.approx(sum(each["mem"] for each in after["drum_info"]))
    assert [each["pid"] for each in after["drum_info"]] == [plain.process.pid]
    times = after["time_info"]["run_predictor_total"]
    assert 0 < times["min"] <= times["avg"] <= times["max"] <= times["total"]


@pytest.mark.parametrize("path", ["/predict/", "/predictions/", "/invocations"])
def test_predictions_equal_the_bare_models(plain, path):
    answer = plain.predict(csv(), path)
    assert (answer.status_code, answer.json()) == (200, {"predictions": expected()})
    raw = plain.client.post(path, content=csv(), headers={"Content-Type": "text/csv"})
    assert raw.content == answer.content
    assert raw.headers["content-type"] == "application/json"


def test_requests_the_server_refuses(plain):
    empty = plain.client.post("/predict/")
    assert (empty.status_code, empty.json()) == (422, {"message": NO_SAMPLES})
    other = plain.client.post("/predict/", files={"Y": ("a.csv", csv())})
    assert (other.status_code, other.json()) == (422, {"message": NO_SAMPLES})
    assert plain.predict(b"a,b\n1,2\n").status_code == 422
    for method, path, status in [
        ("GET", "/predict/", 405),
        ("GET", "/nowhere", 404),
        ("POST", "/ping/", 405),
    ]:
        answer = plain.client.request(method, path)
        assert (answer.status_code, list(answer.json())) == (status, ["message"])
    assert plain.get("/docs").status_code == plain.get("/openapi.json").status_code == 404
    none = plain.client.put("/directAccess/v1/models")
    assert (none.status_code, list(none.json())) == (400, ["message"])


@pytest.mark.parametrize("streamed", [False, True])
def test_a_body_over_the_limit_is_413(plain, streamed):
    completed = plain.stats()["executor_completed"]
    body = b"x" * 5001
    chunks = iter([body[:3000], body[3000:]])
    answer = plain.client.post("/predict/", content=chunks if streamed else body)
    assert (answer.status_code, answer.json()) == (
        413, {"message": "ERROR: The request is larger than 5000 bytes."},
    )  # fmt: skip
    assert plain.stats()["executor_completed"] == completed  # no thread saw it
    assert plain.client.post("/predict/", content=iter([b"a,b,c\n", b"1,2,3\n"])).status_code == 200


def test_port_zero_docs_and_a_model_that_fails_now_and_then(tmp_path):
    custom = """
    import sys

    def post_process(predictions, model):
        if len(predictions) == 1:
            sys.exit("no")
        if len(predictions) == 2:
            raise OSError("disk")
        return predictions
    """
    with running(light(tmp_path / "code", custom), 0, DRUM_FASTAPI_ENABLE_DOCS="true") as server:
        until(server.port)
        server.client.base_url = f"http://127.0.0.1:{server.port()}"
        assert server.get("/docs").status_code == 200
        assert {"/predict/", "/stats/"} <= set(server.get("/openapi.json").json()["paths"])
        for number, reason in ((1, "SystemExit"), (2, "disk")):
            answer = server.predict(csv(rows(number)))
            assert answer.status_code == 500
            assert reason in answer.json()["message"]
        assert server.predict(csv(rows(3))).json() == {"predictions": light_expected(3)}
        assert server.terminate() == 0


# --- a held pool -------------------------------------------------------------------------------------------


def test_a_full_pool_refuses_with_503_answers_pings_and_ends_with_what_it_has_begun(tmp_path, pool):
    path = light(tmp_path / "code", HELD)
    limits = {"DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH": 1, "DRUM_FASTAPI_EXECUTOR_QUEUE_TIMEOUT": 0.2}
    with running(path, free_port(), "--workers", "2", **limits) as server:
        try:
            begun = [pool.submit(server.predict, csv(rows(number))) for number in (1, 2, 3)]
            until(lambda: server.stats()["executor_pending"] == 3)
            until(lambda: server.stats()["executor_running"] == 2)
            refused = server.predict(csv())
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            assert "No place in the prediction queue" in refused.json()["message"]
            for route in ("/ping/", "/readyz", "/livez", "/info/"):
                assert server.get(route).status_code == 200
            stats = server.stats()
            assert (stats["executor_rejected"], stats["executor_max_concurrency"]) == (1, 2)
            names = {(file / "comm").read_text().strip() for file in tasks(server.process.pid)}
            assert {name for name in names if name.startswith("drum-predict")} == {
                "drum-predict-0", "drum-predict-1",
            }  # fmt: skip
            server.process.send_signal(signal.SIGTERM)
            until(lambda: refuses_connections(server))
            assert server.process.poll() is None
        finally:
            (path / "gate").touch()
        answers = [future.result(LIMIT_S) for future in begun]
        assert [answer.json() for answer in answers] == [
            {"predictions": light_expected(number)} for number in (1, 2, 3)
        ]
        assert server.process.wait(LIMIT_S) == 0


def tasks(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def refuses_connections(server: Running) -> bool:
    assert server.client.base_url.port is not None
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", server.client.base_url.port)) != 0


def test_a_request_over_its_time_is_504_and_the_end_does_not_wait_for_its_thread(tmp_path):
    path = light(tmp_path / "code", HELD)
    with running(path, free_port(), DRUM_CLIENT_REQUEST_TIMEOUT="0.2") as server:
        late = server.predict(csv())
        assert (late.status_code, late.json()) == (
            504, {"message": "ERROR: The request took longer than 0.2 s."},
        )  # fmt: skip
        assert server.stats()["executor_pending"] == 1
        assert server.terminate() == 0


def test_until_the_model_is_loaded_it_lives_but_is_not_ready(tmp_path):
    path = light(tmp_path / "code", SLOW_LOAD)
    with running(path, free_port(), ready=False) as server:
        until(lambda: server.get("/livez").status_code == 200)
        for route in ("/readyz", "/ping/", "/ping", "/"):
            answer = server.get(route)
            assert (answer.status_code, answer.json()) == (503, LOADING)
        early = server.predict(csv())
        assert (early.status_code, early.json()) == (503, LOADING)
        assert early.headers["Retry-After"] == "1"
        assert server.get("/info/").json()["predictor"] is None
        (path / "gate").touch()
        until(lambda: server.get("/ping/").status_code == 200)
        assert server.get("/readyz").status_code == 200
        assert server.predict(csv()).json() == {"predictions": light_expected()}


def test_it_can_be_stopped_while_the_model_is_loaded(tmp_path):
    with running(light(tmp_path / "code", SLOW_LOAD), free_port(), ready=False) as server:
        until(lambda: server.get("/livez").status_code == 200)
        assert server.terminate() == 0


# --- no start ----------------------------------------------------------------------------------------------


def refused(path: Path, *options: str, port: int = 0, **parameters: object) -> str:
    code, output, errors = run(command(path, port, *options), **parameters)
    assert (code, output) == (2, ""), errors
    assert errors.endswith((".\n", "?\n"))
    assert errors.count("\n") == 1
    return errors


def test_wrong_parameters_folders_and_ports_are_exit_code_2_and_one_sentence(tmp_path):
    good = folder(tmp_path / "good")
    assert "DRUM_FASTAPI_EXECUTOR_WORKERS is 'x'" in refused(good, DRUM_FASTAPI_EXECUTOR_WORKERS="x")
    assert "is not a runtime parameter" in refused(good, DRUM_FASTAPI_WORKERS=4)
    assert "does not exist" in refused(tmp_path / "missing")
    assert "holds no model artifact" in refused(folder(tmp_path / "none", artifact=False))
    two = folder(tmp_path / "two")
    (two / "b.joblib").touch()
    assert "holds 2 model artifacts" in refused(two)
    assert "--port is 70000" in refused(good, port=70000)
    assert "--port" in refused(good, "--port", "http")
    assert "--workers is 0" in refused(good, "--workers", "0")
    assert "--host is 'no.such.host.invalid'" in refused(good, "--host", "no.such.host.invalid")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for processes in (1, 2):
            sentence = refused(good, port=port, CUSTOM_MODEL_WORKERS=processes)
            assert f"127.0.0.1 port {port}: address already in use" in sentence


@pytest.mark.parametrize("processes", [1, 2])
def test_what_only_loading_shows_is_exit_code_2_and_one_sentence(tmp_path, processes):
    path = folder(tmp_path / "corrupt", artifact=False)
    (path / "model.pkl").write_bytes(b"\x80\x05no pickle")
    assert "model.pkl cannot be loaded: " in refused(path, CUSTOM_MODEL_WORKERS=processes)


def test_metadata_that_is_no_yaml(tmp_path):
    path = light(tmp_path / "code")
    (path / "model-metadata.yaml").write_text("a: [")
    assert "model-metadata.yaml is not valid YAML" in refused(path)


def script(path: Path, patch: str, last: str) -> tuple[int, str, str]:
    """Run the server from inside a process in which something happens at a given moment."""
    text = f"""
    import os, pathlib, signal, socket, sys
    from sweeper.server import listening, process, processes
    from sweeper.server.code_dir import inspect_code_dir
    from sweeper.server.errors import StartError
    from sweeper.server.parameters import Parameters
    from sweeper.server.service import Service

    code_dir = inspect_code_dir(pathlib.Path({str(path)!r}))
    """
    body = textwrap.dedent(text) + textwrap.dedent(patch) + textwrap.dedent(last)
    return run([sys.executable, "-P", "-c", body])


def test_a_stop_just_before_the_server_runs_is_not_lost(tmp_path):
    code, _, errors = script(
        light(tmp_path / "code"),
        """
        start = process.Loader.start
        def stopped(self):
            os.kill(os.getpid(), signal.SIGTERM)
            start(self)
        process.Loader.start = stopped
        """,
        "sys.exit(process.serve(Service(Parameters(), code_dir), listening.bind('127.0.0.1', 0)))",
    )
    assert (code, errors) == (0, "")


def test_a_stop_while_the_parent_starts_its_processes_reaches_them_all(tmp_path):
    code, _, errors = script(
        light(tmp_path / "code"),
        """
        fork = os.fork
        def stopped():
            pid = fork()
            if pid:
                os.kill(os.getpid(), signal.SIGTERM)
            return pid
        os.fork = stopped
        """,
        "bound = listening.bind('127.0.0.1', 0, shared=True)\n"
        "sys.exit(processes.supervise(Parameters(processes=3), code_dir, bound))",
    )
    assert (code, errors) == (0, "")


def test_the_slower_of_two_servers_that_took_one_port_says_so(tmp_path):
    code, _, errors = script(
        light(tmp_path / "code"),
        """
        bound = listening.bind("127.0.0.1", 0)
        faster = listening.bind("127.0.0.1", bound.getsockname()[1])
        faster.listen()
        try:
            process.serve(Service(Parameters(), code_dir), bound)
        except StartError as error:
            sys.exit(str(error))
        """,
        "",
    )
    assert code == 1
    assert errors.startswith("Cannot listen on http://127.0.0.1:")
    assert "already in use" in errors


# --- directAccess ------------------------------------------------------------------------------------------


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked, and gives everybody a cookie."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = {
            "method": self.command,
            "path": self.path,
            "body": body.decode(),
            "headers": {name.lower(): value for name, value in self.headers.items()},
        }
        text = json.dumps(seen).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Set-Cookie", "session=secret; Path=/")
        self.send_header("X-Upstream", "yes")
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_direct_access_hands_requests_on_and_keeps_nothing(tmp_path):
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=upstream.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{upstream.server_address[1]}/base"
    limits = {"DRUM_DIRECT_ACCESS_UPSTREAM": url, "DRUM_FASTAPI_MAX_UPLOAD_SIZE": 100}
    try:
        with running(light(tmp_path / "code"), free_port(), **limits) as server:
            for method, content in (("GET", b""), ("POST", b"some text"), ("PUT", b"other")):
                # A fresh client each time: a cookie that comes was kept by the server.
                answer = httpx.request(
                    method,
                    f"{server.client.base_url}/directAccess/v1/a%20b?x=1&y=%2F",
                    content=content,
                    headers={"X-Mine": "1"},
                    timeout=LIMIT_S,
                    trust_env=False,
                    verify=False,
                )
                assert (answer.status_code, answer.headers["X-Upstream"]) == (201, "yes")
                assert "session=secret" in answer.headers["Set-Cookie"]
                seen = answer.json()
                assert (seen["method"], seen["body"]) == (method, content.decode())
                assert seen["path"] == "/base/v1/a%20b?x=1&y=%2F"
                assert seen["headers"]["x-mine"] == "1"
                assert "cookie" not in seen["headers"]
            bare = b"GET /directAccess/v1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            assert set(json.loads(exchange(server, bare))["headers"]) == {"host"}
            assert server.client.post("/directAccess/v1", content=b"x" * 101).status_code == 413
            assert server.client.delete("/directAccess/v1").status_code == 405
            upstream.shutdown()
            upstream.server_close()
            down = server.get("/directAccess/v1")
            assert down.status_code == 502
            assert f"The upstream {url} cannot be reached" in down.json()["message"]
            assert server.predict(csv(rows(1))).status_code == 413  # the same limit for predictions
    finally:
        upstream.shutdown()
        upstream.server_close()
        thread.join(LIMIT_S)


def exchange(server: Running, request: bytes) -> str:
    """The JSON object in the answer to a request that is sent exactly as given."""
    address = ("127.0.0.1", server.client.base_url.port)
    with socket.create_connection(address, timeout=LIMIT_S) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    return answer[answer.index("{") : answer.rindex("}") + 1]


# --- several processes -------------------------------------------------------------------------------------


def serving(server: Running) -> set[int]:
    return {child.pid for child in psutil.Process(server.process.pid).children()}


def cpu_and_threads(pids: set[int]) -> dict[int, int]:
    """How many pool threads each process has: none before its first prediction."""
    return {
        pid: sum((task / "comm").read_text().startswith("drum-predict") for task in tasks(pid))
        for pid in pids
    }


def predict_anew(server: Running) -> bool:
    """One prediction on a connection of its own, so that the kernel chooses a process."""
    files = {"X": ("sample.csv", csv(), "text/csv")}
    url = f"{server.client.base_url}/predict/"
    answer = httpx.post(url, files=files, timeout=LIMIT_S, trust_env=False, verify=False)
    if answer.status_code == 503:  # the process started again is still loading
        assert answer.json() == LOADING
        return False
    assert answer.json() == {"predictions": light_expected()}
    return True


def test_two_processes_serve_a_killed_one_is_replaced_and_sigterm_ends_all(tmp_path):
    with running(light(tmp_path / "code"), free_port(), CUSTOM_MODEL_WORKERS=2) as server:
        first = serving(server)
        assert len(first) == 2
        until(lambda: predict_anew(server) and all(cpu_and_threads(first).values()))
        stats = server.stats()
        assert (stats["executor_processes"], stats["executor_workers"]) == (2, 4)
        assert {each["pid"] for each in stats["drum_info"]} == {server.process.pid, *first}
        server.client.close()
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(serving(server)) == 2 and victim not in serving(server))
        second = serving(server)
        assert len(second & first) == 1
        until(lambda: predict_anew(server) and all(cpu_and_threads(second).values()))
        assert "it is started again" in server.log.read_text()
        assert server.terminate() == 0
        assert not any(psutil.pid_exists(pid) for pid in first | second)


def test_ctrl_c_lets_every_process_finish_what_it_answers(tmp_path, pool):
    path = light(tmp_path / "code", HELD)
    with running(path, free_port(), CUSTOM_MODEL_WORKERS=2) as server:
        try:
            begun = [pool.submit(predict_anew, server) for _ in range(4)]
            until(lambda: server.stats()["executor_running"] == 4)
            server.client.close()
            os.killpg(server.process.pid, signal.SIGINT)  # as a terminal sends it: to everyone at once
            until(lambda: refuses_connections(server))
        finally:
            (path / "gate").touch()
        assert all(future.result(LIMIT_S) for future in begun)
        assert server.process.wait(LIMIT_S) == 0
