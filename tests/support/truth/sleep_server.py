"""A prediction server of known capacity: W slots, first come first served, each request a sleep.

`python -m tests.support.truth.sleep_server --port P --workers W --service-ms S` speaks just enough of DRUM's
contract, costs little CPU (a raw asyncio protocol, no body kept), and can misbehave on request. Slots
live in ideal time: the next request of a busy slot starts when the last one *should* have ended, so a
late timer delays an answer but never lowers the capacity, which stays W / S(W) (see shapes.py).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import json
import os
import random
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support.truth.pace import Pace
from tests.support.truth.shapes import DISTRIBUTIONS, parse_shape, service_times

REASONS = {
    200: "OK",
    307: "Temporary Redirect",
    404: "Not Found",
    411: "Length Required",
    500: "Internal Server Error",
    503: "Unavailable",
}
HEAD_LIMIT = 65536
DEATH_CODE = 70
BAD = (
    "fails", "fails-mostly", "fails-idle", "streams", "dies-every-second-start", "hangs-every-second-start",
    "suspect",
)  # fmt: skip
"""Ways in which a value does not work: tests/e2e/test_cannot_work.py."""


def response(status: int, body: bytes, more: str = "") -> bytes:
    """A whole keep-alive HTTP/1.1 response with a JSON body; `more` are further header lines."""
    head = (
        f"HTTP/1.1 {status} {REASONS[status]}\r\n{more}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


OK = response(200, b'{"message": "OK"}')
NOT_READY = response(503, b'{"message": "ERROR: the model is not loaded yet"}')
NOT_FOUND = response(404, b'{"message": "ERROR: no such page"}')
LENGTH_REQUIRED = response(411, b'{"message": "ERROR: send a Content-Length"}')
FAILED = response(500, b'{"message": "ERROR: the model failed"}')
GARBAGE = response(200, b"<html><body>Welcome! Nobody here predicts anything.</body></html>")
MOVED = response(307, b"", "location: /elsewhere/\r\n")
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
TICK = b"c\r\ndata: tick\n\n\r\n"
MUCH = b"10000\r\n" + b"data: 1234567890" * 4096 + b"\r\n"
BUSY = response(200, b'{"message": "busy"}')


class Pool:
    """`size` slots in ideal time, and the counters that `/stats/` tells."""

    def __init__(
        self, size: int, service_s: Callable[[], float], pace: Pace, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.size = size
        self.received = 0
        self.completed = 0
        self.running = 0
        self.max_concurrency = 0
        self.streams = 0
        self._service_s = service_s
        self._pace = pace
        self._loop = loop
        self._waiting: deque[tuple[float, Connection]] = deque()

    @property
    def pending(self) -> int:
        return self.running + len(self._waiting)

    def admit(self, connection: Connection) -> None:
        """Serve this connection's request as soon as a slot is free; `connection.answer()` at its end."""
        arrival = self._loop.time()
        if self.running == self.size:
            self._waiting.append((arrival, connection))
        else:
            self.running += 1
            self.max_concurrency = max(self.max_concurrency, self.running)
            self._serve(arrival, connection)

    def stream(self) -> None:
        """An answer that never ends: as with a thread for each, its slot stays taken."""
        self.completed += 1
        self.streams += 1
        self.max_concurrency = max(self.max_concurrency, min(self.size, self.streams))

    def _serve(self, start: float, connection: Connection) -> None:
        end = start + self._service_s() / self._pace.speed(time.monotonic())
        self._loop.call_at(end, self._finish, end, connection)

    def _finish(self, end: float, connection: Connection) -> None:
        self.completed += 1
        if self._waiting:
            arrival, waiting = self._waiting.popleft()
            self._serve(max(arrival, end), waiting)
        else:
            self.running -= 1
        connection.answer()


class OwnTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still while the process is stopped (SIGSTOP): its sleeps are like work."""

    HEARTBEAT_S = 0.005
    STOPPED_S = 0.2  # between two looks at the clock

    def __init__(self) -> None:
        self._seen_s = time.monotonic()
        self._stood_still_s = 0.0
        super().__init__()
        self._beat()

    def time(self) -> float:
        now_s = time.monotonic()
        if now_s - self._seen_s > self.STOPPED_S:
            self._stood_still_s += now_s - self._seen_s
        self._seen_s = now_s
        return now_s - self._stood_still_s

    def _beat(self) -> None:
        self.call_later(self.HEARTBEAT_S, self._beat)


class Server:
    """The settings and counters that all connections share."""

    def __init__(self, options: argparse.Namespace, loop: asyncio.AbstractEventLoop) -> None:
        self.options = options
        size = min(options.pool or options.workers, options.gate or options.workers)
        self.pool = Pool(
            size,
            service_times(
                options.shape, size, options.service_ms / 1000.0, options.distribution, options.seed
            ),
            Pace(options.drift, options.drift_period_s, options.warming_s),
            loop,
        )
        self.claimed_workers = options.workers if options.lie or options.gate else size
        self.chance = random.Random(options.seed + 1)
        good = response(200, json.dumps({"predictions": [0.5] * options.rows}).encode())
        self.prediction = {"predictions": good, "garbage": GARBAGE, "moved": MOVED}[options.answer]
        self.ready_at = time.monotonic() + options.start_delay_s
        self.answered = 0
        self.fail_share = options.fail_share if options.workers >= options.fail_from else 0.0
        self.bad = options.bad if options.bad_from and options.workers >= options.bad_from else None
        self.fail_share = {"fails": 1.0, "fails-mostly": 0.6}.get(self.bad, self.fail_share)
        self.mute_later = options.mute_later or self.bad == "hangs-every-second-start"
        self.first_prediction_s: float | None = None
        self.hung = 0
        self.failed_fast = 0
        self.dropped = 0
        self.stream = "fast" if self.bad == "streams" else options.stream
        self.connections = 0
        self.bytes_received = 0
        self.looked_s = time.monotonic()
        self.woke_s = -1.0
        if options.idle_limit_s:
            self.watch_idle(loop)

    def hangs_now(self) -> bool:
        """Whether this prediction is the one that --hang-after-s loses."""
        now_s = time.monotonic()
        if self.first_prediction_s is None:
            self.first_prediction_s = now_s
        lost = 0 < self.options.hang_after_s <= now_s - self.first_prediction_s and not self.hung
        self.hung += lost
        return lost

    def watch_idle(self, loop: asyncio.AbstractEventLoop) -> None:
        """For --idle-limit-s: is this a moment after the process was stopped?"""
        now_s = time.monotonic()
        if now_s - self.looked_s > 0.2:
            self.woke_s = now_s
        self.looked_s = now_s
        loop.call_later(0.005, self.watch_idle, loop)

    def drops_idle(self, answered_s: float) -> bool:
        """Whether a request comes too late on a connection that was idle since then. Like a real server,
        which closes such connections, this one meets few requests that way: those right after a stop."""
        now_s, limit_s = time.monotonic(), self.options.idle_limit_s
        waking = now_s - self.looked_s > 0.2 or now_s - self.woke_s < 0.05
        return bool(limit_s) and waking and now_s - answered_s > limit_s

    def page(self, path: bytes) -> bytes:
        """The response to a GET."""
        if path in (b"/", b"/ping", b"/ping/", b"/readyz"):
            return OK if time.monotonic() >= self.ready_at else NOT_READY
        if path == b"/livez":
            return OK
        if path == b"/info/":
            return response(
                200, b'{"drumServer": "fastapi", "drumVersion": "truth", "targetType": "regression"}'
            )
        if path == b"/stats/" and not self.options.no_stats:
            return response(200, json.dumps(self.stats()).encode())
        return NOT_FOUND

    def stats(self) -> dict[str, int]:
        """Contract keys with what the server claims, `truth_*` with what is true."""
        claimed, pool = self.claimed_workers, self.pool
        return {
            "executor_workers": claimed,
            "executor_max_queue": 10 * claimed,
            "executor_pending": pool.pending,
            "executor_running": pool.running,
            "executor_max_concurrency": pool.max_concurrency,
            "executor_completed": pool.completed,
            "executor_rejected": 0,
            **({"backpressure_max_concurrent": self.options.gate} if self.options.gate else {}),
            "truth_max_concurrency": pool.max_concurrency,
            "truth_received": pool.received,
            "truth_answered": self.answered,
            "truth_failed_fast": self.failed_fast,
            "truth_dropped": self.dropped,
            "truth_hung": self.hung,
            "truth_connections": self.connections,
            "truth_bytes_received": self.bytes_received,
        }


class Connection(asyncio.Protocol):
    """One keep-alive connection; a client sends its next request after the last one's response."""

    __slots__ = ("_answered_at", "_body_left", "_head", "_path", "_reads", "_server", "_transport")

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._body_left = 0
        self._path = b""
        self._reads = True
        self._answered_at: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._server.bytes_received += len(data)
        if self._answered_at is not None and self._server.drops_idle(self._answered_at):
            self._server.dropped += 1
            if self._transport is not None:
                self._transport.abort()
            return
        self._answered_at = None
        if self._body_left:
            self._body_left -= len(data)
            if self._body_left <= 0:
                self._body_left = 0
                self._predict()
            return
        head, end, body = (self._head + data).partition(b"\r\n\r\n")
        if not end:
            self._head = head
            if len(head) > HEAD_LIMIT and self._transport is not None:
                self._transport.close()
            return
        self._head = b""
        self._request(head, len(body))

    def _request(self, head: bytes, body_size: int) -> None:
        method, _, rest = head.partition(b" ")
        self._path = rest.partition(b" ")[0].partition(b"?")[0]
        if self._server.options.never_answer:
            return
        if method == b"GET":
            self.write(self._server.page(self._path))
            return
        _, found, after = head.lower().partition(b"\r\ncontent-length:")
        if not found:
            self.write(LENGTH_REQUIRED)
            return
        self._body_left = int(after.partition(b"\r\n")[0]) - body_size
        if self._body_left <= 0:
            self._body_left = 0
            self._predict()

    def _predict(self) -> None:
        server, options = self._server, self._server.options
        if self._path not in (b"/predict/", b"/predictions/", b"/invocations"):
            self.write(NOT_FOUND)
            return
        server.pool.received += 1
        if options.log_mb and server.pool.received == 1:
            for number in range(options.log_mb):
                sys.stderr.write(f"line {number} ".ljust(1023, ".") + "\n" + ("x" * 1023 + "\n") * 1023)
        if options.die_after and server.pool.received > options.die_after:
            os._exit(DEATH_CODE)
        if server.fail_share and server.chance.random() < server.fail_share:
            server.failed_fast += 1
            self.write(FAILED)
        elif options.drop_share and server.chance.random() < options.drop_share:
            server.dropped += 1
            if self._transport is not None:
                self._transport.abort()
        elif options.busy_share and self._is_later() and server.chance.random() < options.busy_share:
            server.pool.completed += 1
            self.write(BUSY)
        elif options.fail_first >= server.pool.received or (
            server.bad == "fails-idle" and server.pool.running == 0
        ):
            self.write(FAILED)
        elif server.stream and (self._is_later() or not options.stream_later):
            server.pool.stream()
            self.write(STREAM)
            self._go_on()
        elif not (options.mute or (server.mute_later and self._is_later())) and not server.hangs_now():
            server.pool.admit(self)

    def pause_writing(self) -> None:
        self._reads = False

    def resume_writing(self) -> None:
        self._reads = True
        self._go_on()

    def _go_on(self) -> None:
        """With a stream, for ever."""
        if self._transport is None or not self._reads:
            return
        slow = self._server.stream == "slow"
        self.write(TICK if slow else MUCH)
        asyncio.get_running_loop().call_later(0.05 if slow else 0.0, self._go_on)

    def _is_later(self) -> bool:
        """Whether this prediction is not the very first one."""
        return self._server.pool.received > 1

    def answer(self) -> None:
        """The pool is done with this connection's request."""
        if self._transport is not None:
            self._server.answered += 1
            self._answered_at = time.monotonic()
            self.write(self._server.prediction)

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def leak_threads(per_s: float) -> None:
    """For ever: start threads that do nothing and never end, as a client made for each request does."""
    while True:
        time.sleep(1.0 / per_s)
        threading.Thread(target=threading.Event().wait, daemon=True).start()


