"""Makes locust log every request raw: loaded as its first locustfile, whatever the second one is.

An island: it lives in locust's own process, imports nothing of sweeper, has no user class, and is
told all it must know by the environment variable SWEEPER_RECORDER (JSON, see `Settings`).

locust's `request` event fires when a request completes and knows nothing of those that never do, so
the recorder wraps the `request` method of locust's two HTTP sessions. The raw log is a header, then
records of 20 bytes (request_log.py reads them): START and FINISH of each request, a VERDICT where a
`catch_response` block overrules FINISH, the event loop's LAG, SPAWNED once all users run, a CRASH where an
exception ended a task, and ENDED where a user ended by itself. Moments are CLOCK_MONOTONIC. The first crash
and the first request to another server are quoted on standard error, for people.

Under open_locustfile.py a request starts when it was to arrive: `arrive` and `refuse` log that moment, and
the latency counts from it.

SIGUSR1 drains: from then on no request starts, those in flight end, then locust quits. With `check_only`
locust ends as soon as it has read its locustfiles.
"""

from __future__ import annotations

import atexit
import gc
import inspect
import json
import os
import signal
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import gevent
import gevent.hub
import locust.log
from locust import User, events
from locust.clients import HttpSession
from locust.clients import ResponseContextManager as HttpResponseContext
from locust.contrib.fasthttp import FastHttpSession
from locust.contrib.fasthttp import ResponseContextManager as FastHttpResponseContext
from locust.env import Environment
from locust.runners import STATE_RUNNING, LocalRunner, Runner

MAGIC = b"sweeper-load"
VERSION = 1
HEADER = struct.Struct("<12sII")  # magic, version, size of a record
RECORD = struct.Struct("<BBHIId")  # kind, failed, status, count, request, value
START = 0  # status: 1 where it goes to another server; count: the user's number; value: the moment
FINISH = 1  # failed, status; count: bytes of the response; value: latency in ms
VERDICT = 2  # failed, as the user's code decided after FINISH
LAG = 3  # count: microseconds; value: the moment
SPAWNED = 4  # count: users; value: the moment
CRASH = 5  # value: the moment
ENDED = 6  # value: the moment

LAG_PERIOD_S = 0.05
FLUSH_PERIOD_S = 0.25
COUNT_LIMIT = 2**32 - 1
LOG_FAILED = 74  # EX_IOERR of sysexits.h
HAND_MADE = "requests that do not go through HttpUser's or FastHttpUser's client are not recorded"
TICKET = "sweeper_ticket"
QUOTED = 200


@dataclass(frozen=True)
class Settings:
    """SWEEPER_RECORDER: where to log, and when locust ends even if nobody stops it."""

    log_path: str
    max_duration_s: float
    check_only: bool = False


class Ticket:
    """One request under way. `failed` is None until it has finished; `sent` is None until it was sent."""

    __slots__ = ("failed", "request", "sent", "started")

    def __init__(self, request: int, started: float, sent: float | None) -> None:
        self.request = request
        self.started = started
        self.sent = sent
        self.failed: bool | None = None


