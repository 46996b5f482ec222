"""One server process: uvicorn on a bound socket, the model loaded beside it, a graceful end.

The server listens before the model is loaded, and says so (`/livez` 200, `/readyz` 503). A model that
cannot be loaded ends the process with exit code 2.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import threading

import uvicorn
from uvicorn.config import LOG_LEVELS, LOGGING_CONFIG

from sweeper.server.app import build_app
from sweeper.server.errors import StartError
from sweeper.server.listening import listen, location
from sweeper.server.routes import DRUM_VERSION
from sweeper.server.service import Service

LOG_CONFIG = {
    **LOGGING_CONFIG,
    "loggers": {
        **LOGGING_CONFIG["loggers"],
        "sweeper.server": {"handlers": ["default"], "level": "INFO", "propagate": False},
        "python_multipart": {"level": "CRITICAL"},  # says on stderr what the 422 says to the client
    },
}
log = logging.getLogger("sweeper.server")


def serve(service: Service, bound: socket.socket) -> int:
    """Until SIGTERM or SIGINT; the process's exit code. Raises StartError when the model cannot be loaded."""
    server = uvicorn.Server(uvicorn_config(service))

    def stop(number: int, frame: object) -> None:
        """Until uvicorn takes the signals over; when done, it raises the one that stopped it again."""
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    listen(bound, server.config.backlog)
    loader = Loader(service, server, location(bound))
    set_log_level(service, at_least=logging.WARNING)  # a failed load prints its sentence and nothing else
    loader.start()
    server.run(sockets=[bound])
    if loader.error is not None:
        raise StartError(loader.error)
    service.executor.shut_down()
    sys.stderr.flush()
    if loader.is_alive() or service.counters.of_process(service.process_index).get("running"):
        # Nothing can stop a thread in the middle of a model; what it would still do, nobody waits for.
        os._exit(0)
    return 0


def uvicorn_config(service: Service) -> uvicorn.Config:
    parameters = service.parameters
    return uvicorn.Config(
        build_app(service),
        loop=parameters.uvicorn_loop,
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        server_header=False,
        headers=[("X-Drum-Version", DRUM_VERSION)],
        log_config=LOG_CONFIG,
        log_level=parameters.uvicorn_log_level,
        timeout_keep_alive=parameters.uvicorn_keep_alive_s,  # type: ignore[arg-type]
        timeout_graceful_shutdown=parameters.uvicorn_graceful_timeout_s,  # type: ignore[arg-type]
        limit_concurrency=parameters.uvicorn_limit_concurrency,
    )


def set_log_level(service: Service, at_least: int = 0) -> None:
    level = LOG_LEVELS[service.parameters.uvicorn_log_level]
    if level == logging.INFO:
        level = max(level, at_least)
    for name in ("sweeper.server", "uvicorn.error"):
        logging.getLogger(name).setLevel(level)


class Loader(threading.Thread):
    """Loads the model beside the event loop; stops the server when that fails."""

    def __init__(self, service: Service, server: uvicorn.Server, url: str) -> None:
        super().__init__(name="drum-load", daemon=True)
        self.error: str | None = None
        self._service = service
        self._server = server
        self._url = url

    def run(self) -> None:
        try:
            from sweeper.server.loading import load

            model = load(self._service.code_dir)
        except StartError as error:
            self._fail(str(error))
        except BaseException as error:
            self._fail(f"The model in {self._service.code_dir.path} cannot be loaded: {error!r}.")
        else:
            gc.freeze()  # frameworks are hundreds of thousands of objects that no collection needs to visit
            self._service.serve(model)
            set_log_level(self._service)
            log.info(
                "Serving %s on %s with %d prediction threads",
                self._service.code_dir.path,
                self._url,
                self._service.executor.workers,
            )

    def _fail(self, reason: str) -> None:
        self.error = reason
        self._server.should_exit = True
