"""DRUM's runtime parameters by name: those a configuration sets, and those that can be searched besides."""

from __future__ import annotations

from collections.abc import Mapping

POOL_SIZE = "DRUM_FASTAPI_EXECUTOR_WORKERS"
SERVER_PROCESSES = "CUSTOM_MODEL_WORKERS"
SERVER_TYPE = "DRUM_SERVER_TYPE"
_DAY_S = 86_400

TUNABLE: Mapping[str, tuple[int, int] | tuple[str, ...]] = {
    "DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH": (0, 1_000_000),
    "DRUM_FASTAPI_EXECUTOR_QUEUE_TIMEOUT": (0, _DAY_S),
    "DRUM_FASTAPI_MAX_UPLOAD_SIZE": (1, 1 << 40),
    "DRUM_UVICORN_LOOP": ("auto", "asyncio", "uvloop"),
    "DRUM_UVICORN_KEEP_ALIVE": (0, _DAY_S),
    "DRUM_UVICORN_GRACEFUL_TIMEOUT": (0, _DAY_S),
    "DRUM_UVICORN_LIMIT_CONCURRENCY": (1, 1_000_000),
    "DRUM_UVICORN_LOG_LEVEL": ("critical", "error", "warning", "info", "debug", "trace"),
    "DRUM_CLIENT_REQUEST_TIMEOUT": (0, _DAY_S),
}
"""Those of the FastAPI server that can be searched beside pool and processes: limits, or words."""