class Recorder:
    """Numbers the requests and writes their records, some 4 times a second; at once while draining."""

    def __init__(self, path: str) -> None:
        self.in_flight = 0
        self.draining = False
        self.base_url = ""
        self._requests = 0
        self._users = 0
        self._quoted: set[str] = set()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        self._buffer: list[bytes] = [HEADER.pack(MAGIC, VERSION, RECORD.size)]
        self.flush()

    def new_user(self) -> int:
        self._users += 1
        return self._users - 1

    def start(self, user: int, elsewhere: bool) -> Ticket:
        now = time.monotonic()
        return self._begin(user, now, now, elsewhere)

    def goes_elsewhere(self, url: object, session_url: str) -> bool:
        """Whether a request for `url` leaves the server under test; the port tells, for it is drawn anew."""
        whole = str(url)
        if not whole.lower().startswith(("http://", "https://")):
            whole = f"{session_url}{whole}"
        if urlsplit(whole).netloc.rpartition(":")[2] == self.base_url.rpartition(":")[2]:
            return False
        self.quote("elsewhere", whole)
        return True

    def crash(self, error: BaseException) -> None:
        if not self.draining:
            self.quote("crash", f"{type(error).__name__}: {error}")
            self._buffer.append(RECORD.pack(CRASH, 0, 0, 0, 0, time.monotonic()))

    def user_ended(self) -> None:
        if not self.draining:
            self._buffer.append(RECORD.pack(ENDED, 0, 0, 0, 0, time.monotonic()))

    def quote(self, what: str, text: str) -> None:
        """The first of each kind on standard error, on one line; session.py reads it there."""
        if what not in self._quoted:
            self._quoted.add(what)
            sys.stderr.write(f"sweeper: {what}: {' '.join(text.split())[:QUOTED]}\n")
            sys.stderr.flush()

    def arrive(self, due: float) -> Ticket:
        """A request that was to arrive at `due`, now or a little ago; pass the ticket in its context."""
        return self._begin(0, due, None)

    def refuse(self, due: float) -> None:
        """An arrival that cannot be sent: it starts, and nobody will ever see it finish."""
        self._begin(0, due, None)
        self.in_flight -= 1

    def _begin(self, user: int, started: float, sent: float | None, elsewhere: bool = False) -> Ticket:
        ticket = Ticket(self._requests, started, sent)
        self._requests += 1
        self.in_flight += 1
        self._buffer.append(RECORD.pack(START, 0, elsewhere, user, ticket.request, started))
        return ticket

    def finish(self, ticket: Ticket, failed: bool, status: int, size: int, response_ms: float) -> None:
        """`response_ms` is locust's, from when the request was sent."""
        ticket.failed = failed
        self.in_flight -= 1
        late_ms = 0.0 if ticket.sent is None else 1000.0 * (ticket.sent - ticket.started)
        latency_ms = response_ms + late_ms
        count = size if size <= COUNT_LIMIT else COUNT_LIMIT
        self._buffer.append(RECORD.pack(FINISH, failed, status, count, ticket.request, latency_ms))
        if self.draining:
            self.flush()

    def verdict(self, ticket: Ticket, failed: bool) -> None:
        if failed != ticket.failed:
            ticket.failed = failed
            self._buffer.append(RECORD.pack(VERDICT, failed, 0, 0, ticket.request, 0.0))
            if self.draining:
                self.flush()

    def abandon(self, ticket: Ticket, error: BaseException) -> None:
        """The session raised instead of reporting: a failure, unless the user's greenlet was killed."""
        if isinstance(error, gevent.GreenletExit):
            self.in_flight -= 1
        else:
            sent = ticket.started if ticket.sent is None else ticket.sent
            self.finish(ticket, True, 0, 0, 1000.0 * (time.monotonic() - sent))

    def spawned(self, users: int) -> None:
        self._buffer.append(RECORD.pack(SPAWNED, 0, 0, users, 0, time.monotonic()))
        self.flush()

    def watch_loop(self) -> None:
        """For ever: log how late the event loop wakes us, and flush."""
        due_flush = time.monotonic()
        while True:
            due = time.monotonic() + LAG_PERIOD_S
            gevent.hub.sleep(LAG_PERIOD_S)  # by the wall clock, as `due`; standstill.py replaces gevent.sleep
            now = time.monotonic()
            lag_us = min(COUNT_LIMIT, max(0, round(1e6 * (now - due))))
            self._buffer.append(RECORD.pack(LAG, 0, 0, lag_us, 0, now))
            if now >= due_flush:
                due_flush = now + FLUSH_PERIOD_S
                self.flush()

    def flush(self) -> None:
        """Hand everything to the kernel. A log with a hole is worth nothing, so failing ends locust."""
        data = memoryview(b"".join(self._buffer))
        self._buffer.clear()
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            sys.stderr.write(f"sweeper: cannot write the log of requests: {error.strerror}\n")
            sys.stderr.flush()
            os._exit(LOG_FAILED)