async def serve(options: argparse.Namespace) -> None:
    """Listen until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(options, loop)
    if options.hang_at_start:
        await stop.wait()
        return
    if options.listen_late:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), options.start_delay_s)
    listener = await loop.create_server(
        lambda: Connection(server), options.host, options.port, backlog=4096, reuse_address=True
    )
    if options.leak_threads_per_s:
        threading.Thread(target=leak_threads, args=(options.leak_threads_per_s,), daemon=True).start()
    port = listener.sockets[0].getsockname()[1]
    print(f"truth server: http://{options.host}:{port}", flush=True)
    await stop.wait()
    listener.close()
    if options.stays:
        await asyncio.Event().wait()


def parser() -> argparse.ArgumentParser:
    args = argparse.ArgumentParser(prog="python -m tests.support.truth.sleep_server", description=__doc__)
    args.add_argument("--host", default="127.0.0.1")
    args.add_argument("--port", type=int, required=True, help="0: any free one, printed on stdout")
    args.add_argument("--workers", type=int, required=True, help="slots asked for (W)")
    args.add_argument("--service-ms", type=float, default=40.0, help="service time of a lone slot (S0)")
    args.add_argument("--shape", type=parse_shape, default="linear", help="see shapes.py")
    args.add_argument("--distribution", choices=DISTRIBUTIONS, default="fixed")
    args.add_argument("--seed", type=int, default=0)
    args.add_argument("--rows", type=int, default=100, help="predictions in an answer")
    args.add_argument("--pool", type=int, default=0, help="real slots, whatever --workers says")
    args.add_argument("--gate", type=int, default=0, help="let so many through at once, and say so")
    args.add_argument(
        "--lie", action="store_true", help="/stats/ claims --workers slots although --pool is real"
    )
    args.add_argument("--no-stats", action="store_true", help="/stats/ is 404")
    args.add_argument("--fail-share", type=float, default=0.0, help="share answered 500 at once")
    args.add_argument("--fail-from", type=int, default=1, help="--fail-share holds from W = this on")
    args.add_argument("--fail-first", type=int, default=0, help="so many first predictions are answered 500")
    args.add_argument("--log-mb", type=int, default=0, help="logged with the first prediction")
    args.add_argument("--bad", choices=BAD, help="what does not work from W = --bad-from on")
    args.add_argument("--bad-from", type=int, default=0, help="0: everything works")
    args.add_argument("--starts", default="starts", help="a file that counts the starts, for --bad")
    args.add_argument("--drop-share", type=float, default=0.0, help="share whose connection is reset instead")
    args.add_argument(
        "--idle-limit-s", type=float, default=0.0, help="idle connections are reset, by a clock that goes on"
    )
    args.add_argument("--mute", action="store_true", help="predictions are received and never answered")
    args.add_argument("--mute-later", action="store_true", help="the same, but for the very first one")
    args.add_argument("--answer", choices=("predictions", "garbage", "moved"), default="predictions")
    args.add_argument(
        "--busy-share", type=float, default=0.0, help="share answered at once, with 200 and no predictions"
    )
    args.add_argument(
        "--hang-after-s",
        type=float,
        default=0.0,
        help="the first prediction this long after the very first one is never answered",
    )
    args.add_argument("--stream", choices=("fast", "slow"), help="predictions are streams without an end")
    args.add_argument("--stream-later", action="store_true", help="the same, but for the very first one")
    args.add_argument("--never-answer", action="store_true", help="nothing at all is ever answered")
    args.add_argument("--die-after", type=int, default=0, help="exit at once upon the request after the n-th")
    args.add_argument("--leak-threads-per-s", type=float, default=0.0, help="threads that never end")
    args.add_argument(
        "--own-time", action="store_true", help="sleeps stand still while the process is stopped"
    )
    args.add_argument("--drift", type=float, default=0.0, help="see pace.py; 0.3 is +-30%%")
    args.add_argument("--drift-period-s", type=float, default=40.0)
    args.add_argument("--warming-s", type=float, default=0.0, help="time to full speed, from half of it")
    args.add_argument("--start-delay-s", type=float, default=0.0, help="503 on the ready pages for that long")
    args.add_argument("--listen-late", action="store_true", help="do not even listen during --start-delay-s")
    args.add_argument("--stays", action="store_true", help="when told to end: only KILL ends it")
    args.add_argument("--hang-at-start", action="store_true", help="run and never listen")
    args.add_argument("--die-with-parent", action="store_true", help="KILL me when my parent ends")
    return args


def is_every_second(starts: str) -> bool:
    """Whether this is the first, third, fifth … start; `starts` is the file that counts them."""
    with Path(starts).open("ab") as file:
        file.write(b".")
        return file.tell() % 2 == 1


def main(argv: Sequence[str] | None = None) -> int:
    options = parser().parse_args(argv)
    if options.workers < 1 or options.pool < 0 or options.service_ms < 0:
        print(
            "truth server: --workers must be at least 1, --pool and --service-ms not negative",
            file=sys.stderr,
        )
        return 2
    if options.bad_from and options.workers >= options.bad_from:
        if options.bad == "suspect":
            options.gate = 4
        elif (options.bad or "").endswith("-every-second-start") and not is_every_second(options.starts):
            options.bad_from = 0
        elif options.bad == "dies-every-second-start":
            return DEATH_CODE
    if options.die_with_parent:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    with asyncio.Runner(loop_factory=OwnTimeLoop if options.own_time else None) as runner:
        runner.run(serve(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
