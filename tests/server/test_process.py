"""The real server process over HTTP: its routes, its limits, its end, and why it does not start."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from sweeper.launch.ports import free_port
from tests.support.code_folders import csv, expected, folder, light, light_expected, rows
from tests.support.server_process import LIMIT_S, Running, running, until

NO_SAMPLES = (
    "ERROR: Samples should be provided as:   - a csv or mtx under `X` form-data param key.  - binary data"
)
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
OVERLOADED = {
    "message": "Server overloaded. Please retry later.",
    "error": "SERVICE_UNAVAILABLE",
    "retry_after": 5,
}
INFORMATION = (
    "/", "/ping", "/ping/", "/livez", "/readyz", "/startupz",
    "/health/", "/capabilities/", "/info/", "/stats/",
)  # fmt: skip
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
    (HERE / "loading").touch()
    deadline_s = time.monotonic() + 30
    while not (HERE / "gate").exists() and time.monotonic() < deadline_s:
        time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all tests that leave it as it is."""
    path = folder(tmp_path_factory.mktemp("plain") / "code")
    (path / "model-metadata.yaml").write_text("name: mine\ntype: inference\ntargetType: regression\n")
    limits = {"DRUM_FASTAPI_MAX_UPLOAD_SIZE": 5000, "DRUM_FASTAPI_EXECUTOR_WORKERS": 3}
    with running(path, free_port(), **limits) as server:
        yield server


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


# --- routes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/", {"message": "OK"}),
        ("/ping", {"message": "OK"}),
        ("/ping/", {"message": "OK"}),
        ("/health/", {"message": "OK"}),
        ("/livez", {"status": "alive"}),
        ("/readyz", {"status": "ready"}),
        ("/startupz", {"status": "ready"}),
    ],
)
def test_it_is_well(plain, path, document):
    answer = plain.get(path)
    assert (answer.status_code, answer.json()) == (200, document)
    assert answer.headers["content-type"] == "application/json"


def test_capabilities_and_info(plain):
    assert plain.get("/capabilities/").json() == {
        "supported_payload_formats": {"csv": None, "mtx": None}, "supported_methods": {"chat": False},
    }  # fmt: skip
    info = plain.get("/info/").json()
    assert info.pop("drumVersion").startswith("1.18.1")
    assert Path(info.pop("codeDir")).name == "code"
    assert info == {
        "drumServer": "fastapi",
        "language": "python",
        "modelMetadata": {"name": "mine", "type": "inference", "targetType": "regression"},
        "predictor": "scikit-learn",
        "targetType": "regression",
    }


def test_a_head_has_the_status_and_no_body_and_takes_no_thread(plain):
    before = plain.stats()
    for path in INFORMATION:
        answer = plain.client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert int(answer.headers["content-length"]) > 0
    after = plain.stats()
    for name in ("executor_completed", "backpressure_accepted"):
        assert after[name] == before[name]
    assert plain.client.head("/predict/").status_code == 405  # DRUM's own, as under gunicorn


def test_stats_count_what_was_done(plain):
    before = plain.stats()
    assert plain.predict(csv()).status_code == 200
    assert plain.predict(b"").status_code == 500
    after = plain.stats()
    assert after["executor_completed"] == before["executor_completed"] + 2
    assert after["backpressure_accepted"] == before["backpressure_accepted"] + 2
    assert after["backpressure_queue_depth"] == after["backpressure_rejected"] == 0
    assert after["backpressure_avg_wait_ms"] == after["backpressure_peak_queue_depth"] == 0
    assert (after["executor_workers"], after["executor_max_queue"]) == (3, 30)
    assert after["executor_pending"] == after["executor_running"] == after["executor_rejected"] == 0
    assert 1 <= after["executor_max_concurrency"] <= 3
    assert after["mem_info"]["drum_rss"] == pytest.approx(sum(each["mem"] for each in after["drum_info"]))
    assert [each["pid"] for each in after["drum_info"]] == [plain.process.pid]
    times = after["time_info"]["run_predictor_total"]
    assert 0 < times["min"] <= times["avg"] <= times["max"] <= times["total"]


