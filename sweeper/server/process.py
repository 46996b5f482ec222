"""The server's processes: uvicorn on a bound socket in each, and a parent that looks after several."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import uvicorn
from uvicorn.config import LOG_LEVELS, LOGGING_CONFIG

from sweeper.server.app import build_app
from sweeper.server.connections import Connection
from sweeper.server.counters import Counters
from sweeper.server.listening import listen, location, try_bind
from sweeper.server.parameters import Parameters
from sweeper.server.service import Service
from sweeper.server.start_errors import StartError

LOG_CONFIG = {
    **LOGGING_CONFIG,
    "loggers": {
        **LOGGING_CONFIG["loggers"],
        "sweeper.server": {"handlers": ["default"], "level": "INFO", "propagate": False},
    },
}
log = logging.getLogger("sweeper.server")


def serve(service: Service, bound: socket.socket) -> int:
    """Until SIGTERM or SIGINT; the process's exit code. Raises StartError when the model cannot be loaded.

    The port opens when the model is loaded.
    """
    service.load()
    assert service.drum is not None
    gc.freeze()  # frameworks are hundreds of thousands of objects that no collection needs to visit
    server = uvicorn.Server(uvicorn_config(service))

    def stop(number: int, frame: object) -> None:
        """Until uvicorn takes the signals over; when done, it raises the one that stopped it again."""
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    listen(bound, server.config.backlog)
    for name in ("sweeper.server", "uvicorn.error"):
        logging.getLogger(name).setLevel(LOG_LEVELS[service.parameters.uvicorn_log_level])
    for warning in service.parameters.warnings:
        log.warning(warning)
    log.info(
        "Serving %s on %s with %d prediction threads",
        service.code_dir, location(bound), service.executor.workers,
    )  # fmt: skip
    server.run(sockets=[bound])
    service.executor.shut_down()
    sys.stderr.flush()
    if service.counters.of_process(service.process_index).get("running"):
        # Nothing can interrupt a thread inside a model, and no client waits for its result any more.
        os._exit(0)
    service.drum.close()
    return 0


def uvicorn_config(service: Service) -> uvicorn.Config:
    parameters = service.parameters
    return uvicorn.Config(
        build_app(service),
        loop=parameters.uvicorn_loop,
        http=Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        server_header=False,
        backlog=parameters.backlog,
        log_config=LOG_CONFIG,
        log_level=parameters.uvicorn_log_level,
        timeout_keep_alive=parameters.uvicorn_keep_alive_s,  # type: ignore[arg-type]
        timeout_graceful_shutdown=parameters.uvicorn_graceful_timeout_s,  # type: ignore[arg-type]
        limit_concurrency=parameters.uvicorn_limit_concurrency,
    )


STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
WRONG_USE = 2


def supervise(
    parameters: Parameters, code_dir: Path, drum_options: Sequence[str], bound: socket.socket
) -> int:
    """Until SIGTERM or SIGINT, or until a process cannot load the model; the exit code.

    `bound` holds the port, with SO_REUSEPORT, and never listens. Raises StartError when the model cannot be
    loaded.
    """
    return Supervisor(parameters, code_dir, drum_options, bound).run()


class Supervisor:
    """The parent. Signals only set a flag and wake `waitpid`."""

    def __init__(
        self, parameters: Parameters, code_dir: Path, drum_options: Sequence[str], bound: socket.socket
    ) -> None:
        self._parameters = parameters
        self._drum_options = drum_options
        self._code_dir = code_dir
        self._bound = bound
        self._counters = Counters(parameters.processes)
        self._indices: dict[int, int] = {}
        self._stopping = False
        self._reasons, self._tell = os.pipe()

    def run(self) -> int:
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)
        for index in range(self._parameters.processes):
            self._start(index)
        failed = False
        while self._indices:
            pid, status = os.waitpid(-1, 0)
            index = self._indices.pop(pid)
            code = os.waitstatus_to_exitcode(status)
            if self._stopping or failed:
                continue
            if code == WRONG_USE:
                failed = True
                self._signal_all(signal.SIGTERM)
            else:
                sys.stderr.write(f"Server process {index} ended ({code}); it is started again.\n")
                self._counters.clear(index)
                self._start(index)
        if failed:
            raise StartError(os.read(self._reasons, 65536).decode().splitlines()[0])
        return 0

    def _start(self, index: int) -> None:
        # A signal between fork and bookkeeping would miss the new process: hold it back for that moment.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        if not self._stopping:  # one that came just before was not told to this process
            pid = os.fork()
            if pid == 0:
                self._become_server(index)
            self._indices[pid] = index
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def _become_server(self, index: int) -> NoReturn:
        code = 1
        try:
            for number in STOP_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            address = self._bound.getsockname()
            host, port = address[:2]
            own = try_bind(address, self._bound.family, host, port, reuse_port=True)
            self._bound.close()
            code = serve(
                Service(self._parameters, self._code_dir, self._drum_options, self._counters, index), own
            )
        except StartError as error:
            os.write(self._tell, f"{error}\n".encode())
            code = WRONG_USE
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
        # Ctrl-C reaches the processes by itself; a second SIGINT would make them drop what they answer.
        self._signal_all(signal.SIGTERM)

    def _signal_all(self, number: int) -> None:
        for pid in self._indices:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
