"""Clients that are slow, greedy or gone: the real server serves the others, and its log stays short."""

from __future__ import annotations

import resource
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from sweeper.launch.ports import free_port
from sweeper.server.connections import HEADERS_BYTES, HEADERS_S
from tests.support.code_folders import csv, light, rows
from tests.support.server_process import LIMIT_S, Running, running, until

BODY = csv(rows(3))
HEAD = b"POST /predict/ HTTP/1.1\r\nHost: h\r\nContent-Type: text/csv\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
DESCRIPTORS = 120
SLOW = """
import time

def read_input_data(input_binary_data):
    import io
    time.sleep(0.05)
    return pd.read_csv(io.BytesIO(input_binary_data))
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(light(tmp_path / "code", SLOW), free_port()) as server:
        yield server


def connect(server: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.client.base_url.port or 0), timeout=LIMIT_S)


def rest_of(connection: socket.socket) -> bytes:
    """Until the server closes it."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_headers_that_do_not_come_in_time(server: Running) -> None:
    """Nor does a connection stay open that never asks for anything, or only sends empty lines. A body may
    take longer."""
    began_s = time.monotonic()
    with ExitStack() as stack:
        silent, begun, blank, patient, slow = (stack.enter_context(connect(server)) for _ in range(5))
        slow.sendall(WHOLE[:-4])
        begun.sendall(HEAD)
        blank.sendall(b"\r\n")
        patient.sendall(WHOLE)
        answered = rest_of(patient)  # idle after its answer: DRUM_UVICORN_KEEP_ALIVE
        assert answered.startswith(b"HTTP/1.1 200 ") and answered.count(b"HTTP/1.1 ") == 1
        assert (rest_of(silent), rest_of(blank)) == (b"", b"")
        assert rest_of(begun).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began_s > HEADERS_S - 2
        time.sleep(1)
        slow.sendall(WHOLE[-4:])
        assert slow.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_headers_without_an_end(server: Running) -> None:
    with connect(server) as greedy:
        greedy.sendall(HEAD)
        for _ in range(HEADERS_BYTES // 1024 + 1):
            greedy.sendall(b"X-More: " + b"x" * 1014 + b"\r\n")
            time.sleep(0.001)
        assert b"400 Bad Request" in greedy.recv(65536)
    assert server.predict(BODY).status_code == 200


def test_no_file_descriptor_left_is_a_line_in_the_log(tmp_path: Path) -> None:
    with running(light(tmp_path / "code"), free_port()) as server:
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        with ExitStack() as stack:
            for _ in range(DESCRIPTORS):
                stack.enter_context(connect(server)).sendall(HEAD)
            until(lambda: "file descriptors" in server.log.read_text())
        assert server.log.read_text().count(f"this process's {DESCRIPTORS} file descriptors") == 1
        until(lambda: server.predict(BODY).status_code == 200)  # they have ended, and the next one comes in


def test_bodies_that_are_too_much_together(tmp_path: Path) -> None:
    """Each is smaller than DRUM_FASTAPI_MAX_UPLOAD_SIZE."""
    most, size = 300_000, 100_000
    with (
        running(light(tmp_path / "code"), free_port(), DRUM_FASTAPI_MAX_BODIES_SIZE=most) as server,
        ExitStack() as stack,
    ):
        for _ in range(2):
            unfinished = stack.enter_context(connect(server))
            unfinished.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (2 * size) + b"1\n" * (size // 2))
        time.sleep(0.5)
        large = httpx.post(
            f"{server.client.base_url}/predict/", content=b"a,b,c\n" + b"1,2,3\n" * 30_000,
            headers={"Content-Type": "text/csv"}, timeout=LIMIT_S, trust_env=False, verify=False,
        )  # fmt: skip
        assert (large.status_code, large.headers["Retry-After"]) == (503, "5")
        assert large.json()["error"] == "SERVICE_UNAVAILABLE"
        assert server.predict(BODY).status_code == 200  # there is room for a small one
        stack.close()
        until(lambda: server.predict(b"a,b,c\n" + b"1,2,3\n" * 30_000).status_code == 200)


def test_clients_that_went_away_are_a_line_each_at_most(tmp_path: Path) -> None:
    upstream = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{upstream.getsockname()[1]}"
    with running(light(tmp_path / "code", SLOW), free_port(), DRUM_DIRECT_ACCESS_UPSTREAM=url) as server:
        kinds = [
            WHOLE[:40],  # in the headers
            WHOLE[:-4],  # in the body
            WHOLE,
            5 * WHOLE,
            b"POST /directAccess/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n1",
            b"POST /predict/ HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nx",
            b"\x00 garbage\r\n\r\n",
        ]

        def leave(number: int) -> None:
            with connect(server) as connection:
                connection.sendall(kinds[number % len(kinds)])
                time.sleep(0.01 * (number % 10))
                if number % 2:  # with a reset
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        count = 20 * len(kinds)
        for first in range(0, count, 20):
            threads = [threading.Thread(target=leave, args=(first + number,)) for number in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        until(lambda: server.stats()["executor_pending"] == 0)
        assert server.predict(BODY).status_code == 200
        before = server.log.read_text()
        assert "Traceback" not in before
        assert len(before.splitlines()) <= count + 10
        assert server.terminate() == 0
        assert "Traceback" not in server.log.read_text()
    upstream.close()