def record_session(session: type[Any], recorder: Recorder) -> None:
    """Wrap `session.request` so that every call is recorded.

    The ticket travels in the request's context, the one thing locust hands through to the event.
    """
    original: Callable[..., Any] = session.request
    position = list(inspect.signature(original).parameters).index("context") - 3

    def request(self: Any, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
        arrived: Ticket | None = kwargs["context"].get(TICKET) if "context" in kwargs else None
        if arrived is not None:
            arrived.sent = time.monotonic()
            return sent(self, arrived, method, url, args, kwargs)
        if recorder.draining:
            gevent.sleep(0.01)  # lets the rest end even when the user's code swallows this and retries
            raise gevent.GreenletExit
        try:
            user = self.sweeper_user
        except AttributeError:
            user = self.sweeper_user = recorder.new_user()
            self.sweeper_here = not recorder.goes_elsewhere("", self.base_url)
        here = self.sweeper_here and isinstance(url, str) and url.startswith("/")
        ticket = recorder.start(user, not here and recorder.goes_elsewhere(url, self.base_url))
        if len(args) > position:
            args = (*args[:position], {**args[position], TICKET: ticket}, *args[position + 1 :])
        elif "context" in kwargs:
            kwargs["context"] = {**kwargs["context"], TICKET: ticket}
        else:
            kwargs["context"] = {TICKET: ticket}
        return sent(self, ticket, method, url, args, kwargs)

    def sent(self: Any, ticket: Ticket, method: Any, url: Any, args: Any, kwargs: Any) -> Any:
        try:
            response = original(self, method, url, *args, **kwargs)
        except BaseException as error:
            if ticket.failed is None:
                recorder.abandon(ticket, error)
            raise
        if ticket.failed is None:  # catch_response: the figures are known, the verdict follows
            meta = response.request_meta
            recorder.finish(
                ticket,
                bool(meta["exception"]) or not 0 < (meta["response"].status_code or 0) < 400,
                meta["response"].status_code or 0,
                meta["response_length"],
                meta["response_time"],
            )
        return response

    session.request = request


def record_verdicts(context: type[Any], recorder: Recorder) -> None:
    """Wrap the end of `with client.get(..., catch_response=True)`: an exception in it is a failure.

    locust lets such an exception through and reports nothing at all.
    """
    original: Callable[..., Any] = context.__exit__

    def leave(self: Any, kind: type[BaseException] | None, value: Any, traceback: Any) -> Any:
        swallow = original(self, kind, value, traceback)
        if kind is not None:
            ticket = self.request_meta["context"].pop(TICKET, None)
            if ticket is not None and not issubclass(kind, gevent.GreenletExit):
                recorder.verdict(ticket, True)
        return swallow

    context.__exit__ = leave


def record_completions(recorder: Recorder) -> None:
    """Listen to locust's `request` event, first of all listeners: the others never see the ticket."""

    def on_request(
        context: dict[str, Any] | None = None,
        response: Any = None,
        exception: Any = None,
        response_time: float = 0.0,
        response_length: int = 0,
        **_: Any,
    ) -> None:
        ticket: Ticket | None = context.pop(TICKET, None) if context else None
        if ticket is None:
            recorder.quote("fired by hand", HAND_MADE)
            return
        if ticket.failed is None:
            status = response.status_code or 0
            recorder.finish(ticket, bool(exception), status, response_length, response_time)
        else:
            recorder.verdict(ticket, bool(exception))

    events.request.add_listener(on_request)  # type: ignore[no-untyped-call]


def record_users(recorder: Recorder) -> None:
    """Count exceptions that end a task, and users that end before they are stopped."""

    def on_user_error(exception: BaseException, **_: Any) -> None:
        recorder.crash(exception)

    events.user_error.add_listener(on_user_error)  # type: ignore[no-untyped-call]
    original: Callable[[Any], None] = User.run

    def run(self: Any) -> None:
        try:
            original(self)
        finally:
            recorder.user_ended()

    User.run = run  # type: ignore[method-assign, misc]


def control(recorder: Recorder, settings: Settings) -> None:
    """Tie the recorder to locust's life: checks, spawning, drain, the end."""

    def on_init(environment: Environment, runner: Runner, **_: Any) -> None:
        if not isinstance(runner, LocalRunner):
            raise RuntimeError("sweeper runs locust in one process: unset its master, worker and processes")
        if environment.shape_class is not None:
            name = type(environment.shape_class).__name__
            raise RuntimeError(f"sweeper sets the number of users: remove the load shape {name}")
        if settings.check_only:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
        recorder.base_url = environment.host or ""
        if environment.parsed_options is not None:
            environment.parsed_options.run_time = None  # sweeper decides when to stop
        environment.sweeper_recorder = recorder  # type: ignore[attr-defined]
        gevent.signal_handler(signal.SIGUSR1, drain, runner)
        gevent.spawn(recorder.watch_loop)
        gevent.spawn(watch_spawning, runner)
        gc.collect()
        gc.freeze()  # a full collection of all that was imported stalls the loop for tens of ms

    def watch_spawning(runner: Runner) -> None:
        """locust logs a user class that cannot be made, then runs on without users for ever."""
        while runner.state != STATE_RUNNING:
            if locust.log.unhandled_greenlet_exception:
                runner.quit()
                return
            gevent.sleep(LAG_PERIOD_S)

    def drain(runner: Runner) -> None:
        """locust's own stop would cut off what is under way (--stop-timeout 0) or let tasks go on."""
        recorder.draining = True
        recorder.flush()
        while recorder.in_flight:
            gevent.sleep(0.005)
        runner.quit()

    def on_spawned(user_count: int, **_: Any) -> None:
        recorder.spawned(user_count)

    events.init.add_listener(on_init)  # type: ignore[no-untyped-call]
    events.spawning_complete.add_listener(on_spawned)  # type: ignore[no-untyped-call]
    atexit.register(recorder.flush)
    # The kernel's bound on a client that everybody forgot: SIGALRM's default action ends the process.
    signal.setitimer(signal.ITIMER_REAL, settings.max_duration_s)


SETTINGS = Settings(**json.loads(os.environ["SWEEPER_RECORDER"]))
RECORDER = Recorder(SETTINGS.log_path)
record_session(FastHttpSession, RECORDER)
record_session(HttpSession, RECORDER)
record_verdicts(FastHttpResponseContext, RECORDER)
record_verdicts(HttpResponseContext, RECORDER)
record_completions(RECORDER)
record_users(RECORDER)
control(RECORDER, SETTINGS)
sys.modules.pop(__name__, None)  # a user's own `import recorder` must find theirs
