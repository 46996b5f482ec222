"""Streamed answers of the real server: thread and place are held as long as needed, and always come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from sweeper.launch.ports import free_port
from tests.support.code_folders import folder
from tests.support.hook_files import CHAT
from tests.support.server_process import LIMIT_S, Running, running, until

TIME_LIMIT_S = 1.0
ENDLESS = (
    CHAT
    + """
import pathlib
import time

HERE = pathlib.Path(__file__).parent

def load_model(code_dir):
    return "a model"

class Pieces:
    def __init__(self, text):
        self.text = text

    def __iter__(self):
        try:
            if self.text == "late":
                while not (HERE / "gate").exists():
                    time.sleep(0.01)
            for number in range(10 ** 9 if self.text != "slow" else 4):
                if self.text == "slow":
                    time.sleep(0.5)
                if self.text == "break" and number == 3:
                    raise ValueError("in the middle")
                if self.text == "exit" and number == 3:
                    raise SystemExit(3)
                yield piece(f"{number} " + "x" * (100_000 if self.text == "large" else 1))
        finally:
            (HERE / f"closed-{self.text}").touch()
"""
)


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    """Two threads behind a gate for one."""
    code_dir = folder(tmp_path_factory.mktemp("streams") / "code", ENDLESS, artifact=False)
    variables = {
        "TARGET_NAME": "text",
        "DRUM_CLIENT_REQUEST_TIMEOUT": TIME_LIMIT_S,
        "DRUM_MAX_CONCURRENT_REQUESTS": 1,
    }
    options = ("--target-type", "textgeneration", "--workers", "2")
    with running(code_dir, free_port(), *options, **variables) as server:
        yield server, code_dir


def body(text: str) -> dict[str, object]:
    return {"model": "m", "stream": True, "messages": [{"role": "user", "content": text}]}


def idle(server: Running) -> bool:
    stats = server.stats()
    return stats["executor_pending"] == stats["executor_running"] == stats["backpressure_queue_depth"] == 0


@pytest.mark.parametrize("text", ["endless", "large"])
def test_a_client_that_goes_away_gives_the_thread_and_the_place_back(streams, text):
    server, code_dir = streams
    with server.client.stream("POST", "/chat/completions", json=body(text)) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["X-Request-ID"]
        lines = answer.iter_lines()  # a name for it: with its end httpx closes the connection
        assert next(lines).startswith("data: ")
        stats = server.stats()
        assert (stats["executor_pending"], stats["executor_running"]) == (1, 1)
        time.sleep(0.2)  # nobody reads: the thread waits for room
    until(lambda: idle(server))
    assert (code_dir / f"closed-{text}").exists()  # what the hook has open is closed


def test_more_clients_than_threads_that_all_go_away(streams):
    server, _ = streams

    def leave(number: int) -> int:
        with server.client.stream("POST", "/chat/completions", json=body("endless")) as answer:
            next(answer.iter_lines())
            return answer.status_code

    with ThreadPoolExecutor(6) as callers:
        assert set(callers.map(leave, range(12))) == {200}
    until(lambda: idle(server))


@pytest.mark.parametrize("text", ["break", "exit"])
def test_a_stream_that_fails_is_cut_off_and_not_ended(streams, text):
    server, code_dir = streams
    lines = []
    with (
        pytest.raises(httpx.RemoteProtocolError),
        server.client.stream("POST", "/chat/completions", json=body(text)) as answer,
    ):
        lines += [line for line in answer.iter_lines() if line]
    assert "data: [DONE]" not in lines
    until(lambda: idle(server))
    assert (code_dir / f"closed-{text}").exists()


def test_a_stream_that_has_begun_has_no_time_limit_and_no_place_at_the_first_gate(streams):
    server, _ = streams
    with server.client.stream("POST", "/chat/completions", json=body("slow")) as answer:
        lines = answer.iter_lines()
        first = next(lines)
        began_s = time.monotonic()
        other = server.client.post("/chat/completions", json={**body("x"), "stream": False})
        assert other.json()["choices"][0]["message"]["content"] == "X"
        rest = [line for line in lines if line]
    assert time.monotonic() - began_s > TIME_LIMIT_S
    assert [first, *rest][-1] == "data: [DONE]"
    assert len([first, *rest]) == 5
    until(lambda: idle(server))


def test_a_stream_that_does_not_begin_in_time_is_504_and_its_thread_comes_back(streams):
    server, code_dir = streams
    (code_dir / "gate").unlink(missing_ok=True)
    late = server.client.post("/chat/completions", json=body("late"))
    assert late.status_code == 504
    assert late.json()["message"] == f"Request timeout after {TIME_LIMIT_S}s"
    assert server.stats()["executor_running"] == 1
    (code_dir / "gate").touch()
    until(lambda: idle(server))  # its stream is endless, and nobody is there to take it
    assert (code_dir / "closed-late").exists()


def test_sigterm_waits_for_a_stream_to_its_end(tmp_path):
    code_dir = folder(tmp_path / "code", ENDLESS, artifact=False)
    with running(code_dir, free_port(), "--target-type", "textgeneration", TARGET_NAME="text") as server:
        with server.client.stream("POST", "/chat/completions", json=body("slow")) as answer:
            lines = answer.iter_lines()
            next(lines)
            ended = threading.Thread(target=server.terminate)
            ended.start()
            assert [line for line in lines if line][-1] == "data: [DONE]"
        ended.join(LIMIT_S)
        assert server.process.returncode == 0
