"""DRUM's runtime parameters: what each may be, and the three forms in which it can be given.

For a parameter X, in this order of precedence:

1. `MLOPS_RUNTIME_PARAM_X='{"type": "numeric", "payload": 4}'`, as DRUM itself writes it;
2. `MLOPS_RUNTIME_PARAM_X=4`, as many guides write it;
3. `X=4`.

Any other form, or a value out of range, stops the start: a study must never run on a default that its user
meant to override. This module imports no third-party package, so that it fails fast.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from sweeper.server.start_errors import StartError

PREFIX = "MLOPS_RUNTIME_PARAM_"
OWN_FAMILIES = (
    "DRUM_FASTAPI_",
    "DRUM_UVICORN_",
    "DRUM_DIRECT_ACCESS_",
    "DRUM_BACKPRESSURE_",
    "DRUM_MAX_",
    "DRUM_WEBSERVER_",
)
NOT_HERE = (
    "DRUM_CORS_",
    "DRUM_SSL_",
    "DRUM_RATE_LIMIT_",
    "DRUM_UVICORN_MAX_REQUESTS",
    "DRUM_GUNICORN_MAX_REQUESTS",
)
"""Parts of the plan that this server does without; switched on, they are refused."""
OFF = ("", "0", "false", "none", "null")
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
DAY_S = 86_400
Value = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric parameter in [low, high]; `whole` ones take 8 and 8.0, but not 8.5."""

    low: int
    high: int
    whole: bool = True
    json_type = "numeric"

    @property
    def wanted(self) -> str:
        return f"a {'whole ' if self.whole else ''}number from {self.low} to {self.high}"

    def from_text(self, text: str) -> Value | None:
        return self.from_json(float(text)) if NUMBER.fullmatch(text) else None

    def from_json(self, payload: object) -> Value | None:
        if isinstance(payload, bool) or not isinstance(payload, int | float):
            return None
        if not self.low <= payload <= self.high or (self.whole and payload != int(payload)):
            return None
        return int(payload) if self.whole else float(payload)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]
    json_type = "string"

    @property
    def wanted(self) -> str:
        return "one of " + ", ".join(self.words)

    def from_text(self, text: str) -> Value | None:
        return text if text in self.words else None

    def from_json(self, payload: object) -> Value | None:
        return self.from_text(payload) if isinstance(payload, str) else None


@dataclass(frozen=True, slots=True)
class Switch:
    """On or off."""

    json_type = "boolean"
    wanted = "true or false"

    def from_text(self, text: str) -> Value | None:
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower())

    def from_json(self, payload: object) -> Value | None:
        return payload if isinstance(payload, bool) else None


@dataclass(frozen=True, slots=True)
class HttpUrl:
    """Where another server listens."""

    json_type = "string"
    wanted = "a URL such as http://127.0.0.1:9000"

    def from_text(self, text: str) -> Value | None:
        return text.rstrip("/") if re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", text) else None

    def from_json(self, payload: object) -> Value | None:
        return self.from_text(payload) if isinstance(payload, str) else None


Kind = Number | Choice | Switch | HttpUrl

