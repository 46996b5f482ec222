"""DRUM's runtime parameters by name: those a configuration sets, and those that can be searched besides."""

from __future__ import annotations

from collections.abc import Mapping

POOL_SIZE = "DRUM_FASTAPI_EXECUTOR_WORKERS"
SERVER_PROCESSES = "CUSTOM_MODEL_WORKERS"
SERVER_TYPE = "DRUM_SERVER_TYPE"
GATE, GATE_DEPTH = "DRUM_MAX_CONCURRENT_REQUESTS", "DRUM_MAX_QUEUE_DEPTH"
GATE_DEFAULT, GATE_DEPTH_DEFAULT = 10, 100
"""The gate before the pool: at its default, a pool of more than 10 threads never fills."""
GATE_PER_WORKER = 2
"""A request also occupies the gate while the server reads its body and sends its answer. A gate of exactly
the worker count would therefore leave threads without work."""
PREFIX = "MLOPS_RUNTIME_PARAM_"
"""Of the variable that carries a runtime parameter."""
NATIVE_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)
"""Variables that say how many threads a native library may have; none of DRUM's."""
_DAY_S = 86_400

TUNABLE: Mapping[str, tuple[int, int] | tuple[str, ...]] = {
    GATE: (1, 1_000_000),
    GATE_DEPTH: (1, 1_000_000),
    "DRUM_BACKPRESSURE_TIMEOUT": (0, _DAY_S),
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


def gate_for(workers: int, users: int = 0) -> dict[str, int]:
    """The gate with which all `workers` can work at once, and its queue with which no request of `users` is
    refused at once; empty if the defaults suffice."""
    places = GATE_PER_WORKER * workers
    gate = {GATE: places} if places > GATE_DEFAULT else {}
    depth = max(places, users)
    return gate | ({GATE_DEPTH: depth} if depth > GATE_DEPTH_DEFAULT else {})


def set_by_hand(environment: Mapping[str, object]) -> dict[str, str]:
    """Of the gate's parameters, those that the environment of a study (environment.json) has: they stay."""
    variables = environment.get("variables")
    found = variables if isinstance(variables, Mapping) else {}
    both = {name: found.get(f"{PREFIX}{name}", found.get(name)) for name in (GATE, GATE_DEPTH)}
    return {name: str(value) for name, value in both.items() if value is not None}
