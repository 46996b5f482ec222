"""The routes that need no thread of the pool: what tells about the server, and `/directAccess/{path}`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.cookiejar import DefaultCookiePolicy

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from sweeper.server import wsgi
from sweeper.server.bodies import Body, NoRoom
from sweeper.server.executor import thread_namer
from sweeper.server.predict import answered, asked_of
from sweeper.server.refusals import with_message
from sweeper.server.service import Service
from sweeper.server.stats import executor_info, gate_info, time_info
from sweeper.server.stream import CutOffWithItsSource

PINGS = ("/", "/ping", "/ping/")
PROBES = ("/livez", "/readyz", "/startupz")
FROM_DRUM = ("/health/", "/capabilities/", "/info/", "/stats/")
INFORMATION = (*PINGS, *PROBES, *FROM_DRUM)
NOT_READY = "another process of this server has not loaded the model yet"


def information_routes(service: Service, prefix: str) -> APIRouter:
    """What tells about the server. DRUM's own pages are asked in one thread beside the pool."""
    router = APIRouter()
    side_thread = ThreadPoolExecutor(1, initializer=thread_namer("drum-info"))

    async def from_drum(request: Request, path: str) -> wsgi.Answer:
        assert service.drum is not None, "the port opens when the model is loaded"
        # A HEAD has no body to look into; uvicorn takes it away by itself.
        asked, application = replace(asked_of(request, b"", prefix + path), method="GET"), service.drum.wsgi
        return await asyncio.get_running_loop().run_in_executor(
            side_thread, lambda: wsgi.call(application, asked)
        )

    async def ping(request: Request) -> JSONResponse:
        return JSONResponse({"message": "OK"})

    async def live(request: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def ready(request: Request) -> JSONResponse:
        if service.ready:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "reason": NOT_READY}, status_code=503)

    async def health(request: Request) -> Response:
        return answered(await from_drum(request, "/health/"))

    async def capabilities(request: Request) -> Response:
        return answered(await from_drum(request, "/capabilities/"))

    async def info(request: Request) -> Response:
        return with_ours(await from_drum(request, "/info/"), {"drumServer": "fastapi"})

    async def stats(request: Request) -> Response:
        answer = await from_drum(request, "/stats/")
        times = {"time_info": time_info(service.counters)}
        return with_ours(answer, {**times, **executor_info(service), **gate_info(service.gate)})

    pages: dict[str, Callable[[Request], Awaitable[Response]]] = {
        **dict.fromkeys(PINGS, ping),
        "/livez": live,
        "/readyz": ready,
        "/startupz": ready,
        "/health/": health,
        "/capabilities/": capabilities,
        "/info/": info,
        "/stats/": stats,
    }
    assert list(pages) == list(INFORMATION)
    for path, page in pages.items():
        router.add_api_route(path, page, methods=["GET"], name=path)
        router.add_api_route(path, page, methods=["HEAD"], include_in_schema=False)
    return router


def with_ours(answer: wsgi.Answer, ours: Mapping[str, object]) -> Response:
    """DRUM's JSON with some fields that are ours."""
    document = {**json.loads(answer.body), **ours}
    answer.body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    length = (b"content-length", b"%d" % len(answer.body))
    answer.headers = [*(each for each in answer.headers if each[0] != length[0]), length]
    return answered(answer)


NOT_PASSED_ON = wsgi.HOP_BY_HOP | {"content-length", "host"}
"""The HTTP client sets the last two itself."""
METHODS = ["GET", "POST", "PUT"]


def direct_access_routes(service: Service) -> APIRouter:
    """To DRUM_DIRECT_ACCESS_UPSTREAM; without it DRUM's application answers."""
    import httpx  # 0.1 s, and rarely needed

    router = APIRouter()

    parameters = service.parameters
    upstream = parameters.direct_access_upstream
    client = httpx.AsyncClient(
        timeout=parameters.client_request_timeout_s or None,
        # As many as there are callers: httpx's own limit of 100 would be a queue that nobody sees.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        follow_redirects=False,
    )
    client.headers.clear()  # what the caller did not send, the upstream does not get
    # One caller's cookies must not be kept, and sent with the next one's request.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
    limit_bytes = parameters.max_upload_bytes

    async def forward(path: str, request: Request) -> Response:
        with service.bodies.another() as held:
            return await forward_whole(request, held)

    async def forward_whole(request: Request, held: Body) -> Response:
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit_bytes:
                    return with_message(413, f"ERROR: The request is larger than {limit_bytes} bytes.")
                held.add(len(chunk))
        except NoRoom:
            return with_message(503, "ERROR: The server holds too many large requests at once; retry later.")
        raw_path: bytes = request.scope["raw_path"]
        target = raw_path.decode("ascii").partition("/directAccess/")[2].rstrip("/")
        query = request.scope["query_string"].decode("ascii")
        outgoing = client.build_request(
            request.method,
            f"{upstream}/{target}" + (f"?{query}" if query else ""),
            # As bytes: a header's value may be in any encoding.
            headers=[(n, v) for n, v in request.headers.raw if n.decode("latin-1") not in NOT_PASSED_ON],
            content=bytes(body),
        )
        try:
            answer = await client.send(outgoing, stream=True)
        except httpx.TimeoutException:
            return with_message(504, f"ERROR: The upstream {upstream} did not answer in time.")
        except httpx.HTTPError as error:
            return with_message(502, f"ERROR: The upstream {upstream} cannot be reached: {error}.")
        response = CutOffWithItsSource(raw_body(answer), status_code=answer.status_code)
        for name, value in answer.headers.multi_items():
            if name not in NOT_PASSED_ON:
                response.headers.append(name, value)
        return response

    router.add_api_route("/directAccess/{path:path}", forward, methods=METHODS)
    return router


async def raw_body(answer: object) -> AsyncIterator[bytes]:
    """The upstream's bytes as they come, still compressed where it compressed them."""
    import httpx

    assert isinstance(answer, httpx.Response)
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()
