"""One request as WSGI (PEP 3333): from what the event loop has read to DRUM's answer, in a pool thread."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import unquote

Headers = list[tuple[bytes, bytes]]
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers of one connection (RFC 9110, 7.6.1): an application's answer has none."""
NOT_FROM_DRUM = HOP_BY_HOP | {"x_request_id", "x-drum-version", "server", "date"}
"""With those that every answer of ours has anyway."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a request is made of, read whole."""

    method: str
    raw_path: str  # as it came, %2F and all, without the query
    query: str
    scheme: str
    http_version: str
    headers: Headers  # names in lower case
    body: bytes
    server: tuple[str, int]
    client: tuple[str, int] | None
    request_id: str


@dataclass(slots=True)
class Answer:
    """A whole answer, or the beginning of a streamed one: then `rest` gives what follows."""

    status: int
    headers: Headers
    body: bytes
    rest: Iterator[bytes] | None = None
    close: Callable[[], None] = lambda: None  # to be called when `rest` is done with, or given up


def environ(request: Request) -> dict[str, Any]:
    """PEP 3333's dictionary; text in it is Latin-1 of the bytes that came."""
    made: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",  # DRUM has its URL_PREFIX in its routes
        "PATH_INFO": unquote(request.raw_path, "latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_NAME": request.server[0],
        "SERVER_PORT": str(request.server[1]),
        "SERVER_PROTOCOL": f"HTTP/{request.http_version}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if request.client is not None:
        made["REMOTE_ADDR"], made["REMOTE_PORT"] = request.client[0], str(request.client[1])
    for name, value in request.headers:
        if b"_" in name:  # would pass for the header with a hyphen; gunicorn drops it, too
            continue
        key, text = name.decode("latin-1").upper().replace("-", "_"), value.decode("latin-1")
        if key == "CONTENT_TYPE":
            made[key] = text
        elif key not in ("CONTENT_LENGTH", "TRANSFER_ENCODING"):  # the body is whole by now
            key = f"HTTP_{key}"
            made[key] = f"{made[key]},{text}" if key in made else text
    made["CONTENT_LENGTH"] = str(len(request.body))
    made["HTTP_X_REQUEST_ID"] = request.request_id
    return made


def call(application: Callable[..., Iterable[bytes]], request: Request) -> Answer:
    """Raises what the application raises. An answer without a length is a stream."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], None]:
        begun[:] = [(status, headers)]  # nothing is sent yet, so that an error may replace it
        return written.append

    chunks = application(environ(request), start_response)
    close = getattr(chunks, "close", lambda: None)
    streamed = False
    try:
        rest = iter(chunks)
        if not begun:  # an application may begin its answer as late as with its first chunk
            written += [next(rest, b"")]
        status, headers = begun[0]
        kept = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers
            if name.lower() not in NOT_FROM_DRUM
        ]
        answer = Answer(int(status.split(" ", 1)[0]), kept, b"")
        streamed = request.method != "HEAD" and not any(name == b"content-length" for name, _ in kept)
        if streamed:
            answer.rest, answer.close = chain(written, rest), close
        else:
            answer.body = b"".join(chain(written, rest))
    finally:
        if not streamed:
            close()
    return answer
