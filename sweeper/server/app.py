"""The ASGI application: FastAPI for all routes, with the prediction routes taken out of its way."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route

from sweeper.server.direct_access import direct_access_routes
from sweeper.server.predict import PREDICTION_PATHS, PredictionEndpoint
from sweeper.server.routes import DRUM_VERSION, information_routes, read_metadata
from sweeper.server.service import Service

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger("sweeper.server")


def build_app(service: Service) -> ASGIApp:
    """Raises StartError when model-metadata.yaml cannot be read."""
    docs = service.parameters.enable_docs
    app = FastAPI(
        title="DRUM prediction server",
        version=DRUM_VERSION,
        docs_url="/docs" if docs else None,
        redoc_url=None,
        openapi_url="/openapi.json" if docs else None,
    )
    endpoint = PredictionEndpoint(service)
    for path in PREDICTION_PATHS:
        app.router.routes.append(Route(path, endpoint, methods=["POST"]))
    app.include_router(information_routes(service, read_metadata(service)))
    app.include_router(direct_access_routes(service.parameters))
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(Exception, unexpected_error)
    if docs:
        describe_predictions(app)
    return Shortcut(app, endpoint)


class Shortcut:
    """Sends predictions straight to their endpoint, past FastAPI's middleware and routing."""

    def __init__(self, app: FastAPI, endpoint: PredictionEndpoint) -> None:
        self._app = app
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in PREDICTION_PATHS:
            await self._endpoint(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def http_error(request: Request, error: Exception) -> JSONResponse:
    """404, 405 and the like, as JSON with a message."""
    assert isinstance(error, HTTPException)
    text = f"ERROR: {error.detail}: {request.method} {request.url.path}"
    return JSONResponse({"message": text}, status_code=error.status_code, headers=error.headers)


async def unexpected_error(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"message": f"ERROR: {error!r}"}, status_code=500)


def describe_predictions(app: FastAPI) -> None:
    """Put the prediction routes, which FastAPI does not know, into the OpenAPI description."""
    generate = app.openapi
    csv = {"type": "string", "format": "binary", "description": "Rows to score, with a header line"}
    operation = {
        "summary": "Predictions, one number a row",
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": {"type": "object", "properties": {"X": csv}}},
                "text/csv": {"schema": csv},
            },
        },
        "responses": {
            "200": {"description": '`{"predictions": [0.17, …]}`'},
            "413": {"description": "Larger than DRUM_FASTAPI_MAX_UPLOAD_SIZE"},
            "422": {"description": "No samples, or samples the model cannot take"},
            "500": {"description": "The model failed"},
            "503": {"description": "Still loading, or no place in the queue in time; see Retry-After"},
        },
    }

    def with_predictions() -> dict[str, Any]:
        schema = generate()
        for path in PREDICTION_PATHS:
            schema["paths"][path] = {"post": operation}
        return schema

    app.openapi = with_predictions  # type: ignore[method-assign]
