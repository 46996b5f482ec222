"""The routes that tell about the server; none of them touches the pool."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from sweeper.server.errors import StartError
from sweeper.server.executor import thread_namer
from sweeper.server.predict import LOADING
from sweeper.server.service import Service
from sweeper.server.stats import ResourceMonitor, executor_info, time_info

OK = {"message": "OK"}
DRUM_VERSION = "1.18.1+sweeper"
"""The DRUM release whose answers this server gives, and that it is not DRUM itself."""


def information_routes(service: Service, metadata: object) -> APIRouter:
    """`metadata` is what model-metadata.yaml holds, None without one."""
    router = APIRouter()
    monitor = ResourceMonitor(service.counters.processes)
    # psutil reads many files; one thread of its own keeps that off the loop and out of the pool.
    side_thread = ThreadPoolExecutor(1, initializer=thread_namer("drum-stats"))

    async def readiness() -> JSONResponse:
        if service.ready:
            return JSONResponse(OK)
        return JSONResponse({"message": LOADING}, status_code=503, headers={"Retry-After": "1"})

    async def liveness() -> JSONResponse:
        return JSONResponse(OK)

    async def capabilities() -> JSONResponse:
        return JSONResponse(
            {"supported_payload_formats": {"csv": None}, "supported_methods": {"chat": False}}
        )

    async def info() -> JSONResponse:
        return JSONResponse(
            {
                "codeDir": str(service.code_dir.path),
                "drumServer": "fastapi",
                "drumVersion": DRUM_VERSION,
                "language": "python",
                "modelMetadata": metadata,
                "predictor": service.model.predictor if service.model else None,
                "targetType": "regression",
            }
        )

    async def stats() -> JSONResponse:
        loop = asyncio.get_running_loop()
        resources = await loop.run_in_executor(side_thread, monitor.collect)
        return JSONResponse({**resources, "time_info": time_info(service.counters), **executor_info(service)})

    for path in ("/", "/ping", "/ping/", "/readyz", "/health/"):
        router.add_api_route(path, readiness, methods=["GET"], name=path)
    router.add_api_route("/livez", liveness, methods=["GET"])
    router.add_api_route("/capabilities/", capabilities, methods=["GET"])
    router.add_api_route("/info/", info, methods=["GET"])
    router.add_api_route("/stats/", stats, methods=["GET"])
    return router


def read_metadata(service: Service) -> Any:
    """model-metadata.yaml as JSON can hold it, None without one. Raises StartError when it is not YAML."""
    file = service.code_dir.metadata
    if file is None:
        return None
    import yaml
    from pydantic_core import to_jsonable_python

    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        # YAML has dates, bytes and NaN, which JSON has not.
        return to_jsonable_python(document, bytes_mode="base64", inf_nan_mode="null")
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise StartError(f"{file} is not valid YAML: {reason}.") from None
