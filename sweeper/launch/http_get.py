"""One GET of a page of the server, with a short patience; redirects are answers, not orders."""

from __future__ import annotations

import http.client
from dataclasses import dataclass

_MAX_BODY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is None where there was no HTTP answer; `text` says in words what came."""

    status: int | None
    text: str
    body: bytes = b""


def get(host: str, port: int, path: str, timeout_s: float, *, with_body: bool = True) -> Answer:
    """Never raises for what a server may do: refuse, hang (for `timeout_s`), talk no HTTP, hang up."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read(_MAX_BODY_BYTES) if with_body else b""
    except TimeoutError:
        return Answer(None, f"none within {timeout_s:.1f} s")
    except ConnectionRefusedError:
        return Answer(None, "connection refused")
    except (OSError, http.client.HTTPException) as error:
        return Answer(None, f"not HTTP ({type(error).__name__})")
    finally:
        connection.close()
    return Answer(response.status, f"status {response.status}", body)