@pytest.mark.parametrize("path", ["/predict/", "/predictions/", "/invocations", "/predict", "/predictions"])
def test_predictions_are_the_bare_models(plain, path):
    answer = plain.predict(csv(), path)
    assert answer.status_code == 200
    assert list(answer.json()) == ["predictions"]
    assert answer.json()["predictions"] == pytest.approx(expected(), abs=1e-9)  # DRUM prints ten decimals
    for content in (csv(), iter([csv()[:50], csv()[50:]])):  # whole, and in chunks
        raw = plain.client.post(path, content=content, headers={"Content-Type": "text/csv"})
        assert raw.content == answer.content
        assert raw.headers["content-type"] == "application/json"


def test_the_path_is_taken_as_it_came(plain):
    assert plain.predict(csv(), "/predict%2F").status_code == 200
    assert plain.predict(csv(), "/predict/?x=%2F&y=ä").status_code == 200
    for path in ("/pr%C3%A4dict/", "/%FF", "/a%3Fb"):
        assert plain.get(path).status_code == 404


def test_requests_the_server_refuses(plain):
    empty = plain.client.post("/predict/")
    assert (empty.status_code, empty.json()) == (422, {"message": NO_SAMPLES})
    other = plain.client.post("/predict/", files={"Y": ("a.csv", csv())})
    assert (other.status_code, other.json()) == (422, {"message": NO_SAMPLES})
    for method, path, status in [
        ("GET", "/predict/", 405),
        ("GET", "/nowhere", 404),
        ("POST", "/ping/", 405),
    ]:
        assert plain.client.request(method, path).status_code == status
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
        413, {"message": "Request body too large. Maximum size: 5000 bytes"},
    )  # fmt: skip
    assert plain.stats()["executor_completed"] == completed  # no thread saw it
    assert plain.predict(csv()).status_code == 200


HALF_AN_UPLOAD = b"POST /predict/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\na,b,c\n"


def test_uploads_that_break_off_leave_no_place_taken(plain):
    accepted = plain.stats()["backpressure_accepted"]
    for _ in range(12):  # more than the gate lets through
        with socket.create_connection(("127.0.0.1", plain.client.base_url.port)) as connection:
            connection.sendall(HALF_AN_UPLOAD)
    until(lambda: plain.stats()["backpressure_accepted"] == accepted + 12)
    assert plain.predict(csv()).status_code == 200
    assert plain.stats()["backpressure_queue_depth"] == plain.stats()["executor_pending"] == 0


