"""The environment variables that carry a configuration to a server."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sweeper.records import Configuration

POOL_SIZE = "DRUM_FASTAPI_EXECUTOR_WORKERS"
SERVER_PROCESSES = "CUSTOM_MODEL_WORKERS"
SERVER_TYPE = "DRUM_SERVER_TYPE"

NATIVE_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)


def runtime_parameter(name: str, value: int | str) -> dict[str, str]:
    """A DRUM runtime parameter in the one form that released DRUM reads: JSON with a type."""
    kind = "string" if isinstance(value, str) else "numeric"
    return {f"MLOPS_RUNTIME_PARAM_{name}": json.dumps({"type": kind, "payload": value})}


def server_environment(base: Mapping[str, str], configuration: Configuration) -> dict[str, str]:
    """`base` with the configuration's pool, processes and native threads, whatever `base` says of these."""
    environment = {name: value for name, value in base.items() if name not in (POOL_SIZE, SERVER_PROCESSES)}
    environment |= runtime_parameter(POOL_SIZE, configuration.workers)
    environment |= runtime_parameter(SERVER_PROCESSES, configuration.processes)
    environment |= dict.fromkeys(NATIVE_THREADS, str(configuration.model_threads))
    return environment
