"""The raw log of one process of locust: tickets for its requests, and the records it appends.

An island that recorder.py borrows: it lives in locust's own process and imports nothing of sweeper. The log
is a header, then records of 20 bytes (request_log.py reads them): START and FINISH of each request, a VERDICT
where a `catch_response` block overrules FINISH, the event loop's LAG, SPAWNED once all users run, a CRASH
where an exception ended a task, and ENDED where a user ended by itself. Moments are CLOCK_MONOTONIC. The
first crash and the first request to another server are quoted on standard error.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import gevent
import gevent.hub

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
QUOTED = 200


def into_file(path: str) -> Callable[[bytes], None]:
    """For `Recorder.begin`: what it writes is in the kernel's hands, in a new file."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)

    def write(data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(file, left) :]

    return write


class Ticket:
    """One request under way. `failed` is None until it has finished; `sent` is None until it was sent."""

    __slots__ = ("failed", "request", "sent", "started")

    def __init__(self, request: int, started: float, sent: float | None) -> None:
        self.request = request
        self.started = started
        self.sent = sent
        self.failed: bool | None = None


class Recorder:
    """Numbers the requests and writes their records, some 4 times a second; at once while draining.

    Before `begin` nothing is written or kept: what is asked for then is no user's request.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.draining = False
        self.base_url = ""
        self._quoted: set[str] = set()
        self._requests = 0
        self._users = 0
        self._write: Callable[[bytes], None] | None = None
        self._buffer: list[bytes] = []

    def begin(self, write: Callable[[bytes], None]) -> None:
        """Start the log, in the very process that makes the requests. `write` raises OSError if it cannot."""
        self.in_flight = self._requests = self._users = 0
        self._write = write
        self._buffer = [HEADER.pack(MAGIC, VERSION, RECORD.size)]
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

    def drain(self) -> None:
        """From now on no request starts; returns when none is under way any more."""
        self.draining = True
        self.flush()
        while self.in_flight:
            gevent.sleep(0.005)

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
        """Hand everything over. A log with a hole is worth nothing, so failing ends locust."""
        data = b"".join(self._buffer)
        self._buffer.clear()
        if self._write is None or not data:
            return
        try:
            self._write(data)
        except OSError as error:
            sys.stderr.write(f"sweeper: cannot write the log of requests: {error.strerror}\n")
            sys.stderr.flush()
            os._exit(LOG_FAILED)
