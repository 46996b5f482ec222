"""One upload before the load: what came is told as it is, within a bounded time."""

from __future__ import annotations

import gzip
import http.server
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeper.errors import LoadError
from sweeper.load import LocustGenerator
from sweeper.load.first_answer import first_answer, rows_of
from sweeper.records.observations import FirstAnswer
from sweeper.settings.upload import Upload
from tests.support.truth.process import truth_server

PREDICTIONS = json.dumps({"predictions": [0.25, 0.5]}).encode()


class Answers(http.server.BaseHTTPRequestHandler):
    """By path. `seen` keeps the bodies."""

    seen: list[bytes] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(body)
        if self.path == "/drips":
            self.send_response(200)
            self.end_headers()
            while not self.wfile.closed:
                self.wfile.write(b" ")
                time.sleep(0.05)
        packed = {"/gzip": gzip.compress(PREDICTIONS), "/no-gzip": PREDICTIONS}
        status, text = {
            **{path: (200, body) for path, body in packed.items()},
            "/predict/": (200, PREDICTIONS),
            "/list": (200, b"[1, 2]"),
            "/empty": (200, b""),
            "/wrong": (422, b'{"message": "ERROR: no\\n column b"}'),
            "/unchanged": (304, b""),
            "/detail": (404, b'{"detail": "Not Found"}'),
            "/at-first": (503 if len(self.seen) < 3 else 200, PREDICTIONS),
        }[self.path]
        self.send_response(status)
        if self.path in packed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Answers.seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    return path


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/predict/", FirstAnswer(200, 'status 200 ({"predictions": [0.25, 0.5]})', 28, 2, 2)),
        ("/list", FirstAnswer(200, "status 200 ([1, 2])", 6, None, 2)),
        ("/empty", FirstAnswer(200, "status 200 (an empty answer)", 0, None, 2)),
        ("/wrong", FirstAnswer(422, "status 422 (ERROR: no column b)", 35, None, 2)),
        ("/unchanged", FirstAnswer(304, "status 304 (an empty answer)", 0, None, 2)),
        ("/detail", FirstAnswer(404, "status 404 (Not Found)", 23, None, 2)),
    ],
)
def test_what_came_in_words(path: str, answer: FirstAnswer, url: str, data: Path) -> None:
    assert first_answer(url, data, 5.0, Upload(path)) == answer
    assert len(Answers.seen) == 1
    assert b'name="X"; filename="rows.csv"' in Answers.seen[0]
    assert data.read_bytes() in Answers.seen[0]


def test_a_server_that_compresses_unasked_is_understood(url: str, data: Path) -> None:
    """Its size is what the users get."""
    packed = first_answer(url, data, 5.0, Upload("/gzip"))
    assert packed.text == 'status 200 ({"predictions": [0.25, 0.5]})'
    assert (packed.predictions, packed.size_bytes) == (2, len(gzip.compress(PREDICTIONS)))
    assert first_answer(url, data, 5.0, Upload("/no-gzip")).predictions == 2  # though it says gzip


def test_a_refusal_by_chance_is_not_the_last_word(url: str, data: Path) -> None:
    assert first_answer(url, data, 5.0, Upload("/at-first")).status == 200
    assert len(Answers.seen) == 3


def test_an_answer_that_never_ends_is_too_late(url: str, data: Path) -> None:
    late = first_answer(url, data, 0.3, Upload("/drips"))
    assert late.status is None
    assert re.fullmatch(
        r"no whole answer within 0\.3 s, only status 200 and \d+ bytes? of a longer one", late.text
    )
    assert len(Answers.seen) == 1


def test_the_users_own_upload_is_what_is_tried(data: Path, tmp_path: Path) -> None:
    locustfile = tmp_path / "mine.py"
    locustfile.write_text("from locust import HttpUser\n")
    with truth_server("--workers", 1, "--service-ms", 1, "--rows", 2) as server:
        answer = LocustGenerator(5, data).first_answer(server.base_url, 5.0)
        assert LocustGenerator(5, data, locustfile=locustfile).first_answer(server.base_url, 5.0) is None
        assert server.stats()["truth_received"] == 1
    assert answer is not None
    assert (answer.status, answer.predictions, answer.rows) == (200, 2, 2)
    generator = LocustGenerator(5, data)
    data.unlink()
    with pytest.raises(LoadError, match=r"rows\.csv cannot be read: No such file"):
        generator.first_answer(server.base_url, 5.0)


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"a,b\n1,2\n3,4\n", 2),
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n3,4", 2),  # a mark in front, a blank line, no end of line
        (b"a\n1\n\n2\n", 3),  # of a single column, a blank line is a missing value
        (b"a\n1\n2\n\n", 3),
        (b"a\r1\r2\r", 2),  # an old Macintosh's lines
        (b"a;b\n\xe9;1\n", None),  # Latin-1
        (b'a,b\n"one\nand two",2\n', 1),
        (b"a,b\n", 0),
        (b"a\n" + b"x" * 200_000 + b"\n", 1),
        (b"", None),
    ],
)
def test_rows_of_a_csv(data: bytes, rows: int | None) -> None:
    assert rows_of(data) == rows
