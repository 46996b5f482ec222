"""A server process from its start to its end: `RunningServer` of run/interfaces.py.

How long it may take to be ready, and to end, is in run/timing.py.
"""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sweeper.errors import ServerStartError
from sweeper.launch.ports import (
    HOST,
    STARTS_IF_TAKEN,
    check_answering,
    free_port,
    listens_at,
    says_port_taken,
)
from sweeper.processes import ManagedProcess
from sweeper.processes.control_group import MemoryKills
from sweeper.records.observations import PoolStats, ServerExit
from sweeper.records.wording import last_line
from sweeper.run.timing import STOP_GRACE_S

REFUSED = "connection refused"
_MAX_BODY_BYTES = 1 << 20
_MOST = 10**15
"""That any server can have counted."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int | None
    """None where there was no HTTP answer."""
    text: str
    """What came, in words."""
    body: bytes = b""
    no_trust: str = ""
    """Why its certificate is not trusted; empty: it is, or there is none."""


def get(
    host: str,
    port: int,
    path: str,
    timeout_s: float,
    *,
    with_body: bool = True,
    trust: ssl.SSLContext | None = None,
) -> Answer:
    """Never raises for what a server may do: refuse, hang (for `timeout_s`), talk no HTTP, hang up.
    `trust`: the certificates to trust; None: plain HTTP."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    if trust is not None:
        connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=trust)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read(_MAX_BODY_BYTES) if with_body else b""
    except TimeoutError:
        return Answer(None, f"none within {timeout_s:.1f} s")
    except ConnectionRefusedError:
        return Answer(None, REFUSED)
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message.rstrip(".")
        return Answer(None, f"its certificate is not trusted ({why})", no_trust=why)
    except ssl.SSLError as error:
        return Answer(None, f"no TLS ({error.reason})")
    except (OSError, http.client.HTTPException) as error:
        return Answer(None, f"not HTTP ({type(error).__name__})")
    finally:
        connection.close()
    return Answer(response.status, f"status {response.status}", body)


def parse_pool_stats(body: bytes) -> PoolStats | None:
    """None when this is no JSON object. What is missing in it, or is no whole number from 0 on of
    a possible size, is None."""
    try:
        page = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(page, dict):
        return None
    return PoolStats(
        workers=_count(page.get("executor_workers")),
        max_concurrency=_count(page.get("executor_max_concurrency")),
        completed=_count(page.get("executor_completed")),
        rejected=_sum(_count(page.get(name)) for name in ("executor_rejected", "backpressure_rejected")),
        processes=_count(page.get("executor_processes")),
        gate=_count(page.get("backpressure_max_concurrent")),
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= _MOST and value == value // 1 else None


_POLL_PERIOD_S = 0.02
_PROBE_TIMEOUT_S = 2.0
_STATS_TIMEOUT_S = 5.0


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
        self._kills = MemoryKills()
        self._spawn_on = spawn_on
        self._ready_path = ready_path
        self._choose_port = choose_port
        self._starts_left = STARTS_IF_TAKEN
        self._start()

    @property
    def pid(self) -> int:
        container = self._process.container
        return self._process.pid if container is None else container.pid

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
            self._kills.look(self.pid)
            if return_code is not None:
                self._start_again_or_fail(return_code)
            elif answer.status == 200:
                return answered_s - self._started_s
            elif answered_s >= deadline_s:
                raise ServerStartError(
                    f"the server was not ready within {timeout_s:g} s (raise --start-timeout if it only "
                    f"needs longer); the last answer to GET {self.base_url}{self._ready_path}: {answer.text}"
                    f"{self._elsewhere(answer)}",
                    log_tail=self.log_tail(),
                )
            time.sleep(_POLL_PERIOD_S)

    def _elsewhere(self, answer: Answer) -> str:
        """Where a server that cannot be reached listens instead: at another port, or at ::1 alone."""
        if answer.text != REFUSED or self._process.container is not None:
            return ""
        places = listens_at(self.pid)
        if not places:
            return ""
        return f"; it listens at {' and '.join(places)}: have it listen at {{host}} and {{port}}"

    def memory_kills(self) -> int | None:
        """How many of its processes the kernel has killed for want of memory; None: it does not tell."""
        return self._kills.read()

    def alive(self) -> bool:
        return self._process.poll() is None

    def pool_stats(self) -> PoolStats | None:
        answer = get(self._host, self._port, "/stats/", _STATS_TIMEOUT_S)
        return parse_pool_stats(answer.body) if answer.status == 200 else None

    @property
    def log_left_out_bytes(self) -> int:
        return self._process.log_left_out_bytes

    def log_tail(self, lines: int = 20) -> str:
        return self._process.log_tail(lines)

    @property
    def stands_still(self) -> bool:
        """Whether `freeze` can stop it: nobody may stop a container of another user's."""
        container = self._process.container
        return container is None or container.stands_still

    def freeze(self) -> None:
        """Stop every process that has come of it where it is, until `thaw`."""
        self._process.freeze()

    def thaw(self) -> None:
        self._process.thaw()

    def begin_stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """As `stop`, without waiting for it."""
        self._process.begin_stop(grace_s)

    def stop(self, grace_s: float = STOP_GRACE_S) -> ServerExit:
        """TERM, wait, KILL, for every process that has come of it. Idempotent."""
        self._kills.read()  # its group ends with it
        return self._process.stop(grace_s)

    def _start(self) -> None:
        self._port = self._choose_port()
        self._starts_left -= 1
        self._started_s = time.monotonic()
        try:
            self._process = self._spawn_on(self._port)
            self._kills.look(self._process.pid)
        except OSError as error:
            raise ServerStartError(f"the server could not be started: {error}") from error

    def _probe(self, timeout_s: float) -> Answer:
        answer = get(self._host, self._port, self._ready_path, timeout_s, with_body=False)
        wrong = None
        if answer.status == 200:
            wrong = check_answering(self._process, self._port)
        return answer if wrong is None else Answer(None, wrong)

    def _start_again_or_fail(self, return_code: int) -> None:
        self._kills.read()
        self._process.stop()  # its children, if it had any
        log_tail = self.log_tail()
        if says_port_taken(log_tail) and self._starts_left > 0:
            self._start()
            return
        if self.memory_kills():
            raise ServerStartError(
                "the kernel killed the server because memory ran out before it was ready", log_tail=log_tail
            )
        words = last_line(log_tail, otherwise="")
        last_words = f"its log ends with: {words}" if words else "it logged nothing"
        how = f"exit code {return_code}" if return_code >= 0 else f"signal {_signal_name(-return_code)}"
        if return_code == 0:
            last_words += "; if it went to the background (such as with --daemon), keep it in the foreground"
        raise ServerStartError(
            f"the server ended before it was ready ({how}); {last_words}", log_tail=log_tail
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
