"""A server process from its start to its end: `RunningServer` of sweeper/interfaces.py."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from sweeper.errors import ServerStartError
from sweeper.launch.http_get import Answer, get
from sweeper.launch.pool import parse_pool_stats
from sweeper.launch.ports import HOST, free_port, is_listening, says_port_taken
from sweeper.observations import PoolStats, ServerExit
from sweeper.processes import ManagedProcess

_POLL_PERIOD_S = 0.02
_PROBE_TIMEOUT_S = 2.0
_STATS_TIMEOUT_S = 5.0
_PORT_ATTEMPTS = 3


class LaunchedServer:
    """Starts when it is made. `pid` and `base_url` are settled once `wait_ready` has returned: when somebody
    else takes the port in the moment before the server does, the server is started again on another one.
    """

    def __init__(
        self,
        spawn_on: Callable[[int], ManagedProcess],
        *,
        ready_path: str,
        choose_port: Callable[[], int] = free_port,
        host: str = HOST,
    ) -> None:
        """`spawn_on` starts the server on a port of `host`. Raises ServerStartError."""
        self._host = host
        self._spawn_on = spawn_on
        self._ready_path = ready_path
        self._choose_port = choose_port
        self._attempts_left = _PORT_ATTEMPTS
        self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def base_url(self) -> str:
        return f"http://{self._host}:{self._port}"

    def wait_ready(self, timeout_s: float) -> float:
        """Wait for a 200 on the ready path from this very server; seconds since its start.

        Raises ServerStartError when the process ends (at once) or the time runs out; the latter leaves it
        running, for the caller to stop.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            left_s = deadline_s - time.monotonic()
            answer = self._probe(min(_PROBE_TIMEOUT_S, max(left_s, _POLL_PERIOD_S)))
            answered_s = time.monotonic()
            return_code = self._process.poll()
            if return_code is not None:
                self._start_again_or_fail(return_code)
            elif answer.status == 200:
                return answered_s - self._started_s
            elif answered_s >= deadline_s:
                raise ServerStartError(
                    f"the server was not ready within {timeout_s:g} s (--start-timeout, should it only need "
                    f"longer); the last answer to GET {self.base_url}{self._ready_path}: {answer.text}",
                    log_tail=self.log_tail(),
                )
            time.sleep(_POLL_PERIOD_S)

    def alive(self) -> bool:
        return self._process.poll() is None

    def pool_stats(self) -> PoolStats | None:
        answer = get(self._host, self._port, "/stats/", _STATS_TIMEOUT_S)
        return parse_pool_stats(answer.body) if answer.status == 200 else None

    def log_tail(self, lines: int = 20) -> str:
        return self._process.log_tail(lines)

    def freeze(self) -> None:
        """Stop every process that has come of it where it is, until `thaw`."""
        self._process.freeze()

    def thaw(self) -> None:
        self._process.thaw()

    def stop(self, grace_s: float = 10.0) -> ServerExit:
        """TERM, wait, KILL, for every process that has come of it. Idempotent."""
        return self._process.stop(grace_s)

    def _start(self) -> None:
        self._port = self._choose_port()
        self._attempts_left -= 1
        self._started_s = time.monotonic()
        try:
            self._process = self._spawn_on(self._port)
        except OSError as error:
            raise ServerStartError(f"the server could not be started: {error}") from error

    def _probe(self, timeout_s: float) -> Answer:
        answer = get(self._host, self._port, self._ready_path, timeout_s, with_body=False)
        if answer.status == 200 and is_listening(self._port, self._process.guard_pid) is False:
            return Answer(None, "status 200, but from a process that the server's command did not start")
        return answer

    def _start_again_or_fail(self, return_code: int) -> None:
        self._process.stop()  # its children, if it had any
        log_tail = self.log_tail()
        if says_port_taken(log_tail) and self._attempts_left > 0:
            self._start()
            return
        lines = [line.strip() for line in log_tail.splitlines() if line.strip()]
        last_words = f"its log ends with: {lines[-1]}" if lines else "it logged nothing"
        how = f"exit code {return_code}" if return_code >= 0 else f"signal {_signal_name(-return_code)}"
        raise ServerStartError(
            f"the server ended before it was ready ({how}); {last_words}", log_tail=log_tail
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
