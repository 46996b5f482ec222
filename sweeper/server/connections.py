"""A client's connection: uvicorn's, with the bounds that it does not have.

- The headers of a request come within HEADERS_S. So does the first request of a new connection, and what is
  still to come of a body after its answer (uvicorn itself closes a connection that is idle after an answer).
- They have at most HEADERS_BYTES, as with gunicorn.
- A line in the log, once in a while, when the file descriptors run out: then no client can come in.
- A client that went away is one line in the log.

Only time in which this process runs counts: sweeper may freeze it, and clients must not time out then.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEADERS_S = 20
HEADERS_BYTES = 1 << 16
SPARE_DESCRIPTORS = 8
SAY_AGAIN_S = 60.0
TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
log = logging.getLogger("sweeper.server")


class Connection(HttpToolsProtocol):
    _said_s = -SAY_AGAIN_S  # of all connections: when the last line on file descriptors was logged

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._in_headers = False
        self._headers_bytes = 0
        self._waits_s = 0
        self._timer: asyncio.TimerHandle | None = None
        self._wait_for_headers()
        self._note_descriptors()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_headers = True
        self._headers_bytes = 0

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_headers = False

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_headers:
            self._headers_bytes += len(data)
            if self._headers_bytes > HEADERS_BYTES:
                self.send_400_response(f"The request's headers are longer than {HEADERS_BYTES} bytes.")
                return
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()  # for the body and the answer there is DRUM_CLIENT_REQUEST_TIMEOUT
        else:
            self._wait_for_headers()

    def _wait_for_headers(self) -> None:
        if self._timer is None:
            self._waits_s = 0
            self._timer = self.loop.call_later(1.0, self._wait_on)

    def _wait_on(self) -> None:
        self._waits_s += 1
        if self._waits_s < HEADERS_S:
            self._timer = self.loop.call_later(1.0, self._wait_on)
        elif not self.transport.is_closing():
            if self._in_headers:
                self.transport.write(TOO_LATE)
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _note_descriptors(self) -> None:
        """The kernel gives the smallest number that is free."""
        socket = self.transport.get_extra_info("socket")
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if socket is None or limit == resource.RLIM_INFINITY or socket.fileno() < limit - SPARE_DESCRIPTORS:
            return
        now_s = time.monotonic()
        if now_s - Connection._said_s >= SAY_AGAIN_S:
            Connection._said_s = now_s
            log.warning(
                "%d connections use up this process's %d file descriptors: no client can come in until some "
                "of them end; raise the limit (ulimit -n).",
                len(self.connections), limit,
            )  # fmt: skip

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, ForOne(app, cycle))  # type: ignore[arg-type]


class ForOne:
    """The application for one request. An error that it raises because its client left is only logged."""

    def __init__(self, app: ASGIApp, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            cycle = self._cycle
            if not (cycle.disconnected or cycle.transport.is_closing()):
                raise
            cycle.disconnected = True
            log.info(
                "The client of %s %s went away before it had its answer (%s).",
                scope["method"], scope["path"], type(error).__name__,
            )  # fmt: skip
