"""The ASGI application: FastAPI, the routes, and what every request meets: an id, headers, the first gate.

The middleware are Starlette's BaseHTTPMiddleware, as in the plan: what it costs on the event loop is part of
what the worker count is tuned against.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sweeper.server.drum import drum_version
from sweeper.server.gate import Gate
from sweeper.server.predict import PREDICTION_PATHS, PoolEndpoint
from sweeper.server.refusals import gate_full
from sweeper.server.routes import INFORMATION, direct_access_routes, information_routes
from sweeper.server.service import Service

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
    """Re-raises the error that broke a stream (see stream.py), so that it does not end as if whole."""
    async for chunk in chunks:
        yield chunk
    failure = getattr(request.state, "failure", None)
    if failure is not None:
        raise failure


class Backpressure(BaseHTTPMiddleware):
    """The first gate, for every request that may need a thread. Information pages bypass it.

    A request leaves the gate when its answer begins. A stream then holds a pool thread but no place here.
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


ANY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def build_app(service: Service) -> FastAPI:
    """All routes of the plan; what it does not name goes to DRUM's application as it is."""
    docs = service.parameters.enable_docs
    prefix = os.environ.get("URL_PREFIX", "")  # DRUM's own variable
    app = FastAPI(
        title="DRUM prediction server",
        version=drum_version(),
        docs_url="/docs" if docs else None,
        redoc_url=None,
        openapi_url="/openapi.json" if docs else None,
    )
    for path in PREDICTION_PATHS:
        endpoint = PoolEndpoint(service, prefix + path)
        for form in dict.fromkeys((path, path.rstrip("/"))):
            app.router.routes.append(Route(prefix + form, endpoint.answer, methods=["POST"]))
    app.include_router(information_routes(service, prefix), prefix=prefix)
    if service.parameters.direct_access_upstream is not None:
        app.include_router(direct_access_routes(service), prefix=prefix)
    app.router.routes.append(Route("/{path:path}", PoolEndpoint(service).answer, methods=ANY_METHOD))
    free = frozenset(prefix + path for path in INFORMATION)
    app.add_middleware(Backpressure, gate=service.gate, free=free)
    app.add_middleware(RequestHeaders, version=drum_version())
    if docs:
        describe_predictions(app, prefix)
    return app


def describe_predictions(app: FastAPI, prefix: str) -> None:
    """Put the prediction routes, which FastAPI does not know, into the OpenAPI description."""
    generate = app.openapi
    samples = {"type": "string", "format": "binary", "description": "Rows to score"}
    operation = {
        "summary": "What the model says of the samples",
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": {"type": "object", "properties": {"X": samples}}},
                "text/csv": {"schema": samples},
            },
        },
        "responses": {
            "200": {"description": '`{"predictions": […]}`, or what the kind of model answers'},
            "413": {"description": "Larger than DRUM_FASTAPI_MAX_UPLOAD_SIZE"},
            "422": {"description": "No samples, or samples the model cannot take"},
            "500": {"description": "The model failed"},
            "503": {"description": "No place at one of the gates in time; see Retry-After"},
            "504": {"description": "Longer than DRUM_CLIENT_REQUEST_TIMEOUT"},
        },
    }

    def with_predictions() -> dict[str, Any]:
        schema = generate()
        for path in PREDICTION_PATHS:
            schema["paths"][prefix + path] = {"post": operation}
        return schema

    app.openapi = with_predictions  # type: ignore[method-assign]
