"""CUSTOM_MODEL_WORKERS above 1: that many server processes on one port, and a parent that looks after them.

Each process binds the port for itself (SO_REUSEPORT), so that the kernel spreads connections evenly. The
parent forks before anything heavy is imported, serves nothing, restarts a process that dies, and passes
SIGTERM and SIGINT on.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from types import FrameType
from typing import NoReturn

from sweeper.server.code_dir import CodeDir
from sweeper.server.counters import Counters
from sweeper.server.errors import StartError
from sweeper.server.listening import try_bind
from sweeper.server.parameters import Parameters

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
WRONG_USE = 2


def supervise(parameters: Parameters, code_dir: CodeDir, bound: socket.socket) -> int:
    """Until SIGTERM or SIGINT, or until a process cannot load the model; the exit code.

    `bound` holds the port, with SO_REUSEPORT, and never listens. Raises StartError when the model cannot be
    loaded.
    """
    return Supervisor(parameters, code_dir, bound).run()


class Supervisor:
    """The parent. Signals only set a flag and wake `waitpid`."""

    def __init__(self, parameters: Parameters, code_dir: CodeDir, bound: socket.socket) -> None:
        self._parameters = parameters
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
            from sweeper.server.process import serve
            from sweeper.server.service import Service

            address = self._bound.getsockname()
            host, port = address[:2]
            own = try_bind(address, self._bound.family, host, port, reuse_port=True)
            self._bound.close()
            code = serve(Service(self._parameters, self._code_dir, self._counters, index), own)
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
