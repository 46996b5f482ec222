"""The environment variables that carry a configuration to a server."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress

from sweeper.records.configuration import Configuration
from sweeper.settings.runtime_parameters import (
    NATIVE_THREADS,
    POOL_SIZE,
    PREFIX,
    SERVER_PROCESSES,
    gate_for,
)

WALL_CLOCK_S = {
    "DRUM_FASTAPI_EXECUTOR_QUEUE_TIMEOUT": 30.0,
    "DRUM_BACKPRESSURE_TIMEOUT": 30.0,
    "DRUM_UVICORN_KEEP_ALIVE": 5.0,
    "DRUM_CLIENT_REQUEST_TIMEOUT": 120.0,
}
"""What the server waits for, in seconds, with DRUM's defaults."""

OF_THE_SERVER = re.compile(
    rf"(DRUM|{PREFIX.rstrip('_')}|SWEEPER_UPSTREAM|OMP|GOMP|KMP|MKL|OPENBLAS|MALLOC)_\w+"
    "|CUSTOM_MODEL_WORKERS|LD_PRELOAD|GLIBC_TUNABLES|PYTHON(OPTIMIZE|MALLOC|DEVMODE|_GIL)"
)
"""Variables that a server inherits and that change what it does or how fast: of DRUM, of the bundled
io-bound model, of OpenMP and the BLAS libraries, of the C library and the interpreter."""
_PLAIN = re.compile(r"[-+]?\d*\.?\d+|[A-Za-z]{1,12}")


def runtime_parameter(name: str, value: float | str) -> dict[str, str]:
    """A DRUM runtime parameter in the one form that released DRUM reads: JSON with a type."""
    kind = "string" if isinstance(value, str) else "numeric"
    return {f"{PREFIX}{name}": json.dumps({"type": kind, "payload": value})}


def server_environment(
    base: Mapping[str, str], configuration: Configuration, users: int = 1
) -> dict[str, str]:
    """`base` with the configuration's pool, processes, native threads and further runtime parameters,
    whatever `base` says of these; and a gate that lets the pool fill and bears so many `users`, unless
    `base` says otherwise."""
    parameters: dict[str, float | str] = {
        POOL_SIZE: configuration.workers,
        SERVER_PROCESSES: configuration.processes,
        **dict(configuration.parameters),
    }
    for name, least in gate_for(configuration.workers, users).items():
        if name not in base and f"{PREFIX}{name}" not in base:  # what somebody has set is theirs
            parameters.setdefault(name, least)
    environment = {name: value for name, value in base.items() if name not in parameters}
    for name, value in parameters.items():
        environment |= runtime_parameter(name, value)
    environment |= dict.fromkeys(NATIVE_THREADS, str(configuration.model_threads))
    return environment


def inherited_settings(base: Mapping[str, str]) -> dict[str, str]:
    """The variables of `base` that change every server of a study: `OF_THE_SERVER` without those that a
    configuration sets.

    Numbers and short words stay as they are. Other values may be addresses or paths: a hash shows whether
    two are the same. Parameters that are not DRUM's may be passwords: the value is only "set".
    """
    set_anyway = {POOL_SIZE, SERVER_PROCESSES, *NATIVE_THREADS}
    found: dict[str, str] = {}
    for name, value in sorted(base.items()):
        if OF_THE_SERVER.fullmatch(name) and name.removeprefix(PREFIX) not in set_anyway:
            found[name] = _shown(name, value)
    return found


def _shown(name: str, value: str) -> str:
    if name.startswith(PREFIX):
        if not OF_THE_SERVER.fullmatch(name.removeprefix(PREFIX)):
            return "set"
        with suppress(ValueError, TypeError, KeyError):
            payload = json.loads(value)["payload"]
            value = payload if isinstance(payload, str) else json.dumps(payload)
    if _PLAIN.fullmatch(value):
        return value
    return "sha256 " + hashlib.sha256(value.encode()).hexdigest()[:12]


def patient(environment: Mapping[str, str], runs: int) -> dict[str, str]:
    """`environment` for a server that is stopped while `runs - 1` others take their turns.

    Its time-outs count by the wall clock, so that they must be as many times longer to be the same for it.
    """
    longer = dict(environment)
    for name, default_s in WALL_CLOCK_S.items():
        # What is set but no number is left for the server to refuse.
        with suppress(ValueError, TypeError, KeyError):
            longer |= runtime_parameter(name, _seconds(environment, name, default_s) * runs)
    return longer


def _seconds(environment: Mapping[str, str], name: str, default_s: float) -> float:
    """A runtime parameter in any of the forms in which it can be given. ValueError when it is no number."""
    text = environment.get(PREFIX + name, environment.get(name))
    if text is None:
        return default_s
    given = json.loads(text)
    return float(given["payload"] if isinstance(given, dict) else given)
