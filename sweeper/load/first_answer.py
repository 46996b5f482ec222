"""One upload before the load: what does the server answer while it has nothing else to do?"""

from __future__ import annotations

import io
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from sweeper.records.observations import FirstAnswer
from sweeper.records.wording import byte_count
from sweeper.settings.notation import size_text
from sweeper.settings.upload import Upload

ATTEMPTS = 3
"""Attempts in all while the failure may be chance (overload, a server error, no answer)."""
CHANCE = frozenset({None, 408, 429, *range(500, 600)})
MOST_KEPT_BYTES = 1 << 26
"""Of a longer answer the length is known, and not whether it is predictions."""
QUOTED = 120


@cache
def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    """Read once: it takes some milliseconds, and the shortest of a few uploads is timed (run/climb.py)."""
    return ssl.create_default_context(cafile=ca_file)


class _TooLate(Exception):
    """The answer was not whole in time; the argument says in words what there was of it."""


def first_answer(
    base_url: str,
    data_path: Path,
    timeout_s: float,
    upload: Upload | None = None,
    max_answer_bytes: int = MOST_KEPT_BYTES,
    ca_file: Path | None = None,
) -> FirstAnswer:
    """Send the file as the default users do. Redirects are not followed. `ca_file`: the CAs to trust; None:
    those of the system.

    Errors of the server are returned, not raised. An attempt without a whole answer within `timeout_s` is
    not repeated: the server may still be working on it. OSError when the data cannot be read.
    """
    upload = upload or Upload()
    failures: list[FirstAnswer] = []
    data = data_path.read_bytes()
    # Neither a proxy nor a compressed answer: what the users get is to be compared with this.
    plain = {"Accept-Encoding": "identity"}
    trust = _trusted(ca_file) if base_url.startswith("https:") else False
    with httpx.Client(timeout=timeout_s, trust_env=False, verify=trust, headers=plain) as client:
        while True:
            try:
                answer = _send(
                    client,
                    f"{base_url}{upload.path}",
                    data,
                    data_path.name,
                    upload,
                    timeout_s,
                    max_answer_bytes,
                )
            except _TooLate as late:
                answer = FirstAnswer(None, f"no whole answer within {timeout_s:g} s{late}")
                break
            if answer.status not in CHANCE or len(failures) == ATTEMPTS - 1:
                break
            failures.append(answer)
    if not failures:
        return answer
    return replace(answer, failures=len(failures), first_failure=failures[0].text)


def _send(
    client: httpx.Client,
    url: str,
    data: bytes,
    name: str,
    upload: Upload,
    timeout_s: float,
    max_answer_bytes: int,
) -> FirstAnswer:
    deadline_s = time.monotonic() + timeout_s
    body, size_bytes = bytearray(), 0
    sent: dict[str, Any] = {"files": {"X": (name, data)}}
    if upload.content_type is not None:
        sent = {"content": data, "headers": {"Content-Type": upload.content_type}}
    try:
        with client.stream("POST", url, **sent) as response:
            for chunk in response.iter_raw():
                size_bytes += len(chunk)
                if size_bytes <= MOST_KEPT_BYTES:
                    body += chunk
                if size_bytes > max_answer_bytes:
                    break
                if time.monotonic() > deadline_s:
                    begun = f"status {response.status_code} and {byte_count(size_bytes)}"
                    raise _TooLate(f", only {begun} of a longer one")
    except httpx.TimeoutException:
        raise _TooLate from None
    except httpx.HTTPError as error:
        return FirstAnswer(None, f"no answer ({_words(str(error)) or type(error).__name__})")
    if size_bytes > max_answer_bytes:
        text = f"status {response.status_code} and more than {size_text(max_answer_bytes)} of answer"
        return FirstAnswer(response.status_code, text, size_bytes, too_long=True)
    content = _plain(response, bytes(body)) if size_bytes == len(body) else b""
    document = _document(content)
    predictions = document.get("predictions")
    return FirstAnswer(
        status=response.status_code,
        text=f"status {response.status_code}{_said(response, content, document)}",
        size_bytes=size_bytes,
        predictions=len(predictions) if isinstance(predictions, list) else None,
        rows=rows_of(data) if upload.table else None,
        predictions_expected=upload.predictions,
    )


def _plain(response: httpx.Response, body: bytes) -> bytes:
    """Without the compression of a server that compresses also what was asked for as it is."""
    encoding = response.headers.get("content-encoding", "identity")
    try:
        return httpx.Response(200, headers={"content-encoding": encoding}, content=body).content
    except httpx.DecodingError:
        return body


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
    """Rows of a CSV as DRUM counts them; None where it could not read it.

    DRUM reads with pandas: blank lines are none, but in a file of a single column each is a missing value.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(io.BytesIO(data))
        if frame.shape[1] == 1:
            frame = pd.read_csv(io.BytesIO(data), skip_blank_lines=False)
    except (ValueError, OverflowError):  # pandas' own errors and those of decoding are ValueErrors
        return None
    return len(frame)