def test_every_answer_has_the_headers_of_the_plan(plain):
    answers = [
        plain.predict(csv()),
        plain.get("/ping/"),
        plain.get("/info/"),
        plain.get("/nowhere"),
        plain.get("/predict/"),
        plain.client.post("/predict/"),
        plain.client.post("/predict/", content=b"x" * 5001),
        plain.client.head("/ping/"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 405, 422, 413, 200]
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers.get_list(name) == [value]
        assert answer.headers["X-Drum-Version"].startswith("1.18.1")
        assert float(answer.headers["X-Response-Time-Ms"]) >= 0
        for name in ("X-Request-ID", "X-Drum-Version", "Content-Length", "Content-Type", "Date"):
            assert len(answer.headers.get_list(name)) == 1
        assert "x_request_id" not in answer.headers  # DRUM's own, of the same value
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == len(answers)


@pytest.mark.parametrize("given", [b"mine-1", b"caf\xe9", b"a" * 300])
def test_the_clients_request_id_comes_back(plain, given):
    for path in ("/predict/", "/nowhere"):
        answer = plain.client.post(path, headers=[(b"X-Request-ID", given)])
        assert [value for name, value in answer.headers.raw if name.lower() == b"x-request-id"] == [given]
    assert plain.client.post("/predict/", headers={"X-Request-ID": ""}).headers["X-Request-ID"]


def test_port_zero_docs_a_prefix_and_a_model_that_fails_now_and_then(tmp_path):
    custom = """
    import sys

    def post_process(predictions, model):
        if len(predictions) == 1:
            sys.exit("no")
        if len(predictions) == 2:
            raise OSError("disk")
        return predictions
    """
    variables = {"DRUM_FASTAPI_ENABLE_DOCS": "true", "URL_PREFIX": "/p"}
    with running(light(tmp_path / "code", custom), 0, **variables) as server:
        until(server.port)
        server.client.base_url = f"http://127.0.0.1:{server.port()}"
        assert server.get("/docs").status_code == 200
        assert {"/p/predict/", "/p/stats/"} <= set(server.get("/openapi.json").json()["paths"])
        for path in INFORMATION[1:]:
            assert server.get("/p" + path).status_code == 200
        for number, reason in ((1, "SystemExit"), (2, "disk")):
            answer = server.predict(csv(rows(number)), "/p/predict/")
            assert answer.status_code == 500
            assert reason in answer.json()["message"]
        answer = server.predict(csv(rows(3)), "/p/predict/")
        assert answer.json()["predictions"] == pytest.approx(light_expected(3), abs=1e-9)
        assert server.predict(csv(), "/predict/").status_code == 404
        assert server.terminate() == 0


# --- a held pool -------------------------------------------------------------------------------------------


def predicted(answer: httpx.Response, number: int) -> bool:
    return list(answer.json()["predictions"]) == pytest.approx(light_expected(number), abs=1e-9)


def test_a_full_pool_refuses_with_503_answers_pings_and_ends_with_what_it_has_begun(tmp_path, pool):
    path = light(tmp_path / "code", HELD)
    limits = {"DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH": 1, "DRUM_FASTAPI_EXECUTOR_QUEUE_TIMEOUT": 0.2}
    with running(path, free_port(), "--workers", "2", **limits) as server:
        try:
            begun = [pool.submit(server.predict, csv(rows(number))) for number in (1, 2, 3)]
            until(lambda: server.stats()["executor_pending"] == 3)
            until(lambda: server.stats()["executor_running"] == 2)
            refused = server.predict(csv())
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
            assert refused.json() == OVERLOADED
            assert refused.headers["X-Request-ID"]
            for route in INFORMATION:
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
        assert all(predicted(answer, number) for number, answer in enumerate(answers, 1))
        assert server.process.wait(LIMIT_S) == 0


def test_the_first_gate_refuses_at_once_when_full_and_later_who_waits_too_long(tmp_path, pool):
    path = light(tmp_path / "code", HELD)
    gate = {"DRUM_MAX_CONCURRENT_REQUESTS": 1, "DRUM_MAX_QUEUE_DEPTH": 2, "DRUM_BACKPRESSURE_TIMEOUT": 1}
    with running(path, free_port(), **gate) as server:
        try:
            inside = pool.submit(server.predict, csv(rows(1)))
            until(lambda: server.stats()["executor_running"] == 1)
            waiting = pool.submit(server.predict, csv(rows(2)))
            until(lambda: server.stats()["backpressure_queue_depth"] == 1)
            for route in INFORMATION:
                assert server.get(route).status_code == 200
            full = server.get("/nowhere")  # whatever may need a thread
            assert (full.status_code, full.headers["Retry-After"]) == (503, "5")
            text = "Service temporarily unavailable due to high load"
            assert full.json() == {"message": text, "retry_after": 5}
            late = waiting.result(LIMIT_S)
            assert (late.status_code, late.headers["Retry-After"]) == (503, "10")
            text = "Service temporarily unavailable due to request queue timeout"
            assert late.json() == {"message": text, "retry_after": 10}
            for answer in (full, late):
                assert answer.headers["X-Request-ID"]
                assert answer.headers["X-Frame-Options"] == "DENY"
        finally:
            (path / "gate").touch()
        assert predicted(inside.result(LIMIT_S), 1)
        assert predicted(server.predict(csv(rows(2))), 2)
        stats = server.stats()
        assert {name: stats[f"backpressure_{name}"] for name in ("accepted", "rejected", "queue_depth")} == {
            "accepted": 2, "rejected": 2, "queue_depth": 0,
        }  # fmt: skip
        assert stats["backpressure_peak_queue_depth"] == stats["executor_max_concurrency"] == 1
        assert (stats["backpressure_max_concurrent"], stats["executor_completed"]) == (1, 2)


def test_bodies_of_those_who_wait_at_the_gate_are_not_read(tmp_path, pool):
    path = light(tmp_path / "code", HELD)
    large = csv(rows(1)) + b"\n" * 20_000_000
    with running(path, free_port(), DRUM_MAX_CONCURRENT_REQUESTS=1) as server:
        try:
            asked = [pool.submit(server.predict, csv(rows(1)))]
            until(lambda: server.stats()["executor_running"] == 1)
            before_mb = server.stats()["mem_info"]["drum_rss"]
            asked += [pool.submit(server.predict, large) for _ in range(7)]
            until(lambda: server.stats()["backpressure_queue_depth"] == 7)
            assert server.stats()["mem_info"]["drum_rss"] - before_mb < 20
        finally:
            (path / "gate").touch()
        assert all(predicted(future.result(LIMIT_S), 1) for future in asked)


def tasks(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def refuses_connections(server: Running) -> bool:
    assert server.client.base_url.port is not None
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", server.client.base_url.port)) != 0


def test_a_request_over_its_time_is_504_and_the_end_does_not_wait_for_its_thread(tmp_path):
    path = light(tmp_path / "code", HELD)
    with running(path, free_port(), DRUM_CLIENT_REQUEST_TIMEOUT="0.2") as server:
        late = server.client.post("/predict/", content=csv(), headers={"X-Request-ID": "mine"})
        assert (late.status_code, late.json()) == (
            504, {"message": "Request timeout after 0.2s", "request_id": "mine"},
        )  # fmt: skip
        assert late.headers["Connection"] == "close"
        with socket.create_connection(("127.0.0.1", server.client.base_url.port), LIMIT_S) as connection:
            connection.sendall(HALF_AN_UPLOAD)  # the rest of which is not waited for
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 504 ")
        assert server.stats()["executor_pending"] == 1
        assert server.terminate() == 0


def test_the_port_opens_when_the_model_is_loaded(tmp_path):
    path = light(tmp_path / "code", SLOW_LOAD)
    with running(path, free_port(), ready=False) as server:
        until((path / "loading").exists)
        assert refuses_connections(server)
        (path / "gate").touch()
        until(lambda: server.get("/ping/").status_code == 200)
        assert server.get("/readyz").status_code == 200
        assert predicted(server.predict(csv(rows(2))), 2)


@pytest.mark.parametrize("processes", [1, 2])
def test_it_can_be_stopped_while_the_model_is_loaded(tmp_path, processes):
    path = light(tmp_path / "code", SLOW_LOAD)
    with running(path, free_port(), ready=False, CUSTOM_MODEL_WORKERS=processes) as server:
        until((path / "loading").exists)
        assert server.terminate() == 0
        assert "Traceback" not in server.log.read_text()


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


def pool_threads(pids: set[int]) -> dict[int, int]:
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
    return predicted(answer, 7)


def test_two_processes_serve_a_killed_one_is_replaced_and_sigterm_ends_all(tmp_path):
    with running(light(tmp_path / "code"), free_port(), CUSTOM_MODEL_WORKERS=2) as server:
        first = serving(server)
        assert len(first) == 2
        asked = 0

        def both_have_predicted() -> bool:
            nonlocal asked
            asked += predict_anew(server)
            return all(pool_threads(first).values())

        until(both_have_predicted)
        stats = server.stats()
        assert (stats["executor_processes"], stats["executor_workers"]) == (2, 4)
        assert stats["executor_completed"] == asked  # by both, whichever tells
        assert {each["pid"] for each in stats["drum_info"]} < first
        server.client.close()
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(serving(server)) == 2 and victim not in serving(server))
        second = serving(server)
        assert len(second & first) == 1
        until(lambda: predict_anew(server) and all(pool_threads(second).values()))
        assert "it is started again" in server.log.read_text()
        assert server.terminate() == 0
        assert not any(psutil.pid_exists(pid) for pid in first | second)


def test_it_is_ready_when_every_process_is(tmp_path):
    custom = """
    import pathlib
    import time

    HERE = pathlib.Path(__file__).parent

    def init(code_dir):
        try:
            (HERE / "first").touch(exist_ok=False)
        except FileExistsError:
            deadline_s = time.monotonic() + 30
            while not (HERE / "gate").exists() and time.monotonic() < deadline_s:
                time.sleep(0.01)
    """
    path = light(tmp_path / "code", custom)
    with running(path, free_port(), ready=False, CUSTOM_MODEL_WORKERS=2) as server:
        until(lambda: server.get("/livez").status_code == 200)  # of the first
        for route in ("/readyz", "/startupz"):
            answer = server.get(route)
            assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
            assert "another process" in answer.json()["reason"]
        assert predict_anew(server)
        (path / "gate").touch()
        until(lambda: server.get("/readyz").status_code == 200)


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
