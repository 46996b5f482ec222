"""What a client gets in place of an answer of DRUM: the statuses, texts and headers of the plan."""

from __future__ import annotations

from starlette.responses import JSONResponse

from sweeper.server.gate import Refusal

RETRY_AFTER_S = 5
OVERLOADED = {
    "message": "Server overloaded. Please retry later.",
    "error": "SERVICE_UNAVAILABLE",
    "retry_after": RETRY_AFTER_S,
}
CLOSED = {"Connection": "close"}
"""Where what is left of a body is not waited for."""


def gate_full(refusal: Refusal) -> JSONResponse:
    """No place at the first gate."""
    found = {"message": refusal.text, "retry_after": refusal.retry_after_s}
    return JSONResponse(found, status_code=503, headers={"Retry-After": str(refusal.retry_after_s)})


def pool_full() -> JSONResponse:
    """No place in the pool or its queue came free in time."""
    return JSONResponse(OVERLOADED, status_code=503, headers={"Retry-After": str(RETRY_AFTER_S)})


def no_room() -> JSONResponse:
    """Too much is held of bodies already."""
    return JSONResponse(OVERLOADED, status_code=503, headers={"Retry-After": str(RETRY_AFTER_S), **CLOSED})


def too_large(limit_bytes: int) -> JSONResponse:
    return with_message(413, f"Request body too large. Maximum size: {limit_bytes} bytes")


def timed_out(timeout_s: float, request_id: str) -> JSONResponse:
    found = {"message": f"Request timeout after {timeout_s:.1f}s", "request_id": request_id}
    return JSONResponse(found, status_code=504, headers=CLOSED)


def with_message(status: int, text: str) -> JSONResponse:
    return JSONResponse({"message": text}, status_code=status)