KINDS: dict[str, Kind] = {
    "DRUM_SERVER_TYPE": Choice(("fastapi", "uvicorn", "flask", "gunicorn", "werkzeug")),
    "DRUM_MAX_CONCURRENT_REQUESTS": Number(1, 1_000_000),
    "DRUM_MAX_QUEUE_DEPTH": Number(1, 1_000_000),
    "DRUM_BACKPRESSURE_TIMEOUT": Number(0, DAY_S, whole=False),
    "DRUM_WEBSERVER_BACKLOG": Number(1, 10_000),
    "DRUM_FASTAPI_EXECUTOR_WORKERS": Number(1, 1024),
    "DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH": Number(0, 1_000_000),
    "DRUM_FASTAPI_EXECUTOR_QUEUE_TIMEOUT": Number(0, DAY_S, whole=False),
    "DRUM_FASTAPI_MAX_UPLOAD_SIZE": Number(1, 1 << 40),
    "DRUM_FASTAPI_ENABLE_DOCS": Switch(),
    "DRUM_UVICORN_LOOP": Choice(("auto", "asyncio", "uvloop")),
    "DRUM_UVICORN_KEEP_ALIVE": Number(0, DAY_S, whole=False),
    "DRUM_UVICORN_GRACEFUL_TIMEOUT": Number(0, DAY_S, whole=False),
    "DRUM_UVICORN_LIMIT_CONCURRENCY": Number(1, 1_000_000),
    "DRUM_UVICORN_LOG_LEVEL": Choice(("critical", "error", "warning", "info", "debug", "trace")),
    "DRUM_CLIENT_REQUEST_TIMEOUT": Number(0, DAY_S, whole=False),
    "CUSTOM_MODEL_WORKERS": Number(1, 199),
    "DRUM_GUNICORN_KEEP_ALIVE": Number(0, DAY_S, whole=False),
    "DRUM_GUNICORN_GRACEFUL_TIMEOUT": Number(0, DAY_S, whole=False),
    "DRUM_GUNICORN_LOG_LEVEL": Choice(("critical", "error", "warning", "info", "debug", "trace")),
    "DRUM_GUNICORN_WORKER_CLASS": Choice(("sync", "gevent")),
    "DRUM_WORKER_CONNECTIONS": Number(1, 1_000_000),
    # Ours: of all bodies that the server holds at once, together.
    "DRUM_FASTAPI_MAX_BODIES_SIZE": Number(1, 1 << 40),
    # Ours: where /directAccess/ leads. DRUM takes it from the predictor, which few kinds of models have.
    "DRUM_DIRECT_ACCESS_UPSTREAM": HttpUrl(),
}


INSTEAD = {
    "DRUM_UVICORN_KEEP_ALIVE": "DRUM_GUNICORN_KEEP_ALIVE",
    "DRUM_UVICORN_GRACEFUL_TIMEOUT": "DRUM_GUNICORN_GRACEFUL_TIMEOUT",
    "DRUM_UVICORN_LOG_LEVEL": "DRUM_GUNICORN_LOG_LEVEL",
}
"""Where the first is not set, the plan takes the second, with a warning."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Every parameter with its value; None is uvicorn's own default, or "none"."""

    executor_workers: int = 4
    executor_queue_depth: int = 40  # requests admitted beyond the threads
    executor_queue_timeout_s: float = 30.0
    max_concurrent_requests: int = 10  # through the first gate at once
    max_queue_depth: int = 100  # through the first gate, or waiting before it
    backpressure_timeout_s: float = 30.0  # before the first gate
    max_upload_bytes: int = 104_857_600
    max_bodies_bytes: int | None = None  # of all that are held at once; None: by the memory there is
    enable_docs: bool = False
    backlog: int = 2048  # connections that wait to be accepted
    uvicorn_loop: str = "auto"
    uvicorn_keep_alive_s: float = 5.0
    uvicorn_graceful_timeout_s: float | None = None
    uvicorn_limit_concurrency: int | None = None
    uvicorn_log_level: str = "info"
    client_request_timeout_s: float = 120.0  # 0 is no limit, as in DRUM
    processes: int = 1
    direct_access_upstream: str | None = None
    warnings: tuple[str, ...] = ()  # for the log


