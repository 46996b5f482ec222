"""The ASGI application: FastAPI, the plan's middleware, and the routes."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route

from sweeper.server.drum import drum_version
from sweeper.server.middleware import Backpressure, RequestHeaders
from sweeper.server.predict import PREDICTION_PATHS, PoolEndpoint
from sweeper.server.routes import INFORMATION, direct_access_routes, information_routes
from sweeper.server.service import Service

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
