"""`/directAccess/{path}`: GET, POST and PUT are passed on to an upstream server, without a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.cookiejar import DefaultCookiePolicy

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from sweeper.server.parameters import Parameters

UNSUPPORTED = "This endpoint is only supported by OpenAI based predictors"
"""Word for word what DRUM 1.18.1 answers where there is nothing behind the route."""
HOP_BY_HOP = {
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
"""Headers of one connection (RFC 9110, 7.6.1), and those the HTTP client sets itself."""
METHODS = ["GET", "POST", "PUT"]


def direct_access_routes(parameters: Parameters) -> APIRouter:
    """To DRUM_DIRECT_ACCESS_UPSTREAM; 400 for every request where that is not set."""
    router = APIRouter()
    if parameters.direct_access_upstream is None:

        async def unsupported(path: str) -> JSONResponse:
            return JSONResponse({"message": UNSUPPORTED}, status_code=400)

        router.add_api_route("/directAccess/{path:path}", unsupported, methods=METHODS)
        return router

    import httpx  # 0.1 s, and rarely needed

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
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit_bytes:
                return refusal(413, f"ERROR: The request is larger than {limit_bytes} bytes.")
        raw_path: bytes = request.scope["raw_path"]
        target = raw_path.decode("ascii").partition("/directAccess/")[2].rstrip("/")
        query = request.scope["query_string"].decode("ascii")
        outgoing = client.build_request(
            request.method,
            f"{upstream}/{target}" + (f"?{query}" if query else ""),
            headers=[(name, value) for name, value in request.headers.items() if name not in HOP_BY_HOP],
            content=bytes(body),
        )
        try:
            answer = await client.send(outgoing, stream=True)
        except httpx.TimeoutException:
            return refusal(504, f"ERROR: The upstream {upstream} did not answer in time.")
        except httpx.HTTPError as error:
            return refusal(502, f"ERROR: The upstream {upstream} cannot be reached: {error}.")
        response = StreamingResponse(raw_body(answer), status_code=answer.status_code)
        for name, value in answer.headers.multi_items():
            if name not in HOP_BY_HOP:
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


def refusal(status: int, text: str) -> JSONResponse:
    return JSONResponse({"message": text}, status_code=status)
