"""The default locustfile: users that upload one CSV for prediction, wait, and upload it again.

An island like recorder.py: run by locust, imports nothing of sweeper, and told what to send by the
environment variable SWEEPER_USER (JSON, see `Settings`). The payload is built once.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geventhttpclient.client import HTTPClient
from geventhttpclient.header import Headers
from geventhttpclient.url import URL
from locust import FastHttpUser, between, task
from locust.contrib.fasthttp import FastResponse, LocustBadStatusCode, LocustUserAgent
from locust.env import Environment


@dataclass(frozen=True)
class Settings:
    """SWEEPER_USER: what to send, where to, how often."""

    data_path: str
    predict_path: str
    wait_min_s: float
    wait_max_s: float
    request_timeout_s: float


def multipart(data: bytes) -> tuple[bytes, str]:
    """The body that uploads `data` as the file `X`, and its content type (RFC 7578)."""
    boundary = "sweeper-boundary"
    while boundary.encode() in data:
        boundary += "-"
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="X"; filename="sample.csv"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    )
    return (
        head.encode() + data + f"\r\n--{boundary}--\r\n".encode(),
        f"multipart/form-data; boundary={boundary}",
    )


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
            url, concurrency=connections, network_timeout=timeout_s, connection_timeout=timeout_s
        )
        self._path = URL(url).quoted_uri
        self._headers = headers

    def urlopen(self, url: Any, method: str = "GET", payload: Any = b"", **_: Any) -> Any:  # type: ignore[override]
        response = FastResponse(self._connection.request(method, self._path, payload, self._headers))
        if response.status_code not in self.valid_response_codes:
            error = LocustBadStatusCode(url, code=response.status_code)
            error.response = response  # type: ignore[attr-defined]
            raise error
        return response


SETTINGS = Settings(**json.loads(os.environ["SWEEPER_USER"]))
BODY, CONTENT_TYPE = multipart(Path(SETTINGS.data_path).read_bytes())
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