def read_parameters(environ: Mapping[str, str], workers: int | None = None) -> Parameters:
    """All parameters from `environ`; `workers` is the command line's `--workers`, which overrides
    `DRUM_FASTAPI_EXECUTOR_WORKERS`.

    Raises StartError for the first parameter that is unknown, malformed or out of range.
    """
    refuse_unknown(environ)
    given: dict[str, Any] = {name: read_one(name, kind, environ) for name, kind in KINDS.items()}
    if given["DRUM_SERVER_TYPE"] not in (None, "fastapi", "uvicorn"):
        raise StartError(
            f"DRUM_SERVER_TYPE is {given['DRUM_SERVER_TYPE']!r}, but this is the fastapi server; "
            "leave it out or set it to fastapi (the others are served by `drum server`)."
        )
    warnings = []
    for name, other in INSTEAD.items():
        if given[name] is None and given[other] is not None:
            given[name] = given[other]
            warnings.append(f"{name} is not set; the server uses {other} in its place.")

    def value(name: str, default: Any) -> Any:
        return default if given[name] is None else given[name]

    processes = value("CUSTOM_MODEL_WORKERS", 1)
    if workers is not None and KINDS["DRUM_FASTAPI_EXECUTOR_WORKERS"].from_json(workers) is None:
        wanted = KINDS["DRUM_FASTAPI_EXECUTOR_WORKERS"].wanted
        raise StartError(f"--workers is {workers}; it must be {wanted}.")
    workers = workers or value("DRUM_FASTAPI_EXECUTOR_WORKERS", max(4, 2 * processes))
    return Parameters(
        executor_workers=workers,
        executor_queue_depth=value("DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH", 10 * workers),
        executor_queue_timeout_s=value("DRUM_FASTAPI_EXECUTOR_QUEUE_TIMEOUT", 30.0),
        max_concurrent_requests=value("DRUM_MAX_CONCURRENT_REQUESTS", 10),
        max_queue_depth=value("DRUM_MAX_QUEUE_DEPTH", 100),
        backpressure_timeout_s=value("DRUM_BACKPRESSURE_TIMEOUT", 30.0),
        max_upload_bytes=value("DRUM_FASTAPI_MAX_UPLOAD_SIZE", 104_857_600),
        max_bodies_bytes=given["DRUM_FASTAPI_MAX_BODIES_SIZE"],
        enable_docs=value("DRUM_FASTAPI_ENABLE_DOCS", False),
        backlog=value("DRUM_WEBSERVER_BACKLOG", 2048),
        uvicorn_loop=value("DRUM_UVICORN_LOOP", "auto"),
        uvicorn_keep_alive_s=value("DRUM_UVICORN_KEEP_ALIVE", 5.0),
        uvicorn_graceful_timeout_s=given["DRUM_UVICORN_GRACEFUL_TIMEOUT"],
        uvicorn_limit_concurrency=given["DRUM_UVICORN_LIMIT_CONCURRENCY"],
        uvicorn_log_level=value("DRUM_UVICORN_LOG_LEVEL", "info"),
        client_request_timeout_s=value("DRUM_CLIENT_REQUEST_TIMEOUT", 120.0),
        processes=processes,
        direct_access_upstream=given["DRUM_DIRECT_ACCESS_UPSTREAM"],
        warnings=tuple(warnings),
    )


def refuse_unknown(environ: Mapping[str, str]) -> None:
    """Raises StartError for a misspelt parameter of this server's own families, and for one that switches on
    a feature that it lacks. Both would silently do nothing."""
    for variable, text in environ.items():
        name = variable.removeprefix(PREFIX)
        if name in KINDS:
            continue
        if name.startswith(NOT_HERE):
            if payload_text(text).lower() not in OFF:
                raise StartError(
                    f"{variable} is {text!r}, but this server has no such feature; leave it out."
                )
        elif name.startswith(OWN_FAMILIES):
            close = get_close_matches(name, KINDS, n=1)
            hint = f"did you mean {close[0]}?" if close else "known are " + ", ".join(KINDS) + "."
            raise StartError(f"{variable} is not a runtime parameter of this server; {hint}")


def payload_text(text: str) -> str:
    """The value in DRUM's JSON form, or the text itself."""
    try:
        document = json.loads(text)
    except ValueError:
        return text.strip()
    return str(document.get("payload", "")) if isinstance(document, dict) else str(document)


def read_one(name: str, kind: Kind, environ: Mapping[str, str]) -> Value | None:
    """The value of one parameter, None where it is not given at all. Raises StartError."""
    variable = PREFIX + name if PREFIX + name in environ else name
    if variable not in environ:
        return None
    text = environ[variable].strip()
    if variable != name and text.startswith("{"):
        value = kind.from_json(payload(variable, text, kind))
    else:
        value = kind.from_text(text)
    if value is None:
        raise StartError(f"{variable} is {text!r}; it must be {kind.wanted}.")
    return value


def payload(variable: str, text: str, kind: Kind) -> object:
    """What DRUM's JSON form carries. Raises StartError when it is not that form."""
    form = json.dumps({"type": kind.json_type, "payload": "…"}, ensure_ascii=False)
    try:
        document = json.loads(text)
    except ValueError as error:
        raise StartError(
            f"{variable} is {text!r}, which is not valid JSON ({error}); write {form}."
        ) from None
    if set(document) != {"type", "payload"} or document["type"] != kind.json_type:
        raise StartError(f"{variable} is {text!r}; it must have the form {form} with {kind.wanted}.")
    result: object = document["payload"]
    return result
