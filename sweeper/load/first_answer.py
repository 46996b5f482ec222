"""One upload before the load: what does the server answer while it has nothing else to do?"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from sweeper.observations import FirstAnswer

ATTEMPTS = 3
"""A refusal that may be chance (too busy, an error of the server's, no answer) is given so many."""
CHANCE = frozenset({None, 408, 429, *range(500, 600)})
MOST_BYTES = 1 << 26
QUOTED = 120


class _TooLate(Exception):
    """The answer was not whole in time."""


def first_answer(url: str, data_path: Path, timeout_s: float) -> FirstAnswer:
    """Upload the file as the default users do; redirects are answers, not orders.

    Never raises for what a server may do. An attempt that is not answered whole within `timeout_s` is the
    last one. OSError where the data cannot be read.
    """
    data = data_path.read_bytes()
    # Neither a proxy nor a compressed answer: what the users get is to be compared with this.
    plain = {"Accept-Encoding": "identity"}
    with httpx.Client(timeout=timeout_s, trust_env=False, verify=False, headers=plain) as client:
        for attempt in range(ATTEMPTS):
            try:
                answer = _upload(client, url, data, timeout_s)
            except _TooLate:
                return FirstAnswer(None, f"no whole answer within {timeout_s:g} s")
            if answer.status not in CHANCE or attempt == ATTEMPTS - 1:
                break
    return answer


def _upload(client: httpx.Client, url: str, data: bytes, timeout_s: float) -> FirstAnswer:
    deadline_s = time.monotonic() + timeout_s
    body = bytearray()
    try:
        with client.stream("POST", url, files={"X": ("sample.csv", data, "text/csv")}) as response:
            for chunk in response.iter_raw():
                body += chunk
                if time.monotonic() > deadline_s:
                    raise _TooLate
                if len(body) > MOST_BYTES:
                    break
    except httpx.TimeoutException:
        raise _TooLate from None
    except httpx.HTTPError as error:
        return FirstAnswer(None, f"no answer ({_words(str(error)) or type(error).__name__})")
    content = bytes(body)
    document = _document(content)
    predictions = document.get("predictions")
    return FirstAnswer(
        status=response.status_code,
        text=f"status {response.status_code}{_said(response, content, document)}",
        size_bytes=len(content),
        predictions=len(predictions) if isinstance(predictions, list) else None,
        rows=rows_of(data),
    )


def _said(response: httpx.Response, content: bytes, document: Mapping[str, Any]) -> str:
    if response.has_redirect_location:
        return f" to {_words(response.headers['location'])}"
    message = document.get("message", document.get("detail"))
    text = content[: 4 * QUOTED].decode("utf-8", errors="replace")
    text = message if isinstance(message, str) else text
    return f" ({_words(text)})" if text.strip() else " (an empty answer)"


def _words(text: str) -> str:
    """On one line, and not too long."""
    line = " ".join(text.split())
    return line if len(line) <= QUOTED else f"{line[: QUOTED - 1]}…"


def _document(content: bytes) -> Mapping[str, Any]:
    """The JSON object that it is; empty where it is none."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def rows_of(data: bytes) -> int | None:
    """Rows of a CSV below its header; blank lines are none. None where it cannot be read as one."""
    try:
        lines = sum(1 for row in csv.reader(io.StringIO(data.decode("utf-8", errors="replace"))) if row)
    except csv.Error:
        return None
    return max(0, lines - 1)
