"""The prediction routes, from the event loop's side: read the body, hand over to the pool, answer.

A bare ASGI application: FastAPI's way into a handler costs more CPU than everything here together,
and for a light model that is several per cent of the whole request.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import math
from typing import TYPE_CHECKING

from pydantic_core import to_json

from sweeper.server.errors import RequestError
from sweeper.server.executor import QueueTimeout
from sweeper.server.service import Service

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]
PREDICTION_PATHS = ("/predict/", "/predictions/", "/invocations")
LOADING = "ERROR: The model is still being loaded."

log = logging.getLogger("sweeper.server")


class Disconnected(Exception):
    """The client went away before its request was complete."""


class PredictionEndpoint:
    """POST /predict/ and its synonyms."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._limit_bytes = service.parameters.max_upload_bytes
        self._timeout_s = service.parameters.client_request_timeout_s or None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: Headers = []
        try:
            async with asyncio.timeout(self._timeout_s):
                status, body = 200, await self._predictions(scope, receive)
        except Disconnected:
            return
        except Exception as error:
            refusal = self._refusal(error)
            status, body = refusal.status, message(refusal.message)
            if refusal.retry_after_s is not None:
                headers.append((b"retry-after", b"%d" % refusal.retry_after_s))
            if status == 504:  # what is left of a slow body is not waited for
                headers.append((b"connection", b"close"))
        headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _refusal(self, error: Exception) -> RequestError:
        if isinstance(error, RequestError):
            return error
        if isinstance(error, QueueTimeout):
            wait_s = self._service.parameters.executor_queue_timeout_s
            text = f"ERROR: No place in the prediction queue came free within {wait_s:g} s."
            return RequestError(503, text, retry_after_s=max(1, math.ceil(wait_s)))
        if isinstance(error, TimeoutError):
            return RequestError(504, f"ERROR: The request took longer than {self._timeout_s:g} s.")
        log.exception("A prediction failed outside the model.")
        return RequestError(500, f"ERROR: {error!r}")

    async def _predictions(self, scope: Scope, receive: Receive) -> bytes:
        model = self._service.model
        if model is None:
            raise RequestError(503, LOADING, retry_after_s=1)
        content_type, length = "", 0
        for name, value in scope["headers"]:
            if name == b"content-type":
                content_type = value.decode("latin-1")
            elif name == b"content-length":
                length = int(value)
        if length > self._limit_bytes:
            raise self._too_large()
        body = await self._read(receive)
        return await self._service.executor.run(functools.partial(model.answer, content_type, body))

    async def _read(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise Disconnected
            chunk = event["body"]
            size += len(chunk)
            if size > self._limit_bytes:
                raise self._too_large()
            chunks.append(chunk)
            if not event["more_body"]:
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _too_large(self) -> RequestError:
        return RequestError(413, f"ERROR: The request is larger than {self._limit_bytes} bytes.")


def message(text: str) -> bytes:
    return b'{"message":' + to_json(text) + b"}"
