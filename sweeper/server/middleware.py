"""What happens to every request, as the plan has it: an id, headers for security, and the first gate.

Both are Starlette's BaseHTTPMiddleware, as in the plan: what it costs on the event loop is part of what the
worker count is tuned against.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from sweeper.server.gate import Gate
from sweeper.server.refusals import gate_full

SECURITY = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}


class RequestHeaders(BaseHTTPMiddleware):
    """Gives each request an id, unless it has one, and each answer its headers."""

    def __init__(self, app: ASGIApp, version: str) -> None:
        super().__init__(app)
        self._version = version

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        began_s = time.perf_counter()
        request.state.request_id = request.headers.get("x-request-id") or str(uuid.uuid4())
        response = await call_next(request)
        headers = response.headers
        headers["X-Request-ID"] = request.state.request_id
        headers["X-Drum-Version"] = self._version
        headers["X-Response-Time-Ms"] = f"{1000.0 * (time.perf_counter() - began_s):.2f}"
        headers.update(SECURITY)
        if "content-length" not in headers:  # a stream; whatever comes from call_next has an iterator
            response.body_iterator = to_its_end(response.body_iterator, request)  # type: ignore[attr-defined]
        return response


async def to_its_end(chunks: AsyncIterable[Any], request: Request) -> AsyncIterator[Any]:
    """Raises what a stream failed of (see stream.py), instead of ending as if it were whole."""
    async for chunk in chunks:
        yield chunk
    failure = getattr(request.state, "failure", None)
    if failure is not None:
        raise failure


class Backpressure(BaseHTTPMiddleware):
    """The first gate, before everything that may need a thread; what tells about the server has no gate.

    A request leaves it when its answer begins: a stream keeps its thread in the pool, and no place here.
    """

    def __init__(self, app: ASGIApp, gate: Gate, free: frozenset[str]) -> None:
        super().__init__(app)
        self._gate, self._free = gate, free

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        if request.method in ("GET", "HEAD") and request.scope["path"] in self._free:
            return await call_next(request)
        refusal = await self._gate.enter()
        if refusal is not None:
            return gate_full(refusal)
        try:
            return await call_next(request)
        finally:
            self._gate.leave()
