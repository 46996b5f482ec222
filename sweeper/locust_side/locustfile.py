"""The default locustfile: users that send one file, mostly a CSV to predict, wait, and send it again.

Told what to send by UserSettings; the payload is built once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from geventhttpclient.client import HTTPClient
from geventhttpclient.header import Headers
from geventhttpclient.url import URL
from locust import FastHttpUser, between, task
from locust.contrib.fasthttp import FastResponse, LocustBadStatusCode, LocustUserAgent
from locust.env import Environment

from sweeper.locust_side.answer_size import not_kept
from sweeper.locust_side.certificates import trusted
from sweeper.locust_side.wire import UserSettings


def multipart(data: bytes, file_name: str) -> tuple[bytes, str]:
    """The body that uploads `data` as the file `X`, and its content type (RFC 7578)."""
    boundary = "sweeper-boundary"
    while boundary.encode() in data:
        boundary += "-"
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="X"; filename="{quoted(file_name)}"\r\n'
        f"Content-Type: {'text/csv' if file_name.endswith('.csv') else 'application/octet-stream'}\r\n\r\n"
    )
    return (
        head.encode() + data + f"\r\n--{boundary}--\r\n".encode(),
        f"multipart/form-data; boundary={boundary}",
    )


def quoted(file_name: str) -> str:
    """As browsers do it (HTML, multipart/form-data encoding algorithm)."""
    return file_name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


class CountedResponse(FastResponse):
    """What does not come with the headers is counted, and not kept: nobody looks into it."""

    PIECE_BYTES = 1 << 16

    def _content(self) -> Any:
        if self._response is None or self._response.message_complete:
            return super()._content()  # type: ignore[no-untyped-call]
        not_kept()
        size = 0
        while piece := self._response.read(self.PIECE_BYTES):
            size += len(piece)
        return range(size)  # whose length it is


class OneRequestAgent(LocustUserAgent):
    """FastHttpUser's user agent for the one request that never varies, at half the CPU.

    It skips what cannot matter here (parsing the same URL, merging the same headers, cookies) and
    goes straight to the keep-alive connection. A redirect is not followed but counts as a failure:
    our requests and the server's must stay one to one.
    """

    valid_response_codes = frozenset(range(200, 300))

    def __init__(self, url: str, headers: Headers, timeout_s: float, connections: int = 1) -> None:
        super().__init__(network_timeout=timeout_s, connection_timeout=timeout_s)
        self._connection = HTTPClient.from_url(
            url,
            concurrency=connections,
            network_timeout=timeout_s,
            connection_timeout=timeout_s,
            ssl_context_factory=trusted,
        )
        self._path = URL(url).quoted_uri
        self._headers = headers

    def urlopen(self, url: Any, method: str = "GET", payload: Any = b"", **_: Any) -> Any:  # type: ignore[override]
        response = CountedResponse(self._connection.request(method, self._path, payload, self._headers))
        if response.status_code not in self.valid_response_codes:
            error = LocustBadStatusCode(url, code=response.status_code)
            error.response = response  # type: ignore[attr-defined]
            raise error
        return response


SETTINGS = UserSettings.from_environment()
DATA = Path(SETTINGS.data_path).read_bytes()
BODY, CONTENT_TYPE = (
    (DATA, SETTINGS.content_type) if SETTINGS.content_type else multipart(DATA, SETTINGS.file_name)
)
HEADERS = Headers({"Content-Type": CONTENT_TYPE, "Content-Length": str(len(BODY)), "Accept": "*/*"})


class PredictUser(FastHttpUser):
    """A real FastHttpUser; only the agent below its session is ours."""

    wait_time = between(SETTINGS.wait_min_s, SETTINGS.wait_max_s)
    network_timeout = SETTINGS.request_timeout_s
    connection_timeout = SETTINGS.request_timeout_s

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.client.client = OneRequestAgent(
            f"{self.client.base_url}{SETTINGS.predict_path}", HEADERS, SETTINGS.request_timeout_s
        )

    @task
    def predict(self) -> None:
        self.client.request("POST", SETTINGS.predict_path, data=BODY)  # type: ignore[arg-type]
