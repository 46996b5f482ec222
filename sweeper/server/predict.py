"""The routes that need a thread of the pool: read a request, hand it to DRUM there, send the answer."""

from __future__ import annotations

import asyncio
import logging

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sweeper.server import refusals, wsgi
from sweeper.server.bodies import Body, NoRoom
from sweeper.server.executor import QueueTimeout
from sweeper.server.service import Service
from sweeper.server.stream import Stream, StreamedAnswer

PREDICTION_PATHS = (
    "/predict/",
    "/predictions/",
    "/invocations",
    "/transform/",
    "/predictUnstructured/",
    "/predictionsUnstructured/",
    "/chat/completions",
    "/v1/chat/completions",
)
log = logging.getLogger("sweeper.server")


class TooLarge(Exception):
    """The body is beyond DRUM_FASTAPI_MAX_UPLOAD_SIZE."""


class PoolEndpoint:
    """Any request that DRUM answers in a thread of the pool. `path` None: the request's own."""

    def __init__(self, service: Service, path: str | None = None) -> None:
        self._service = service
        self._path = path
        self._limit_bytes = service.parameters.max_upload_bytes
        self._timeout_s = service.parameters.client_request_timeout_s or None

    async def answer(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(self._timeout_s):
                with self._service.bodies.another() as held:
                    body = await self._read(request, held)
                    return await self._answer(request, body)
        except TooLarge:
            return refusals.too_large(self._limit_bytes)
        except QueueTimeout:
            return refusals.pool_full()
        except NoRoom:
            return refusals.no_room()
        except TimeoutError:
            return refusals.timed_out(self._timeout_s or 0.0, request.state.request_id)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it
        except Exception as error:
            log.exception("DRUM's application raised")
            return refusals.with_message(500, f"ERROR: {error}")

    async def _read(self, request: Request, held: Body) -> bytes:
        if int(request.headers.get("content-length") or 0) > self._limit_bytes:
            raise TooLarge
        chunks: list[bytes] = []
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self._limit_bytes:
                raise TooLarge
            held.add(len(chunk))
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _answer(self, request: Request, body: bytes) -> Response:
        drum = self._service.drum
        assert drum is not None, "the port opens when the model is loaded"
        asked = asked_of(request, body, self._path)
        stream = Stream(asyncio.get_running_loop())
        try:
            answer = await self._service.executor.run(lambda: wsgi.call(drum.wsgi, asked), stream.pump_of)
        except BaseException:
            stream.abandon()  # a thread that goes on has nobody to make it for
            raise
        return answered(answer) if answer.rest is None else StreamedAnswer(answer, stream)


def asked_of(request: Request, body: bytes, path: str | None = None) -> wsgi.Request:
    scope = request.scope
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    return wsgi.Request(
        method=request.method,
        raw_path=path or raw_path.decode("latin-1").partition("?")[0],
        query=scope["query_string"].decode("latin-1"),
        scheme=scope["scheme"],
        http_version=scope["http_version"],
        headers=scope["headers"],
        body=body,
        server=tuple(scope.get("server") or ("127.0.0.1", 0)),
        client=scope.get("client"),
        request_id=request.state.request_id,
    )


def answered(answer: wsgi.Answer) -> Response:
    response = Response(answer.body, answer.status)
    response.raw_headers = answer.headers
    return response
