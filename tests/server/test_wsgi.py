"""A request as WSGI and an application's answer back, by the letter of PEP 3333."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from sweeper.server import wsgi

HEADERS = [("Content-Type", "text/plain"), ("Content-Length", "4")]
Start = Callable[..., Callable[[bytes], None]]


def request(**changes: Any) -> wsgi.Request:
    values: dict[str, Any] = {
        "method": "POST",
        "raw_path": "/predict/",
        "query": "",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [],
        "body": b"",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 5000),
        "request_id": "an-id",
    }
    return wsgi.Request(**{**values, **changes})


def headers(*pairs: tuple[bytes, bytes]) -> dict[str, Any]:
    return wsgi.environ(request(headers=list(pairs)))


# --- the request -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw_path", "path_info"),
    [
        ("/predict/", "/predict/"),
        ("/predict%2F", "/predict/"),
        ("/a%20b%25", "/a b%"),
        ("/%C3%A4", "/Ã¤"),  # the bytes of ä, as Latin-1
        ("/%FF", "/ÿ"),
        ("/%zz", "/%zz"),
    ],
)
def test_the_path_is_decoded_once_and_to_latin_1(raw_path, path_info):
    assert wsgi.environ(request(raw_path=raw_path))["PATH_INFO"] == path_info


def test_the_query_stays_as_it_came():
    assert wsgi.environ(request(query="x=%2F&y=+"))["QUERY_STRING"] == "x=%2F&y=+"


def test_headers_of_one_name_are_joined_and_the_last_content_type_holds():
    made = headers((b"x-a", b"1"), (b"x-a", b"2"), (b"content-type", b"a/b"), (b"content-type", b"text/csv"))
    assert made["HTTP_X_A"] == "1,2"
    assert made["CONTENT_TYPE"] == "text/csv"
    assert "HTTP_CONTENT_TYPE" not in made


def test_header_values_are_latin_1_and_names_with_an_underscore_are_dropped():
    made = headers((b"x-name", b"caf\xe9"), (b"x_request_id", b"another"), (b"x_a", b"1"))
    assert made["HTTP_X_NAME"] == "café"
    assert made["HTTP_X_REQUEST_ID"] == "an-id"
    assert "HTTP_X_A" not in made


def test_the_length_is_that_of_the_body_which_is_whole():
    body = b"a,b\n1,2\n"
    made = wsgi.environ(
        request(body=body, headers=[(b"transfer-encoding", b"chunked"), (b"content-length", b"3")])
    )
    assert made["CONTENT_LENGTH"] == str(len(body))
    assert made["wsgi.input"].read() == body
    assert not {"HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_LENGTH"} & set(made)


def test_without_a_client_there_is_no_remote_address():
    assert "REMOTE_ADDR" not in wsgi.environ(request(client=None))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_the_standard_librarys_validator_has_nothing_to_say(method, monkeypatch):
    monkeypatch.setattr("sys.stderr", io.StringIO())  # the validator wants a text file with these methods

    def application(environ: dict[str, Any], start: Start) -> list[bytes]:
        start("200 OK", HEADERS)
        return [b"body"] if environ["REQUEST_METHOD"] != "HEAD" else []

    answer = wsgi.call(validator(application), request(method=method, query="x=1"))
    assert answer.status == 200


# --- the answer --------------------------------------------------------------------------------------------


class Chunks:
    """An iterable that knows whether it was closed."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self.chunks = chunks
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    def close(self) -> None:
        self.closed += 1


def answering(chunks: Any, status: str = "200 OK", given: list[tuple[str, str]] = HEADERS) -> Any:
    def application(environ: dict[str, Any], start: Start) -> Any:
        start(status, given)
        return chunks

    return application


def test_an_answer_with_a_length_is_read_whole_and_closed():
    chunks = Chunks(b"bo", b"dy")
    answer = wsgi.call(answering(chunks, "418 I'm a teapot"), request())
    assert (answer.status, answer.body, answer.rest) == (418, b"body", None)
    assert answer.headers == [(b"content-type", b"text/plain"), (b"content-length", b"4")]
    assert chunks.closed == 1


def test_an_answer_without_a_length_is_a_stream_that_is_closed_by_who_reads_it():
    chunks = Chunks(b"a", b"b")
    answer = wsgi.call(answering(chunks, given=[("Content-Type", "text/event-stream")]), request())
    assert answer.rest is not None
    assert chunks.closed == 0
    assert list(answer.rest) == [b"a", b"b"]
    answer.close()
    assert chunks.closed == 1


def test_a_head_has_no_stream_and_keeps_the_length_of_the_body_it_does_not_have():
    chunks = Chunks()
    answer = wsgi.call(answering(chunks), request(method="HEAD"))
    assert (answer.body, answer.rest, chunks.closed) == (b"", None, 1)
    assert (b"content-length", b"4") in answer.headers
    assert wsgi.call(answering(Chunks(), given=[]), request(method="HEAD")).rest is None


def test_a_body_that_fails_is_closed_and_its_error_raised():
    chunks = Chunks(b"bo", ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        wsgi.call(answering(chunks), request())
    assert chunks.closed == 1


def test_repeated_headers_stay_and_those_of_a_connection_go():
    given = [
        *HEADERS,
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=é"),
        ("Connection", "close"),
        ("Transfer-Encoding", "chunked"),
        ("X_Request_ID", "theirs"),
        ("X-Drum-Version", "theirs"),
        ("Server", "theirs"),
    ]
    assert wsgi.call(answering([b"body"], given=given), request()).headers == [
        (b"content-type", b"text/plain"),
        (b"content-length", b"4"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=\xe9"),
    ]


def test_an_answer_may_begin_as_late_as_its_first_chunk():
    def application(environ: dict[str, Any], start: Start) -> Iterator[bytes]:
        start("201 Created", HEADERS)
        yield b"bo"
        yield b"dy"

    answer = wsgi.call(application, request())
    assert (answer.status, answer.body) == (201, b"body")


def test_an_answer_may_be_written_and_replaced_by_an_error():
    def application(environ: dict[str, Any], start: Start) -> list[bytes]:
        start("200 OK", [("Content-Length", "99")])
        write = start("500 Internal Server Error", HEADERS, (ValueError, ValueError(), None))
        write(b"bo")
        return [b"dy"]

    answer = wsgi.call(application, request())
    assert (answer.status, answer.body) == (500, b"body")
