"""The raw log of one process of locust: tickets for its requests, and the records it appends (see wire.py).

The first crash and the first request to another server are quoted on standard error.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import gevent

from sweeper.locust_side.answer_size import Answers, given_up_bytes
from sweeper.locust_side.receive_times import arrived_s
from sweeper.locust_side.wire import (
    COUNT_LIMIT,
    CRASH,
    ENDED,
    FINISH,
    FLUSH_PERIOD_S,
    HEADER,
    LATE,
    LOG_FAILED,
    RECORD,
    SPAWNED,
    START,
    TOO_LONG,
    VERDICT,
    quotation,
)

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
        self.server_url: Callable[[], str] = str  # a load worker learns it when the users are spawned
        self.answers = Answers()
        self._quoted: set[str] = set()
        self._requests = 0
        self._users = 0
        self._write: Callable[[bytes], None] | None = None
        self._buffer: list[bytes] = []

    def begin(self, write: Callable[[bytes], None]) -> None:
        """Start the log, in the very process that makes the requests. `write` raises OSError if it cannot."""
        self.in_flight = self._requests = self._users = 0
        self._write = write
        self._buffer = [HEADER]
        self.flush()

    def new_user(self) -> int:
        self._users += 1
        return self._users - 1

    def start(self, user: int, elsewhere: bool) -> Ticket:
        now = time.monotonic()
        return self._begin(user, now, now, elsewhere)

    def goes_elsewhere(self, url: object, session_url: str) -> bool:
        """Whether `url` is on another server. Only ports are compared: a started server gets a new port."""
        whole = str(url)
        if not whole.lower().startswith(("http://", "https://")):
            whole = f"{session_url}{whole}"
        if urlsplit(whole).netloc.rpartition(":")[2] == urlsplit(self.server_url()).netloc.rpartition(":")[2]:
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
            sys.stderr.write(f"{quotation(what)}{' '.join(text.split())[:QUOTED]}\n")
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
        sent = ticket.started if ticket.sent is None else ticket.sent
        latency_ms = response_ms + 1000.0 * (sent - ticket.started)
        given_up = given_up_bytes()
        count = min(size if given_up is None else given_up, COUNT_LIMIT)
        self._buffer.append(RECORD.pack(FINISH, failed, status, count, ticket.request, latency_ms))
        if given_up is not None:
            self._buffer.append(RECORD.pack(TOO_LONG, 0, 0, count, ticket.request, 0.0))
        arrived = arrived_s()
        if arrived is not None and arrived >= sent:
            # The client's delay: from intended arrival to sending, and from receipt to reading.
            late_s = sent - ticket.started + max(0.0, sent + response_ms / 1000.0 - arrived)
            late_us = min(COUNT_LIMIT, round(1e6 * late_s))
            self._buffer.append(RECORD.pack(LATE, 0, 0, late_us, ticket.request, 0.0))
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

    def flush_for_ever(self) -> None:
        while True:
            gevent.sleep(FLUSH_PERIOD_S)
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
